"""Metadata of the server: location, content and truth (RFC 8414, OpenID Connect Discovery, RFC 9728)."""

import re
from typing import Any

import jwt
import pytest
from authlib.oauth2.rfc8414 import AuthorizationServerMetadata

from jeton.oauth.metadata import METADATA_PATHS
from jeton_client.authorization_server import AuthorizationServer
from jeton_client.messages import Answer, Request
from support.authorization_codes import add_app, add_resource, sign_in
from support.in_process_server import ISSUER, Running, StartServer

METADATA, OPENID = METADATA_PATHS
METHODS = ["client_secret_basic", "client_secret_post", "private_key_jwt"]
ALGORITHMS = ["ES256", "Ed25519", "EdDSA", "PS256", "RS256"]
MAIN = ISSUER + "/realms/main"


async def load_metadata(jeton: Running, path: str = METADATA) -> dict[str, Any]:
    response = await jeton.http.get(path)
    assert response.status_code == 200
    return dict(response.json())


@pytest.mark.requirement("H01", "H03", "H04", "H05", "DP18", "OI56")
async def test_metadata_name_every_endpoint_with_its_methods_and_are_publicly_cacheable(start: StartServer) -> None:
    jeton = await start(REGISTRATION__CLIENT_ID_METADATA_DOCUMENTS="false")
    response = await jeton.http.get(METADATA)

    assert (response.status_code, response.headers["content-type"]) == (200, "application/json")
    assert response.headers["cache-control"] == "public, max-age=300"
    assert response.headers["access-control-allow-origin"] == "*"
    assert response.json() == {
        "issuer": ISSUER,
        "token_endpoint": f"{ISSUER}/oauth/token",
        "revocation_endpoint": f"{ISSUER}/oauth/revoke",
        "introspection_endpoint": f"{ISSUER}/oauth/introspect",
        "status_list_aggregation_endpoint": f"{ISSUER}/oauth/status",
        "jwks_uri": f"{ISSUER}/.well-known/jwks.json",
        "protected_resources": [ISSUER],
        "response_types_supported": ["none"],
        "grant_types_supported": ["client_credentials", "refresh_token"],
        "token_endpoint_auth_methods_supported": [*METHODS, "none"],
        "revocation_endpoint_auth_methods_supported": [*METHODS, "none"],
        "introspection_endpoint_auth_methods_supported": METHODS,
        "token_endpoint_auth_signing_alg_values_supported": ALGORITHMS,
        "revocation_endpoint_auth_signing_alg_values_supported": ALGORITHMS,
        "introspection_endpoint_auth_signing_alg_values_supported": ALGORITHMS,
        "dpop_signing_alg_values_supported": ["ES256", "EdDSA", "Ed25519"],
    }


@pytest.mark.requirement("H02", "H03", "H04")
@pytest.mark.parametrize(
    "issuer",
    [
        *(ISSUER, MAIN, MAIN + "/", "https://ID.example", "https://id.example/", "https://id.example:8443"),
        *("https://id.example:443/a/", "http://[::1]"),
    ],
)
async def test_issuer_is_exactly_that_of_tokens_and_begins_every_address(start: StartServer, issuer: str) -> None:
    jeton = await start(SERVER__ISSUER=issuer)
    app = jeton.add_client()
    token = (await jeton.token(app, grant_type="client_credentials")).json()["access_token"]

    metadata = await load_metadata(jeton)

    AuthorizationServerMetadata(metadata).validate()
    assert metadata["issuer"] == issuer
    assert jwt.decode(token, options={"verify_signature": False})["iss"] == issuer
    assert (await jeton.introspect(app, token))["iss"] == issuer
    addresses = [value for name, value in metadata.items() if isinstance(value, str) and name != "issuer"]
    assert len(addresses) > 5
    assert [it for it in addresses if not it.startswith(issuer.rstrip("/") + "/") or "//" in it[8:]] == []


@pytest.mark.requirement("H01", "MC02", "OI50")
@pytest.mark.parametrize(
    ("issuer", "places", "elsewhere"),
    [
        (ISSUER, ["{0}"], ["{0}/realms/main", "/realms/main{0}"]),
        (ISSUER + "/", ["{0}", "{0}/"], ["{0}/x"]),
        # The bare path is for proxies that remove the issuer's path.
        (MAIN, ["{0}/realms/main", "/realms/main{0}", "{0}"], ["{0}/realms/other", "{0}/realms", "{0}/realms/main/x"]),
        (MAIN + "/", ["{0}/realms/main", "{0}/realms/main/", "/realms/main{0}"], ["/realms/other{0}"]),
    ],
    ids=["no path", "root", "path", "path with a slash"],
)
async def test_metadata_are_at_the_paths_that_clients_try_and_at_no_other(
    start: StartServer, issuer: str, places: list[str], elsewhere: list[str]
) -> None:
    jeton = await start(SERVER__ISSUER=issuer)
    jeton.add_client(scope=frozenset({"openid"}))
    expected = await load_metadata(jeton)

    for path in METADATA_PATHS:
        for place in places:
            assert await load_metadata(jeton, place.format(path)) == expected
        for place in elsewhere:
            assert (await jeton.http.get(place.format(path))).status_code == 404


