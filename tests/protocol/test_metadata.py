"""RFC 8414: what the server announces of itself, where it does so, and that it is true."""

import base64
import json
from collections.abc import Awaitable, Callable
from typing import Any

import httpx2
import pytest
from authlib.oauth2.rfc8414 import AuthorizationServerMetadata

from jeton_client.authorization_server import AuthorizationServer
from jeton_client.messages import Answer, Request
from support.in_process_server import ISSUER, App, Running

StartServer = Callable[..., Awaitable[Running]]

METADATA = "/.well-known/oauth-authorization-server"
OPENID = "/.well-known/openid-configuration"
PATH = "/realms/main"
ISSUER_WITH_PATH = ISSUER + PATH


async def _metadata(jeton: Running, path: str = METADATA) -> dict[str, Any]:
    response = await jeton.http.get(path)
    assert response.status_code == 200
    return dict(response.json())


@pytest.mark.requirement("H01", "H05")
async def test_the_metadata_are_json_that_anybody_may_read_and_keep(jeton: Running) -> None:
    response = await jeton.http.get(METADATA)

    assert (response.status_code, response.headers["content-type"]) == (200, "application/json")
    assert response.headers["cache-control"] == "public, max-age=300"
    assert response.headers["access-control-allow-origin"] == "*"


@pytest.mark.requirement("H03", "H04")
async def test_the_metadata_name_every_endpoint_and_what_it_takes(jeton: Running) -> None:
    assert await _metadata(jeton) == {
        "issuer": ISSUER,
        "token_endpoint": f"{ISSUER}/oauth/token",
        "revocation_endpoint": f"{ISSUER}/oauth/revoke",
        "introspection_endpoint": f"{ISSUER}/oauth/introspect",
        "status_list_aggregation_endpoint": f"{ISSUER}/oauth/status",
        "jwks_uri": f"{ISSUER}/.well-known/jwks.json",
        "response_types_supported": ["none"],
        "grant_types_supported": ["client_credentials", "refresh_token"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "none"],
        "revocation_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "none"],
        "introspection_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
    }


@pytest.mark.requirement("H03")
async def test_no_list_is_empty(jeton: Running) -> None:
    jeton.add_client(grant_types=frozenset(), scope=frozenset())

    assert [name for name, value in (await _metadata(jeton)).items() if value in ([], "", None)] == []


@pytest.mark.requirement("H02", "H03", "H04")
@pytest.mark.parametrize("issuer", ["https://id.example", "https://id.example/realms/main", "https://id.example:8443"])
async def test_another_library_finds_the_metadata_valid(start: StartServer, issuer: str) -> None:
    jeton = await start(SERVER__ISSUER=issuer)

    found = await _metadata(jeton)

    AuthorizationServerMetadata(found).validate()
    urls = [value for value in found.values() if isinstance(value, str)]
    assert len(urls) == 6
    assert [url for url in urls if not url.startswith(issuer)] == []


# The issuer.


@pytest.mark.requirement("H02")
@pytest.mark.parametrize(
    "issuer",
    [
        ISSUER,
        ISSUER_WITH_PATH,
        "https://ID.example",
        "https://id.example/",
        "https://id.example:443/a/",
        "http://[::1]",
    ],
)
async def test_the_issuer_is_to_the_byte_what_tokens_say(start: StartServer, issuer: str) -> None:
    jeton = await start(SERVER__ISSUER=issuer)
    app = jeton.add_client()
    tokens = (await jeton.token(app, grant_type="client_credentials")).json()

    assert (await _metadata(jeton))["issuer"] == issuer
    assert _claims(tokens["access_token"])["iss"] == issuer
    assert (await jeton.introspect(app, tokens["access_token"]))["iss"] == issuer


def _claims(token: str) -> dict[str, Any]:
    payload = token.split(".")[1]
    return dict(json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))))


well_known = pytest.mark.parametrize("well_known", [METADATA, OPENID])


@pytest.mark.requirement("H01")
@well_known
@pytest.mark.parametrize(
    ("issuer", "place"),
    [
        (ISSUER, "{0}"),
        (ISSUER + "/", "{0}"),
        (ISSUER + "/", "{0}/"),
        (ISSUER_WITH_PATH, "{0}" + PATH),
        (ISSUER_WITH_PATH, PATH + "{0}"),
        (ISSUER_WITH_PATH, "{0}"),  # behind a proxy that removes the path
        (ISSUER_WITH_PATH + "/", "{0}" + PATH),
        (ISSUER_WITH_PATH + "/", "{0}" + PATH + "/"),
        (ISSUER_WITH_PATH + "/", PATH + "{0}"),
    ],
)
async def test_the_same_metadata_are_wherever_clients_look(
    start: StartServer, issuer: str, place: str, well_known: str
) -> None:
    jeton = await start(SERVER__ISSUER=issuer)

    found = await _metadata(jeton, place.format(well_known))

    assert found == await _metadata(jeton)
    assert found["issuer"] == issuer


