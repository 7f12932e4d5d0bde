"""grant_type=authorization_code: a code is redeemed once, by its owner; a second use ends its tokens."""

import asyncio
from typing import Any

import httpx2
import pytest

from jeton.oauth.authorization_codes import CODE_SECONDS, KEPT_SECONDS
from jeton.oauth.errors import OAuthError
from jeton.storage.authorization_codes import load_authorization_codes
from support.authorization_codes import VERIFIER, add_app, add_resource, redeem, sign_in
from support.builders import CALLBACK
from support.in_process_server import ISSUER, Running, StartServer
from support.responses import outcome
from support.stored_sessions import sid_of, stored_family

API = "https://api.example"
FILES = "https://files.example"
SCOPE = frozenset({"openid", "offline_access", "read", "write", "files"})


@pytest.mark.requirement("A27", "CO01", "CO02", "RR03")
@pytest.mark.parametrize("public", [True, False])
async def test_a_code_is_exchanged_for_tokens_of_its_user(jeton: Running, public: bool) -> None:
    app, alice = add_app(jeton, public=public), sign_in(jeton)
    code = await alice.code(app)
    jeton.clock.advance(5)

    tokens = await alice.redeemed(app, code)

    assert tokens["scope"] == "read"
    claims = jeton.claims(tokens["access_token"])
    assert (claims["sub"], claims["client_id"], claims["sid"]) == (alice.user.sub, "app", sid_of(code))
    assert (claims["auth_time"], claims["amr"], claims["aud"]) == (alice.browser_session.auth_time, ["pwd"], ISSUER)
    assert claims["exp"] - claims["iat"] == tokens["expires_in"]
    refreshed = await jeton.refreshed(app, tokens["refresh_token"])
    assert jeton.claims(refreshed["access_token"])["sid"] == sid_of(code)


@pytest.mark.requirement("CO04", "CO06", "CO07", "CO08", "CO14", "A28", "RA18")
async def test_request_of_another_client_consumes_nothing(jeton: Running) -> None:
    app, other, alice = add_app(jeton), add_app(jeton, "other"), sign_in(jeton)
    code = await alice.code(app)

    async def refused(response: httpx2.Response, status: int = 400, error: str = "invalid_grant") -> None:
        assert outcome(response) == (status, error)

    await refused(await redeem(jeton, other, code))
    mismatch = await redeem(jeton, app, code, code_verifier=VERIFIER[::-1])
    await refused(mismatch)
    assert "code_verifier and redirect_uri must match" in mismatch.json()["error_description"]
    await refused(await redeem(jeton, app, code, code_verifier="short"))
    await refused(await redeem(jeton, app, code, code_verifier=""))
    await refused(await redeem(jeton, app, code, redirect_uri=CALLBACK + "?x=1"))
    await refused(await redeem(jeton, app, code[:-1] + ("A" if code[-1] != "A" else "Q")))
    wrong = {"client_id": "app", "client_secret": "jcs_wrong"}
    await refused(await redeem(jeton, None, code, **wrong), 401, "invalid_client")

    tokens = await alice.redeemed(app, code)

    for response in (await redeem(jeton, other, code), await redeem(jeton, app, code, code_verifier=VERIFIER[::-1])):
        await refused(response)
    await jeton.refreshed(app, tokens["refresh_token"])


@pytest.mark.requirement("CO05", "OI22")
async def test_a_lost_answer_is_repeated_byte_for_byte_with_its_idempotency_key(jeton: Running) -> None:
    app, alice = add_app(jeton, scope=SCOPE, refresh_token="always"), sign_in(jeton)
    code = await alice.code(app, scope=frozenset({"openid"}), nonce="a nonce")
    first = await redeem(jeton, app, code, "a key")
    jeton.clock.advance(120)

    second = await redeem(jeton, app, code, "a key")

    assert (first.status_code, second.status_code) == (200, 200)
    assert second.content == first.content
    await jeton.refreshed(app, second.json()["refresh_token"])
    assert outcome(await redeem(jeton, app, code, "a key")) == (400, "invalid_grant")
    assert outcome(await jeton.refresh(app, second.json()["refresh_token"])) == (400, "invalid_grant")


@pytest.mark.requirement("CO01", "CO13")
async def test_expired_unknown_and_malformed_codes_get_the_same_answer(jeton: Running) -> None:
    app, alice = add_app(jeton), sign_in(jeton)
    code = await alice.code(app)
    late = await alice.code(app)
    jeton.clock.advance(CODE_SECONDS)

    bodies = [(await redeem(jeton, app, it)).content for it in (code, late, code[:-1] + "A", "jac_" + "A" * 71, "x")]

    assert len(set(bodies)) == 1
    assert (await redeem(jeton, app, code)).status_code == 400


