"""ID tokens in token responses, and as hints (OpenID Connect Core sections 2, 3.1.3, 12.2)."""

import hashlib

import pytest

from support.authorization_codes import add_app, sign_in
from support.base64url import base64url
from support.browsing import authorization_parameters, browser
from support.in_process_server import ISSUER, Running
from support.signing_keys import verified_id_token

OPENID = frozenset({"openid", "read"})


@pytest.mark.requirement("OI20", "OI21", "OI22", "OI25", "OI26", "OI29")
async def test_redemption_with_openid_returns_an_id_token(jeton: Running) -> None:
    app, alice = add_app(jeton, scope=OPENID), sign_in(jeton)
    code = await alice.code(app, scope=OPENID, nonce="a nonce")
    jeton.clock.advance(7)

    tokens = await alice.redeemed(app, code)

    claims = verified_id_token(jeton, tokens["id_token"])
    digest = hashlib.sha256(tokens["access_token"].encode()).digest()[:16]
    assert claims == {
        "iss": ISSUER,
        "sub": alice.user.sub,
        "aud": "app",
        "exp": jeton.clock.now() + tokens["expires_in"],
        "iat": jeton.clock.now(),
        "auth_time": alice.browser_session.auth_time,
        "amr": ["pwd"],
        "nonce": "a nonce",
        "at_hash": base64url(digest),
        "sid": claims["sid"],
    }
    assert alice.browser_session.browser_session_id not in claims["sid"]


@pytest.mark.requirement("OI21", "OI27")
async def test_a_refresh_returns_an_id_token_of_the_same_authentication_without_nonce(jeton: Running) -> None:
    app, alice = add_app(jeton, scope=OPENID, refresh_token="always"), sign_in(jeton)
    first = await alice.redeemed(app, await alice.code(app, scope=OPENID, nonce="a nonce"))
    jeton.clock.advance(100)

    second = await jeton.refreshed(app, first["refresh_token"])

    before, after = verified_id_token(jeton, first["id_token"]), verified_id_token(jeton, second["id_token"])
    kept = ("iss", "sub", "aud", "auth_time", "amr", "sid")
    assert [after[name] for name in kept] == [before[name] for name in kept]
    assert after["iat"] == before["iat"] + 100
    assert "nonce" not in after
    narrowed = await jeton.refreshed(app, second["refresh_token"], scope="read")
    assert "id_token" not in narrowed


@pytest.mark.requirement("OI08")
async def test_a_hint_of_another_user_is_login_required_without_a_page(jeton: Running) -> None:
    app, alice = add_app(jeton, scope=OPENID, first_party=True), sign_in(jeton)
    hint = (await alice.redeemed(app, await alice.code(app, scope=OPENID)))["id_token"]
    other = add_app(jeton, "other", scope=OPENID)
    for_other = (await alice.redeemed(other, await alice.code(other, scope=OPENID)))["id_token"]
    jeton.add_user("bob")

    async def error(hint: str) -> str | None:
        wanted = authorization_parameters(app, scope="openid", prompt="none", id_token_hint=hint)
        await visitor.get("/oauth/authorize", **wanted)
        return visitor.answer.get("error")

    async with browser(jeton) as visitor:
        await visitor.open_account("bob")
        assert await error(hint) == "login_required"
        jeton.clock.advance(50_000)
        await visitor.get("/me")
        if visitor.path == "/sign-in":
            await visitor.sign_in("bob")
        assert await error(hint) == "login_required", "an expired hint still names its user"
        # What this server did not sign, or not for this client, identifies no user: certainly not this one.
        assert await error(for_other) == await error("x.y.z") == "login_required"
        await visitor.authorize(app, scope="openid", id_token_hint="x.y.z")
        assert visitor.path == "/sign-in"
        await visitor.sign_in("bob")
        assert "code" in visitor.answer