@pytest.mark.requirement("H01")
async def test_our_client_finds_them_behind_a_proxy_that_forwards_only_the_issuer_s_path(start: StartServer) -> None:
    jeton = await start(SERVER__ISSUER=ISSUER_WITH_PATH)
    plan = AuthorizationServer(ISSUER_WITH_PATH).metadata()
    next(plan)

    second = plan.send(Answer(404, {}, b"the proxy's page"))
    assert isinstance(second, Request)
    assert second.url.startswith(ISSUER_WITH_PATH + "/")
    answer = await jeton.http.get(second.url)
    with pytest.raises(StopIteration) as found:
        plan.send(Answer(answer.status_code, {}, answer.content))

    assert found.value.value.token_endpoint == f"{ISSUER_WITH_PATH}/oauth/token"


@pytest.mark.requirement("H01")
@well_known
@pytest.mark.parametrize("place", ["{0}/realms/other", "{0}/realms", "{0}/realms/main/x", "/realms/other{0}"])
async def test_a_path_that_is_not_the_issuer_s_has_no_metadata(start: StartServer, place: str, well_known: str) -> None:
    jeton = await start(SERVER__ISSUER=ISSUER_WITH_PATH)

    assert (await jeton.http.get(place.format(well_known))).status_code == 404


@pytest.mark.requirement("H02", "H03")
@pytest.mark.parametrize("issuer", [ISSUER, ISSUER_WITH_PATH, ISSUER_WITH_PATH + "/"])
async def test_everything_works_at_the_address_that_is_announced(start: StartServer, issuer: str) -> None:
    jeton = await start(SERVER__ISSUER=issuer)
    app = jeton.add_client()
    at = await _metadata(jeton)

    token = (await jeton.post(at["token_endpoint"], app, grant_type="client_credentials")).json()["access_token"]
    before = (await jeton.post(at["introspection_endpoint"], app, token=token)).json()["active"]
    revoked = (await jeton.post(at["revocation_endpoint"], app, token=token)).status_code
    after = (await jeton.post(at["introspection_endpoint"], app, token=token)).json()["active"]
    keys = (await jeton.http.get(at["jwks_uri"])).json()["keys"]

    assert (before, revoked, after, len(keys)) == (True, 200, False, 2)


# The password grant.


async def _announces_password(jeton: Running) -> bool:
    return "password" in (await _metadata(jeton))["grant_types_supported"]


@pytest.mark.requirement("H04", "P1")
async def test_the_password_grant_is_announced_only_where_some_client_may_use_it(jeton: Running) -> None:
    before = await _announces_password(jeton)
    app = jeton.add_client(grant_types=frozenset({"password"}))
    while_there_is_one = await _announces_password(jeton)
    jeton.set_client(app.client_id, grant_types=frozenset({"refresh_token"}))

    assert (before, while_there_is_one, await _announces_password(jeton)) == (False, True, False)


@pytest.mark.requirement("H04", "P1")
async def test_a_disabled_client_does_not_make_the_password_grant_announced(jeton: Running) -> None:
    app = jeton.add_client()
    assert await _announces_password(jeton)

    jeton.set_client(app.client_id, disabled=True)

    assert not await _announces_password(jeton)


@pytest.mark.requirement("H04", "P1")
async def test_the_password_grant_is_not_announced_where_it_is_switched_off(start: StartServer) -> None:
    jeton = await start(GRANTS__PASSWORD="false")
    jeton.add_client()

    assert not await _announces_password(jeton)


@pytest.mark.requirement("H04")
@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
async def test_each_announced_method_authenticates_at_each_endpoint(jeton: Running, method: str) -> None:
    app = jeton.add_client(auth_methods=frozenset({method}))
    at = await _metadata(jeton)

    for endpoint in ("token", "revocation", "introspection"):
        assert method in at[f"{endpoint}_endpoint_auth_methods_supported"]
        response = await _post_nothing(jeton, at[f"{endpoint}_endpoint"], app, method)
        assert (response.status_code, response.json()["error"]) == (400, "invalid_request")


async def _post_nothing(jeton: Running, url: str, app: App, method: str) -> httpx2.Response:
    """A request with nothing in it but credentials: a client that they convince hears what is missing."""
    assert app.secret is not None
    if method == "client_secret_basic":
        return await jeton.post(url, app)
    return await jeton.post(url, None, client_id=app.client_id, client_secret=app.secret)