@pytest.mark.requirement("OI15", "I06")
@pytest.mark.parametrize(
    ("fields", "scope", "is_refreshable"),
    [
        ({}, {"read"}, True),
        ({}, {"openid"}, False),
        ({}, {"openid", "offline_access"}, True),
        ({"application_type": "native", "public": True}, {"openid"}, True),
        ({"application_type": "spa", "public": True}, {"openid"}, True),
        ({"refresh_token": "always"}, {"openid"}, True),
        ({"refresh_token": "offline_access"}, {"read"}, False),
        ({"application_type": "spa", "refresh_token": "offline_access"}, {"openid"}, False),
        ({"grant_types": frozenset({"authorization_code"})}, {"read", "offline_access"}, False),
    ],
)
async def test_refresh_token_by_registration_and_scope(
    jeton: Running, fields: dict[str, Any], scope: set[str], is_refreshable: bool
) -> None:
    app, alice = add_app(jeton, scope=SCOPE, **fields), sign_in(jeton)
    code = await alice.code(app, scope=frozenset(scope))
    jeton.clock.advance(CODE_SECONDS - 1)

    tokens = await alice.redeemed(app, code)

    assert ("refresh_token" in tokens) is is_refreshable
    assert tokens["expires_in"] == 600
    family = stored_family(jeton, code)
    assert family is not None
    assert (family.absolute_expires_at > jeton.clock.now() + 601) is is_refreshable


async def test_an_unredeemed_code_is_no_session(jeton: Running) -> None:
    app, alice = add_app(jeton, scope=SCOPE | {"account"}), sign_in(jeton)
    tokens = await alice.redeemed(app, await alice.code(app, scope=frozenset({"account"})))
    await alice.code(app)
    bearer = {"Authorization": f"Bearer {tokens['access_token']}"}

    listed = (await jeton.http.get("/account/sessions", headers=bearer)).json()["sessions"]

    assert len(listed) == 1
    assert len(await jeton.lookups.sessions(alice.user.sub)) == 1
    ended = await jeton.http.delete("/account/sessions", headers=bearer)
    assert ended.json() == {"sessions_ended": 1}


@pytest.mark.both_databases
@pytest.mark.requirement("CN03", "MC11")
async def test_consents_in_several_tabs_at_once_are_all_stored(jeton: Running) -> None:
    app, alice = add_app(jeton, scope=SCOPE, resources=(API, FILES)), sign_in(jeton)
    tabs = [("read", API), ("write", API), ("files", FILES), ("read", FILES), ("openid", API)]

    await asyncio.gather(*(alice.code(app, scope=frozenset({it}), resources=(uri,)) for it, uri in tabs))

    consent = await jeton.server.parts.storage.browser_session_lookups.consent(alice.user.sub, app.client_id)
    assert consent is not None
    assert consent.allowed == {"": {"openid"}, API: {"read", "write"}, FILES: {"files", "read"}}


