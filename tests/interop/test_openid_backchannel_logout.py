"""Modules of the profile Back-Channel Logout OP, and a relying party with our client library."""

import asyncio
from collections.abc import AsyncIterator
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx2
import jwt
import pytest

from interop.live_server import Live
from interop.relying_party import SIGNED_OUT, RelyingParty, add_alice
from jeton_client.errors import InvalidTokenError
from jeton_client.id_token_verifier import AsyncIdTokenVerifier
from support.authorization_codes import CHALLENGE, VERIFIER
from support.browsing import browser
from support.builders import CALLBACK
from support.in_process_server import Running
from support.logout_receiver import LogoutReceiver, deliver, logout_receiver

EVENT = "http://schemas.openid.net/event/backchannel-logout"


@pytest.fixture
async def receiver() -> AsyncIterator[LogoutReceiver]:
    async with logout_receiver() as it:
        yield it


@pytest.fixture
async def party(jeton: Running, receiver: LogoutReceiver) -> AsyncIterator[RelyingParty]:
    add_alice(jeton)
    async with browser(jeton) as visitor:
        yield RelyingParty.registered(jeton, visitor, backchannel_logout_uri=receiver.uri)


@pytest.mark.requirement("LO06", "LO21", "LO22")
async def test_oidcc_backchannel_rp_initiated_logout(party: RelyingParty, receiver: LogoutReceiver) -> None:
    tokens = await party.signed_in()
    id_token = await party.claims(tokens)
    query = {"id_token_hint": tokens["id_token"], "post_logout_redirect_uri": SIGNED_OUT, "state": "a state"}
    page = await party.browser.get("/oauth/logout", None, **query)
    assert page.headers["location"] == f"{SIGNED_OUT}?state=a+state"
    await deliver(party.jeton)

    (token,) = receiver.tokens
    header, claims = jwt.get_unverified_header(token), jwt.decode(token, options={"verify_signature": False})
    assert header["alg"] == party.app.client.id_token_alg
    assert {it: claims[it] for it in ("iss", "aud", "sub", "sid")} == {
        it: id_token[it] for it in ("iss", "aud", "sub", "sid")
    }
    assert claims["events"] == {EVENT: {}}
    assert {"iat", "exp", "jti"} <= claims.keys()
    assert "nonce" not in claims
    await party.request(prompt="none")
    assert party.answer["error"] == "login_required"


@pytest.mark.requirement("LO06", "LO21", "LO22", "LO24")
async def test_our_client_library_accepts_the_logout_token_of_a_live_server(live: Live) -> None:
    async with logout_receiver() as receiver:
        words = ("--grant", "authorization_code", "--scope", "openid", "--redirect-uri", CALLBACK)
        told = ("--backchannel-logout-uri", receiver.uri, "--backchannel-logout-session-required")
        secret = live.server.json("client", "add", "told", *words, *told)["client_secret"]
        parameters = {"response_type": "code", "client_id": "told", "redirect_uri": CALLBACK, "scope": "openid"}
        proof = {"code_challenge": CHALLENGE, "code_challenge_method": "S256"}
        answer = await live.person.authorize(f"{live.authorization_endpoint}?{urlencode(parameters | proof)}")
        code = parse_qs(urlsplit(answer).query)["code"][0]
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK, "code_verifier": VERIFIER}
        async with httpx2.AsyncClient() as http, AsyncIdTokenVerifier(live.issuer, "told", http=http) as verifier:
            response = await http.post(live.token_endpoint, data=form, auth=("told", secret))
            id_token = jwt.decode(response.json()["id_token"], options={"verify_signature": False})

            await asyncio.to_thread(live.server.json, "browser-session", "revoke", "--user", live.username)
            await receiver.wait(10)
            logged_out = await verifier.verify_logout_token(receiver.tokens[0])
            with pytest.raises(InvalidTokenError):
                await verifier.verify_logout_token(receiver.tokens[0][:-8] + "AAAAAAAA")

    assert (logged_out.subject, logged_out.sid) == (live.sub, id_token["sid"])
