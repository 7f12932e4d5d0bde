"""OpenID Connect Discovery: what is announced is complete and true, and nothing else is."""

from typing import Any

import pytest

from support.authorization_codes import add_app, sign_in
from support.in_process_server import Running, StartServer

OPENID = "/.well-known/openid-configuration"


async def announced(jeton: Running) -> dict[str, Any]:
    jeton.shared_state.refresh()
    response = await jeton.http.get(OPENID)
    assert (response.status_code, response.headers["content-type"]) == (200, "application/json")
    return dict(response.json())


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