@pytest.mark.requirement("O13", "PG11")
async def test_unredeemed_codes_are_limited_per_user(jeton: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jeton.oauth.authorization.code_issuance.MAX_UNREDEEMED_CODES", 3)
    app, alice, bob = add_app(jeton), sign_in(jeton), sign_in(jeton, "bob")
    codes = [await alice.code(app) for _ in range(3)]

    with pytest.raises(OAuthError) as refused:
        await alice.code(app)

    assert (refused.value.status, refused.value.retry_after) == (429, CODE_SECONDS)
    await bob.code(app)
    await alice.redeemed(app, codes[0])
    await alice.code(app)
    with pytest.raises(OAuthError):
        await alice.code(app)
    jeton.clock.advance(CODE_SECONDS)
    await alice.code(app)


async def test_codes_and_unredeemed_families_are_deleted_minutes_later(jeton: Running) -> None:
    app, alice = add_app(jeton), sign_in(jeton)
    redeemed, unredeemed = await alice.code(app), await alice.code(app)
    await alice.redeemed(app, redeemed)
    jeton.clock.advance(CODE_SECONDS + KEPT_SECONDS - 1)
    jeton.purge.delete_expired()
    assert stored_family(jeton, unredeemed) is not None
    jeton.clock.advance(1)

    jeton.purge.delete_expired()

    assert stored_family(jeton, unredeemed) is None
    assert stored_family(jeton, redeemed) is not None
    with jeton.database.read() as connection:
        assert load_authorization_codes(connection, [sid_of(redeemed), sid_of(unredeemed)]) == {}
    assert outcome(await redeem(jeton, app, redeemed)) == (400, "invalid_grant")
    family = stored_family(jeton, redeemed)
    assert family is not None
    assert family.revoke_reason == "code_reused"


@pytest.mark.requirement("O13", "O16")
async def test_the_number_of_sessions_is_exact_when_codes_are_redeemed_at_once(start: StartServer) -> None:
    jeton = await start(LIMITS__SESSIONS_PER_USER="3")
    app, alice = add_app(jeton), sign_in(jeton)
    codes = [await alice.code(app) for _ in range(12)]

    responses = await asyncio.gather(*(redeem(jeton, app, it) for it in codes))

    assert {it.status_code for it in responses} == {200}
    assert len(await jeton.lookups.sessions(alice.user.sub)) == 3


async def test_guessed_codes_are_counted_like_unknown_tokens(start: StartServer) -> None:
    jeton = await start(LIMITS__TOKEN_FAILURES_PER_ADDRESS="3")
    app, alice = add_app(jeton), sign_in(jeton)
    code = await alice.code(app)
    forged = code[:-1] + ("A" if code[-1] != "A" else "Q")

    statuses = [(await redeem(jeton, app, forged)).status_code for _ in range(8)]

    assert set(statuses) == {400, 429}
    await alice.redeemed(app, code)


@pytest.mark.requirement("OI52", "OI53", "OI54", "OI55", "RR03", "H06")
async def test_the_metadata_name_the_grant_as_soon_as_a_client_may_use_it(start: StartServer) -> None:
    jeton = await start(REGISTRATION__CLIENT_ID_METADATA_DOCUMENTS="false")
    before = (await jeton.http.get("/.well-known/oauth-authorization-server")).json()
    add_app(jeton)

    after = (await jeton.http.get("/.well-known/oauth-authorization-server")).json()

    assert before["response_types_supported"] == ["none"]
    assert "authorization_endpoint" not in before
    assert "authorization_code" not in before["grant_types_supported"]
    new = {name: value for name, value in after.items() if before.get(name) != value}
    assert new == {
        "authorization_endpoint": f"{ISSUER}/oauth/authorize",
        "response_types_supported": ["code"],
        "response_modes_supported": ["query", "form_post"],
        "grant_types_supported": ["authorization_code", "client_credentials", "refresh_token"],
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": True,
        "prompt_values_supported": ["none", "login", "consent", "select_account"],
        "claims_parameter_supported": False,
        "request_parameter_supported": False,
        "request_uri_parameter_supported": False,
        "pushed_authorization_request_endpoint": f"{ISSUER}/oauth/par",
        "require_pushed_authorization_requests": False,
        "ui_locales_supported": ["en", "de"],
    }
    assert (await jeton.http.get("/.well-known/openid-configuration")).json() == after


# Resource indicators (RFC 8707): which audience and scope tokens have.


@pytest.mark.requirement("RI02", "RI03", "RI04", "RI05", "RI06", "CO12", "L05", "L06")
async def test_resource_sets_the_audience_and_drops_scope_it_does_not_have(jeton: Running) -> None:
    add_resource(jeton, API, "read", "write")
    add_resource(jeton, FILES, "files")
    app, alice = add_app(jeton, scope=SCOPE, resources=(API, FILES), refresh_token="always"), sign_in(jeton)
    code = await alice.code(app, scope=frozenset({"openid", "read", "files"}), resources=(API, FILES))

    tokens = await alice.redeemed(app, code, resource=API + "/")

    claims = jeton.claims(tokens["access_token"])
    assert (claims["aud"], claims["scope"], tokens["scope"]) == ([API, ISSUER], "openid read", "openid read")
    narrowed = await jeton.refreshed(app, tokens["refresh_token"], resource=FILES, scope="files")
    assert jeton.claims(narrowed["access_token"])["aud"] == FILES
    whole = await jeton.refreshed(app, narrowed["refresh_token"])
    claims = jeton.claims(whole["access_token"])
    assert (claims["aud"], claims["scope"]) == ([API, FILES, ISSUER], "files openid read")


@pytest.mark.requirement("RI03", "RI05", "RI06", "L05")
async def test_client_credentials_take_resource_too(jeton: Running) -> None:
    add_resource(jeton, API, "read")
    add_resource(jeton, FILES, "files")
    app = jeton.add_client(scope=SCOPE, resources=(API, FILES))
    single = jeton.add_client("single", scope=SCOPE, resources=(API,))

    async def issued(client: Any, **more: str) -> tuple[Any, str]:
        response = await jeton.token(client, None, grant_type="client_credentials", **more)
        assert response.status_code == 200, response.text
        return jeton.claims(response.json()["access_token"])["aud"], response.json()["scope"]

    assert await issued(app, resource=FILES) == (FILES, "files offline_access openid")
    assert await issued(app, scope="files read") == (ISSUER, "files read")
    assert await issued(single, scope="read files") == (API, "read")
    refused = await jeton.token(app, grant_type="client_credentials", resource="https://other.example")
    assert outcome(refused) == (400, "invalid_target")
    refused = await jeton.token(app, grant_type="client_credentials", resource=API, scope="files")
    assert outcome(refused) == (400, "invalid_scope")