@pytest.mark.requirement("H01")
async def test_client_library_finds_metadata_behind_a_proxy_for_the_issuer_s_path(start: StartServer) -> None:
    jeton = await start(SERVER__ISSUER=MAIN)
    operation = AuthorizationServer(MAIN).metadata()
    next(operation)

    second = operation.send(Answer(404, {}, b"the proxy's page"))
    assert isinstance(second, Request)
    assert second.url.startswith(MAIN + "/")
    answer = await jeton.http.get(second.url)
    with pytest.raises(StopIteration) as found:
        operation.send(Answer(answer.status_code, {}, answer.content))

    assert found.value.value.token_endpoint == f"{MAIN}/oauth/token"


# What is offered.


async def announces_password(jeton: Running) -> bool:
    return "password" in (await load_metadata(jeton))["grant_types_supported"]


@pytest.mark.both_databases
@pytest.mark.requirement("H03", "H04", "P1")
@pytest.mark.parametrize("change", [{"grant_types": frozenset()}, {"disabled": True}], ids=["grant lost", "disabled"])
async def test_password_grant_is_announced_while_some_client_may_use_it(jeton: Running, change: dict[str, Any]) -> None:
    app = jeton.add_client(grant_types=frozenset({"password"}), scope=frozenset())
    assert await announces_password(jeton)

    jeton.set_client(app.client_id, **change)

    assert not await announces_password(jeton)
    assert [name for name, value in (await load_metadata(jeton)).items() if value in ([], "", None)] == []


# OpenID Connect Discovery: what is announced is complete and true, and nothing else is.


async def load_openid(jeton: Running) -> dict[str, Any]:
    jeton.shared_state.refresh()
    return await load_metadata(jeton, OPENID)


@pytest.mark.requirement("OI51", "OI55")
async def test_scopes_and_claims_are_those_that_some_client_can_have(start: StartServer) -> None:
    jeton = await start(REGISTRATION__CLIENT_ID_METADATA_DOCUMENTS="false")
    add_app(jeton, scope=frozenset({"openid", "email", "internal"}))

    found = await load_openid(jeton)

    assert found["scopes_supported"] == ["openid", "email"]
    assert {"sub", "auth_time", "email", "email_verified"} <= set(found["claims_supported"])
    assert "name" not in found["claims_supported"]
    add_app(jeton, "other", scope=frozenset({"openid", "profile"}))
    found = await load_openid(jeton)
    assert found["scopes_supported"] == ["openid", "profile", "email"]
    assert "name" in found["claims_supported"]


async def test_announced_claims_are_released(jeton: Running) -> None:
    app = add_app(jeton, scope=frozenset({"openid", "profile", "email"}))
    alice = sign_in(jeton)
    tokens = await alice.redeemed(app, await alice.code(app, scope=frozenset({"openid", "profile", "email"})))
    found = await load_openid(jeton)

    headers = {"Authorization": f"Bearer {tokens['access_token']}"}
    claims = (await jeton.http.get(found["userinfo_endpoint"], headers=headers)).json()

    assert set(claims) <= set(found["claims_supported"])


# The server's own API as a protected resource (RFC 9728). Challenges: test_bearer_authentication.py.

PROTECTED = "/.well-known/oauth-protected-resource"
TENANT = "https://id.example/realms/main"


@pytest.mark.requirement("PR01", "PR02")
async def test_document_has_only_members_that_are_configured(start: StartServer) -> None:
    jeton = await start(PAGES__NAME="Orchard", REGISTRATION__CLIENT_ID_METADATA_DOCUMENTS="false")
    bare = await jeton.http.get(PROTECTED)
    jeton.add_client(scope=frozenset({"account", "openid", "email", "offline_access", "internal"}))
    full = await jeton.http.get(PROTECTED)

    assert (bare.status_code, bare.headers["content-type"]) == (200, "application/json")
    assert bare.headers["access-control-allow-origin"] == "*"
    assert bare.json() == {
        "resource": ISSUER,
        "authorization_servers": [ISSUER],
        "bearer_methods_supported": ["header"],
        "dpop_signing_alg_values_supported": ["ES256", "EdDSA", "Ed25519"],
        "resource_name": "Orchard",
    }
    assert full.json() == bare.json() | {"scopes_supported": ["account", "openid", "email"]}


@pytest.mark.requirement("PR01", "PR03")
@pytest.mark.parametrize(
    ("issuer", "place"),
    [
        (ISSUER, f"{ISSUER}{PROTECTED}"),
        ("https://id.example/", f"https://id.example{PROTECTED}"),
        (TENANT, f"https://id.example{PROTECTED}/realms/main"),
        (TENANT + "/", f"https://id.example{PROTECTED}/realms/main/"),
        ("https://id.example:8443/a", f"https://id.example:8443{PROTECTED}/a"),
    ],
)
async def test_challenge_leads_to_the_document_of_an_issuer(start: StartServer, issuer: str, place: str) -> None:
    jeton = await start(SERVER__ISSUER=issuer)

    for path in ("/account", "/oauth/userinfo"):
        challenge = (await jeton.http.get(path)).headers["www-authenticate"]
        assert re.findall('resource_metadata="(.*?)"', challenge) == [place]

    assert (await jeton.http.get(place)).json()["resource"] == issuer


@pytest.mark.requirement("PR04")
async def test_server_metadata_announce_the_own_api_and_open_resources_only(start: StartServer) -> None:
    jeton = await start()
    add_resource(jeton, "https://open.example/mcp", open=True)
    add_resource(jeton, "https://internal.example/mcp")

    metadata = await load_metadata(jeton)

    assert metadata["protected_resources"] == [ISSUER, "https://open.example/mcp"]
