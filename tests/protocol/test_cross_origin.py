"""Cross-origin requests (Fetch standard; RFC 7009 section 2.3): which pages may use the server, and how."""

import httpx2
import pytest

from jeton.crypto.key_stores import KeyStoreError
from jeton.endpoints.status_lists import StatusLists
from jeton.http.cors import MAX_REQUESTED_HEADERS_BYTES
from support.in_process_server import ISSUER, App, Running

ORIGIN = "https://app.example"
OTHER = "https://evil.example"
TOKEN = "/oauth/token"
REVOKE = "/oauth/revoke"
DOCUMENTS = [
    "/.well-known/jwks.json",
    "/.well-known/oauth-authorization-server",
    "/.well-known/openid-configuration",
    "/openapi.json",
    "/oauth/status",
    "/oauth/status/0",
]


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    """One kind of database will do: origins are the same words in either."""
    return sqlite_url


everywhere = pytest.mark.parametrize("path", [TOKEN, REVOKE], ids=["token", "revoke"])


def _spa(jeton: Running, client_id: str = "spa", origin: str = ORIGIN) -> App:
    return jeton.add_client(client_id, public=True, origins=frozenset({origin}))


async def _preflight(
    jeton: Running, path: str, origin: str | None, headers: str | None = "idempotency-key", **more: str
) -> httpx2.Response:
    sent = {"Access-Control-Request-Method": "POST", **({"Origin": origin} if origin else {})} | more
    if headers is not None:
        sent["Access-Control-Request-Headers"] = headers
    return await jeton.http.options(path, headers=sent)


def _words(header: str) -> set[str]:
    return {word.strip().lower() for word in header.split(",")}


def _lets_nobody_in(response: httpx2.Response) -> bool:
    return not [name for name in response.headers if name.startswith("access-control-allow")]


@everywhere
@pytest.mark.requirement("C11", "I14", "O12")
async def test_a_preflight_from_a_registered_origin_is_let_in(jeton: Running, path: str) -> None:
    _spa(jeton)

    response = await _preflight(jeton, path, ORIGIN)

    assert (response.status_code, response.content) == (204, b"")
    assert response.headers["access-control-allow-origin"] == ORIGIN
    assert _words(response.headers["access-control-allow-methods"]) == {"post"}
    assert response.headers["access-control-allow-headers"] == "idempotency-key"
    assert int(response.headers["access-control-max-age"]) > 0


@everywhere
@pytest.mark.requirement("C11", "I14", "O12")
@pytest.mark.parametrize(
    "origin",
    [None, OTHER, "null", "https://app.example.evil.example", "http://app.example", "https://app.example:8443",
     "HTTPS://APP.EXAMPLE", "https://app.example/"],
)  # fmt: skip
async def test_a_preflight_from_any_other_origin_is_not(jeton: Running, path: str, origin: str | None) -> None:
    _spa(jeton)

    assert _lets_nobody_in(await _preflight(jeton, path, origin))


@pytest.mark.requirement("C11", "O12")
async def test_an_origin_is_let_in_no_more_when_its_client_is_disabled(jeton: Running) -> None:
    app = _spa(jeton)
    jeton.set_client(app.client_id, disabled=True)

    assert _lets_nobody_in(await _preflight(jeton, TOKEN, ORIGIN))


@pytest.mark.requirement("C11", "I14")
async def test_a_page_may_log_in_refresh_and_revoke(jeton: Running) -> None:
    app, headers = _spa(jeton), {"Origin": ORIGIN}
    jeton.add_user()
    tokens = await jeton.log_in(app)

    refreshed = await jeton.token(app, headers, grant_type="refresh_token", refresh_token=tokens["refresh_token"])
    revoked = await jeton.post(REVOKE, app, headers, token=refreshed.json()["refresh_token"])

    assert [refreshed.status_code, revoked.status_code] == [200, 200]
    assert [it.headers["access-control-allow-origin"] for it in (refreshed, revoked)] == [ORIGIN, ORIGIN]


@everywhere
@pytest.mark.requirement("C11", "O12")
async def test_a_page_may_read_why_it_was_refused(jeton: Running, path: str) -> None:
    app = _spa(jeton)

    response = await jeton.post(path, app, {"Origin": ORIGIN})

    assert (response.status_code, response.json()["error"]) == (400, "invalid_request")
    assert response.headers["access-control-allow-origin"] == ORIGIN
    assert {"retry-after", "www-authenticate"} <= _words(response.headers["access-control-expose-headers"])


