"""Cross-origin requests (Fetch standard; RFC 7009 section 2.3): which pages may use the server, and how."""

from unittest.mock import AsyncMock

import httpx2
import pytest

from jeton.crypto.key_stores import KeyStoreError
from jeton.endpoints.status_lists import StatusLists
from jeton.http.cors import MAX_REQUESTED_HEADERS_BYTES
from support.in_process_server import ISSUER, App, Running, shared_server
from support.sessions import new_session

ORIGIN, OTHER = "https://app.example", "https://evil.example"
TOKEN, REVOKE, JWKS = "/oauth/token", "/oauth/revoke", "/.well-known/jwks.json"
DOCUMENTS = [
    JWKS,
    "/.well-known/oauth-authorization-server",
    "/.well-known/openid-configuration",
    "/openapi.json",
    "/oauth/status",
    "/oauth/status/0",
]
PERSONAL = ["/account", "/account/password", "/account/sessions", "/account/sessions/A", "/oauth/userinfo"]
ALLOW_ORIGIN, ALLOW_HEADERS = "access-control-allow-origin", "access-control-allow-headers"
EXPOSED = {"dpop-nonce", "retry-after", "www-authenticate"}
pytestmark = pytest.mark.requirement("BB06", "C11", "DP17", "I14", "O12", "OI45")
form_endpoints = pytest.mark.parametrize("path", [TOKEN, REVOKE], ids=["token", "revoke"])
jeton = shared_server()


@pytest.fixture(scope="module", autouse=True)
def spa(jeton: Running) -> App:
    jeton.add_client("other", public=True, origins=frozenset({"https://spa.other.example"}))
    return jeton.add_client("spa", public=True, origins=frozenset({ORIGIN}))


async def preflight(
    jeton: Running, path: str, origin: str | None, headers: bytes = b"idempotency-key", private_network: str = ""
) -> httpx2.Response:
    fields = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Private-Network": private_network}
    if origin:
        fields["Origin"] = origin
    request = jeton.http.build_request("OPTIONS", path, headers=fields)
    request.headers.update([(b"Access-Control-Request-Headers", headers)])
    return await jeton.http.send(request)


def words(header: str) -> set[str]:
    return {word.strip().lower() for word in header.split(",")}


def allows_nobody(response: httpx2.Response) -> bool:
    assert "origin" in words(response.headers["vary"])
    return not [name for name in response.headers if name.startswith("access-control-allow")]


@pytest.mark.parametrize(
    ("path", "methods"),
    [
        *((TOKEN, {"post"}), (REVOKE, {"post"}), ("/account", {"get", "head"}), ("/account/password", {"post"})),
        *(("/account/sessions", {"get", "head", "delete"}), ("/account/sessions/A", {"delete"})),
        ("/oauth/userinfo", {"get", "head", "post"}),
    ],
)
async def test_preflight_from_a_registered_origin_is_allowed(jeton: Running, path: str, methods: set[str]) -> None:
    response = await preflight(jeton, path, ORIGIN)

    assert (response.status_code, response.content) == (204, b"")
    assert response.headers[ALLOW_ORIGIN] == ORIGIN
    assert words(response.headers["access-control-allow-methods"]) == methods
    assert response.headers[ALLOW_HEADERS] == "idempotency-key"
    assert int(response.headers["access-control-max-age"]) > 0


@pytest.mark.parametrize("path", [TOKEN, REVOKE, *PERSONAL])
@pytest.mark.parametrize(
    "origin",
    [None, OTHER, "null", "https://app.example.evil.example", "http://app.example", "https://app.example:8443",
     "HTTPS://APP.EXAMPLE", "https://app.example/"],
)  # fmt: skip
async def test_preflight_from_another_origin_is_not_allowed(jeton: Running, path: str, origin: str | None) -> None:
    assert allows_nobody(await preflight(jeton, path, origin))


async def test_origin_of_a_disabled_client_is_not_allowed(jeton: Running) -> None:
    app = jeton.add_client("disabled", public=True, origins=frozenset({"https://disabled.example"}))
    assert not allows_nobody(await preflight(jeton, TOKEN, "https://disabled.example"))
    jeton.set_client(app.client_id, disabled=True)

    assert allows_nobody(await preflight(jeton, TOKEN, "https://disabled.example"))


@form_endpoints
@pytest.mark.parametrize(
    "origin", [None, ORIGIN, OTHER, "null", "https://spa.other.example"],
    ids=["no origin", "registered", "unknown", "null", "another client's"],
)  # fmt: skip
async def test_page_of_the_client_s_origin_may_read_every_response_and_no_other_page(
    jeton: Running, spa: App, path: str, origin: str | None
) -> None:
    headers = {"Origin": origin} if origin else {}
    # Until a client is known, pages of all registered origins may read why.
    known = [
        await jeton.post(path, spa, headers, token="garbage", grant_type="refresh_token", refresh_token="garbage"),
        await jeton.post(path, spa, headers),
    ]
    unknown = [
        await jeton.http.post(path, json={}, headers=headers),
        await jeton.post(path, spa, headers, token="x" * 40000),
        await jeton.post(path, None, headers, client_id="mistyped"),
        await jeton.http.put(path, headers=headers),
    ]

    assert [it.status_code for it in (known[1], *unknown)] == [400, 400, 413, 401, 405]
    for response in (*known, *unknown):
        readable = origin == ORIGIN or (origin == "https://spa.other.example" and response in unknown)
        assert response.headers.get(ALLOW_ORIGIN) == (origin if readable else None)
        assert "origin" in words(response.headers["vary"])
        assert "access-control-allow-credentials" not in response.headers
        if readable:
            assert words(response.headers["access-control-expose-headers"]) >= EXPOSED


