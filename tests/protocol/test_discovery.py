"""OpenID Connect Discovery: what is announced is complete and true, and nothing else is."""

from typing import Any

import pytest

from support.authorization_codes import add_app, sign_in
from support.in_process_server import ISSUER, Running, StartServer

OPENID = "/.well-known/openid-configuration"
OAUTH = "/.well-known/oauth-authorization-server"
REQUIRED = (
    *("issuer", "authorization_endpoint", "token_endpoint", "jwks_uri", "response_types_supported"),
    *("subject_types_supported", "id_token_signing_alg_values_supported"),
)


async def announced(jeton: Running, path: str = OPENID) -> dict[str, Any]:
    jeton.shared_state.refresh()
    response = await jeton.http.get(path)
    assert (response.status_code, response.headers["content-type"]) == (200, "application/json")
    return dict(response.json())


@pytest.mark.requirement("OI51", "OI52", "OI53", "OI56")
async def test_everything_that_clients_require_is_there(jeton: Running) -> None:
    add_app(jeton, scope=frozenset({"openid", "email", "offline_access", "internal"}))

    found = await announced(jeton)

    assert [it for it in REQUIRED if it not in found] == []
    assert found["issuer"] == ISSUER
    assert found["userinfo_endpoint"] == f"{ISSUER}/oauth/userinfo"
    assert found["id_token_signing_alg_values_supported"] == ["RS256"]
    assert found["subject_types_supported"] == ["public"]
    assert found["code_challenge_methods_supported"] == ["S256"]
    assert [found[f"{it}_parameter_supported"] for it in ("claims", "request", "request_uri")] == [False] * 3
    assert {"en", "de"} <= set(found["ui_locales_supported"])
    assert [name for name, value in found.items() if value in ([], "", None)] == []


@pytest.mark.requirement("OI50")
@pytest.mark.parametrize("issuer", [ISSUER, ISSUER + "/", ISSUER + "/realms/main"])
async def test_one_document_is_at_all_places(start: StartServer, issuer: str) -> None:
    jeton = await start(SERVER__ISSUER=issuer)
    add_app(jeton, scope=frozenset({"openid"}))
    path = issuer.removeprefix(ISSUER).rstrip("/")

    places = [path + OPENID, path + OAUTH, OPENID + path, OAUTH + path]
    documents = [await announced(jeton, it) for it in places]

    assert documents[0]["issuer"] == issuer
    assert documents[0]["userinfo_endpoint"] == issuer.rstrip("/") + "/oauth/userinfo"
    assert all(it == documents[0] for it in documents)


@pytest.mark.requirement("OI51", "OI55")
async def test_scopes_and_claims_are_those_that_some_client_can_have(start: StartServer) -> None:
    jeton = await start(REGISTRATION__CLIENT_ID_METADATA_DOCUMENTS="false")
    add_app(jeton, scope=frozenset({"openid", "email", "internal"}))

    found = await announced(jeton)

    assert found["scopes_supported"] == ["openid", "email"]
    assert {"sub", "auth_time", "email", "email_verified"} <= set(found["claims_supported"])
    assert "name" not in found["claims_supported"]
    add_app(jeton, "other", scope=frozenset({"openid", "profile"}))
    found = await announced(jeton)
    assert found["scopes_supported"] == ["openid", "profile", "email"]
    assert "name" in found["claims_supported"]


@pytest.mark.requirement("OI55")
async def test_nothing_is_said_of_openid_connect_where_no_client_uses_it(start: StartServer) -> None:
    jeton = await start(REGISTRATION__CLIENT_ID_METADATA_DOCUMENTS="false")
    add_app(jeton, scope=frozenset({"read"}))

    found = await announced(jeton)

    assert "authorization_endpoint" in found
    assert [it for it in found if "id_token" in it or "userinfo" in it or "subject" in it or "claims_s" in it] == []


async def test_announced_claims_are_released(jeton: Running) -> None:
    app = add_app(jeton, scope=frozenset({"openid", "profile", "email"}))
    alice = sign_in(jeton)
    tokens = await alice.redeemed(app, await alice.code(app, scope=frozenset({"openid", "profile", "email"})))
    found = await announced(jeton)

    headers = {"Authorization": f"Bearer {tokens['access_token']}"}
    claims = (await jeton.http.get(found["userinfo_endpoint"], headers=headers)).json()

    assert set(claims) <= set(found["claims_supported"])