@everywhere
@pytest.mark.requirement("C11", "O12")
async def test_a_page_may_read_that_its_client_is_unknown(jeton: Running, path: str) -> None:
    _spa(jeton)

    response = await jeton.post(path, None, {"Origin": ORIGIN}, client_id="mistyped")

    assert (response.status_code, response.headers["access-control-allow-origin"]) == (401, ORIGIN)


@everywhere
@pytest.mark.requirement("C11", "I14", "O12")
@pytest.mark.parametrize("origin", [OTHER, "null", "https://spa.other.example"], ids=["unknown", "null", "another's"])
async def test_a_page_of_another_origin_may_not_read_what_a_client_is_told(
    jeton: Running, path: str, origin: str
) -> None:
    app = _spa(jeton)
    _spa(jeton, "other", "https://spa.other.example")

    assert _lets_nobody_in(await jeton.post(path, app, {"Origin": origin}))


@everywhere
@pytest.mark.requirement("C11", "O12")
@pytest.mark.parametrize("origin", [None, ORIGIN, OTHER], ids=["no origin", "registered", "unknown"])
@pytest.mark.parametrize("request_", ["preflight", "good", "malformed", "unauthenticated", "too long", "no form"])
async def test_every_answer_says_that_it_depends_on_the_origin_and_never_allows_cookies(
    jeton: Running, path: str, origin: str | None, request_: str
) -> None:
    app = _spa(jeton)
    headers = {"Origin": origin} if origin else {}

    if request_ == "preflight":
        response = await _preflight(jeton, path, origin)
    elif request_ == "no form":
        response = await jeton.http.post(path, json={}, headers=headers)
    else:
        form = {"malformed": {}, "too long": {"token": "x" * 40000}}.get(request_, {"token": "garbage"})
        response = await jeton.post(path, None if request_ == "unauthenticated" else app, headers, **form)

    assert "origin" in _words(response.headers["vary"])
    assert "access-control-allow-credentials" not in response.headers
    assert response.headers.get("access-control-allow-origin") == (ORIGIN if origin == ORIGIN else None)


@pytest.mark.requirement("I14", "O12")
async def test_no_page_may_introspect(jeton: Running) -> None:
    app = jeton.add_client(origins=frozenset({ORIGIN}))

    preflight = await _preflight(jeton, "/oauth/introspect", ORIGIN)
    response = await jeton.post("/oauth/introspect", app, {"Origin": ORIGIN}, token="garbage")

    assert (preflight.status_code, response.status_code) == (405, 200)
    assert _lets_nobody_in(preflight)
    assert _lets_nobody_in(response)


# What pages, and the libraries in them, send along.


@everywhere
@pytest.mark.requirement("C11", "O12")
@pytest.mark.parametrize(
    "headers",
    [
        "x-requested-with",
        "sentry-trace",
        "baggage,traceparent",
        "authorization,content-type",
        "a, b,\tc",
        "!#$%&'*+.^_`|~",
    ],
)
async def test_a_registered_origin_may_send_whatever_header_it_asks_for(
    jeton: Running, path: str, headers: str
) -> None:
    _spa(jeton)

    allowed = (await _preflight(jeton, path, ORIGIN, headers)).headers["access-control-allow-headers"]

    assert _words(allowed) == _words(headers)


@pytest.mark.requirement("O12")
@pytest.mark.parametrize("path", [TOKEN, "/.well-known/jwks.json"])
@pytest.mark.parametrize(
    "headers", ["", "*, a b", "a:b", "a,,b", "a\x00", "caf\u00e9", 'a"', "a;b", "a" * (MAX_REQUESTED_HEADERS_BYTES + 1)]
)
async def test_what_is_no_list_of_header_names_is_not_repeated(jeton: Running, path: str, headers: str) -> None:
    _spa(jeton)
    asked = {"Access-Control-Request-Method": "POST", "Origin": ORIGIN}
    request = jeton.http.build_request("OPTIONS", path, headers=asked)
    request.headers.update([(b"Access-Control-Request-Headers", headers.encode())])

    response = await jeton.http.send(request)

    assert response.status_code == 204
    assert "access-control-allow-headers" not in response.headers


@pytest.mark.requirement("O12")
async def test_the_longest_list_of_headers_is_allowed(jeton: Running) -> None:
    headers = "a" * MAX_REQUESTED_HEADERS_BYTES

    response = await _preflight(jeton, DOCUMENTS[0], OTHER, headers)

    assert response.headers["access-control-allow-headers"] == headers


