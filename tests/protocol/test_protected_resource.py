"""Metadata of the server's own API as a protected resource (RFC 9728). Challenges: test_bearer_authentication.py."""

import re

import pytest

from support.authorization_codes import add_resource
from support.in_process_server import ISSUER, StartServer

PATH = "/.well-known/oauth-protected-resource"
MAIN = "https://id.example/realms/main"


@pytest.mark.requirement("PR01", "PR02")
async def test_document_names_what_is_set_and_leaves_out_what_is_not(start: StartServer) -> None:
    jeton = await start(PAGES__NAME="Orchard", REGISTRATION__CLIENT_ID_METADATA_DOCUMENTS="false")
    bare = await jeton.http.get(PATH)
    jeton.add_client(scope=frozenset({"account", "openid", "email", "offline_access", "internal"}))
    full = await jeton.http.get(PATH)

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
        (ISSUER, f"{ISSUER}{PATH}"),
        ("https://id.example/", f"https://id.example{PATH}"),
        (MAIN, f"https://id.example{PATH}/realms/main"),
        (MAIN + "/", f"https://id.example{PATH}/realms/main/"),
        ("https://id.example:8443/a", f"https://id.example:8443{PATH}/a"),
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

    metadata = (await jeton.http.get("/.well-known/oauth-authorization-server")).json()

    assert metadata["protected_resources"] == [ISSUER, "https://open.example/mcp"]
