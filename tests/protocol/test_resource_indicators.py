"""Resource indicators (RFC 8707): which audience and scope tokens have."""

from typing import Any

import pytest

from support.authorization_codes import add_app, add_resource, redeem, sign_in
from support.in_process_server import ISSUER, Running
from support.responses import outcome

API = "https://api.example"
FILES = "https://files.example"
SCOPE = frozenset({"openid", "offline_access", "read", "write", "files"})


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


@pytest.mark.requirement("RI01", "RI04", "RI06", "CO12", "L05", "L06")
async def test_a_resource_beyond_the_grant_is_an_invalid_target_and_consumes_nothing(jeton: Running) -> None:
    add_resource(jeton, API, "read")
    add_resource(jeton, FILES, "files")
    app, alice = add_app(jeton, scope=SCOPE, resources=(API, FILES)), sign_in(jeton)
    code = await alice.code(app, resources=(API,))
    for resource in (FILES, "https://other.example", "api", API + "#x"):
        assert outcome(await redeem(jeton, app, code, resource=resource)) == (400, "invalid_target")

    tokens = await alice.redeemed(app, code)

    for resource in (FILES, "https://other.example"):
        response = await jeton.refresh(app, tokens["refresh_token"], resource=resource)
        assert outcome(response) == (400, "invalid_target")
    await jeton.refreshed(app, tokens["refresh_token"], resource=API)


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