@pytest.mark.requirement("O12")
@pytest.mark.parametrize("path", [TOKEN, "/account", "/.well-known/jwks.json"])
@pytest.mark.parametrize(("asked", "told"), [("true", "true"), ("1", None)])
async def test_a_page_may_reach_a_server_of_a_private_network(
    jeton: Running, path: str, asked: str, told: str | None
) -> None:
    _spa(jeton)

    response = await _preflight(jeton, path, ORIGIN, **{"Access-Control-Request-Private-Network": asked})

    assert response.headers.get("access-control-allow-private-network") == told


# Public documents.


@pytest.mark.requirement("I14", "O12")
@pytest.mark.parametrize("path", DOCUMENTS)
async def test_public_documents_are_readable_from_anywhere(jeton: Running, path: str) -> None:
    response = await jeton.http.get(path, headers={"Origin": OTHER})

    assert response.headers["access-control-allow-origin"] == "*"
    assert {"etag", "date", "age"} <= _words(response.headers["access-control-expose-headers"])
    assert "access-control-allow-credentials" not in response.headers


@pytest.mark.requirement("O12")
@pytest.mark.parametrize("path", [*DOCUMENTS, "/oauth/status/99", "/.well-known/oauth-authorization-server/x", "/x"])
@pytest.mark.parametrize("origin", [OTHER, "null", "capacitor://localhost"])
async def test_any_page_may_ask_for_public_documents_with_any_header_and_read_that_there_is_none(
    jeton: Running, path: str, origin: str
) -> None:
    preflight = await _preflight(jeton, path, origin, "mcp-protocol-version,traceparent")
    response = await jeton.http.get(path, headers={"Origin": origin, "MCP-Protocol-Version": "2025-06-18"})

    assert (preflight.status_code, preflight.content) == (204, b"")
    assert preflight.headers["access-control-allow-headers"] == "mcp-protocol-version,traceparent"
    assert _words(preflight.headers["access-control-allow-methods"]) == {"get", "head"}
    assert response.status_code == (200 if path in DOCUMENTS else 404)
    for it in (preflight, response):
        assert it.headers["access-control-allow-origin"] == "*"
        assert "access-control-allow-credentials" not in it.headers


@pytest.mark.requirement("O12")
@pytest.mark.parametrize("path", DOCUMENTS)
async def test_options_without_a_preflight_names_the_methods(jeton: Running, path: str) -> None:
    response = await jeton.http.options(path)

    assert (response.status_code, _words(response.headers["allow"])) == (204, {"get", "head", "options"})
    assert _lets_nobody_in(response)


# Errors of the path itself.


@pytest.mark.requirement("O12")
@pytest.mark.parametrize("path", [TOKEN, REVOKE, "/account", "/account/sessions"])
async def test_a_page_may_read_that_a_method_is_not_offered(jeton: Running, path: str) -> None:
    _spa(jeton)

    readable, hidden = [await jeton.http.put(path, headers={"Origin": origin}) for origin in (ORIGIN, OTHER)]

    assert (readable.status_code, hidden.status_code) == (405, 405)
    assert readable.headers["access-control-allow-origin"] == ORIGIN
    assert _lets_nobody_in(hidden)


@pytest.mark.requirement("O12")
@pytest.mark.parametrize("path", DOCUMENTS)
async def test_any_page_may_read_that_a_document_is_only_read(jeton: Running, path: str) -> None:
    response = await jeton.http.post(path, headers={"Origin": OTHER})

    assert (response.status_code, response.headers["access-control-allow-origin"]) == (405, "*")


@pytest.mark.requirement("O12", "O19")
@pytest.mark.parametrize(("error", "status"), [(KeyStoreError("away"), 503), (RuntimeError("a detail"), 500)])
async def test_any_page_may_read_that_a_status_list_cannot_be_made(
    jeton: Running, monkeypatch: pytest.MonkeyPatch, error: Exception, status: int
) -> None:
    async def fail(_: object, __: str) -> None:
        raise error

    monkeypatch.setattr(StatusLists, "signed", fail)
    transport = httpx2.ASGITransport(jeton.server.app, raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url=ISSUER) as http:
        response = await http.get("/oauth/status/0", headers={"Origin": OTHER})

    assert (response.status_code, response.headers["access-control-allow-origin"]) == (status, "*")
    assert response.json()["error"] == {503: "temporarily_unavailable", 500: "server_error"}[status]