@pytest.mark.parametrize("path", ["/account", "/oauth/userinfo"])
async def test_page_of_the_client_s_origin_may_read_responses_to_its_token(jeton: Running, path: str) -> None:
    scope = frozenset({"account", "openid"})
    session = await new_session(jeton, public=True, origins=frozenset({"https://personal.example"}), scope=scope)
    for origin, allowed in (("https://personal.example", True), (ORIGIN, False), (OTHER, False)):
        response = await jeton.http.get(path, headers=session.bearer | {"Origin": origin})
        assert (response.status_code, response.headers["vary"]) == (200, "Origin")
        assert response.headers.get(ALLOW_ORIGIN) == (origin if allowed else None)
        assert not allowed or words(response.headers["access-control-expose-headers"]) >= EXPOSED


async def test_no_page_may_introspect(jeton: Running) -> None:
    app = jeton.add_client("api", origins=frozenset({ORIGIN}))
    options = await preflight(jeton, "/oauth/introspect", ORIGIN)
    response = await jeton.post("/oauth/introspect", app, {"Origin": ORIGIN}, token="garbage")

    assert (options.status_code, response.status_code) == (405, 200)
    assert not [name for it in (options, response) for name in it.headers if name.startswith("access-control-allow")]


@pytest.mark.parametrize(
    "headers",
    [
        "x-requested-with",
        "sentry-trace",
        "baggage,traceparent",
        "authorization,content-type",
        "authorization,dpop",
        "a, b,\tc",
        "!#$%&'*+.^_`|~",
        "a" * MAX_REQUESTED_HEADERS_BYTES,
    ],
)
async def test_any_requested_header_is_allowed(jeton: Running, headers: str) -> None:
    for path in (TOKEN, REVOKE, JWKS, *PERSONAL):
        response = await preflight(jeton, path, ORIGIN, headers.encode())
        assert words(response.headers[ALLOW_HEADERS]) == words(headers)


@pytest.mark.parametrize(
    "headers", ["", "*, a b", "a:b", "a,,b", "a\x00", "caf\u00e9", 'a"', "a;b", "a" * (MAX_REQUESTED_HEADERS_BYTES + 1)]
)
async def test_malformed_list_of_headers_is_not_repeated(jeton: Running, headers: str) -> None:
    for path in (TOKEN, JWKS):
        response = await preflight(jeton, path, ORIGIN, headers.encode())
        assert (response.status_code, ALLOW_HEADERS in response.headers) == (204, False)


@pytest.mark.parametrize("path", [TOKEN, "/account", JWKS])
@pytest.mark.parametrize(("requested", "allowed"), [("true", "true"), ("1", None)])
async def test_page_may_reach_a_server_in_a_private_network(
    jeton: Running, path: str, requested: str, allowed: str | None
) -> None:
    response = await preflight(jeton, path, ORIGIN, private_network=requested)

    assert response.headers.get("access-control-allow-private-network") == allowed


@pytest.mark.parametrize("path", [*DOCUMENTS, "/oauth/status/99", "/.well-known/oauth-authorization-server/x", "/x"])
@pytest.mark.parametrize("origin", [OTHER, "null", "capacitor://localhost"])
async def test_any_page_may_read_public_documents_or_that_there_is_none(jeton: Running, path: str, origin: str) -> None:
    requested = b"mcp-protocol-version,traceparent"
    options = await preflight(jeton, path, origin, requested)
    got = await jeton.http.get(path, headers={"Origin": origin, "MCP-Protocol-Version": "2025-06-18"})
    posted = await jeton.http.post(path, headers={"Origin": origin})

    assert (options.status_code, options.content, options.headers[ALLOW_HEADERS]) == (204, b"", requested.decode())
    assert words(options.headers["access-control-allow-methods"]) == {"get", "head"}
    assert (got.status_code, posted.status_code) == ((200, 405) if path in DOCUMENTS else (404, posted.status_code))
    assert {"etag", "date", "age"} <= words(got.headers["access-control-expose-headers"])
    for it in (options, got, posted):
        assert it.headers[ALLOW_ORIGIN] == "*"
        assert "access-control-allow-credentials" not in it.headers


@pytest.mark.parametrize("path", DOCUMENTS)
async def test_options_without_a_preflight_names_the_methods(jeton: Running, path: str) -> None:
    response = await jeton.http.options(path)

    assert (response.status_code, words(response.headers["allow"])) == (204, {"get", "head", "options"})
    assert allows_nobody(response)


@pytest.mark.requirement("O19")
@pytest.mark.parametrize(
    ("error", "status", "code"),
    [(KeyStoreError("away"), 503, "temporarily_unavailable"), (RuntimeError("a detail"), 500, "server_error")],
)
async def test_any_page_may_read_that_a_status_list_cannot_be_signed(
    jeton: Running, monkeypatch: pytest.MonkeyPatch, error: Exception, status: int, code: str
) -> None:
    monkeypatch.setattr(StatusLists, "signed", AsyncMock(side_effect=error))
    transport = httpx2.ASGITransport(jeton.server.app, raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url=ISSUER) as http:
        response = await http.get("/oauth/status/0", headers={"Origin": OTHER})

    assert (response.status_code, response.headers[ALLOW_ORIGIN], response.json()["error"]) == (status, "*", code)
