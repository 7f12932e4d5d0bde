"""Methods, unknown paths and security headers (RFC 9110, ASVS 3.4 and 13.4)."""

import httpx2
import pytest

from jeton.http.outermost_middleware import ANSWERS_PER_CLOSED_CONNECTION
from support.in_process_server import Running, StartServer, shared_server
from support.sessions import unique_name

METADATA = "/.well-known/oauth-authorization-server"
DOCUMENTS = ["/.well-known/jwks.json", METADATA, "/.well-known/openid-configuration", "/openapi.json"]
METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"}
ALLOWED = (
    {path: {"GET", "HEAD", "OPTIONS"} for path in DOCUMENTS}
    | {path: {"GET", "HEAD"} for path in ("/livez", "/readyz")}
    | {
        "/oauth/token": {"POST", "OPTIONS"},
        "/oauth/revoke": {"POST", "OPTIONS"},
        "/oauth/introspect": {"POST"},
        "/oauth/par": {"POST", "OPTIONS"},
        "/account": {"GET", "HEAD", "OPTIONS"},
        "/account/password": {"POST", "OPTIONS"},
        "/account/sessions": {"GET", "HEAD", "DELETE", "OPTIONS"},
        "/account/sessions/AAAAAAAAAAAAAAAAAAAAAA": {"DELETE", "OPTIONS"},
    }
)
jeton = shared_server()


@pytest.mark.requirement("A12", "C02", "D02", "K01", "O15", "O20", "PA01")
@pytest.mark.parametrize("path", ALLOWED)
async def test_other_methods_are_refused_and_the_allowed_ones_named(jeton: Running, path: str) -> None:
    for method in METHODS - ALLOWED[path]:
        response = await jeton.http.request(method, path)

        assert (response.status_code, response.headers["content-type"]) == (405, "application/json"), method
        assert {word.strip() for word in response.headers["allow"].split(",")} == ALLOWED[path]
        assert response.headers["cache-control"] == "no-store"
        if method != "HEAD":
            assert response.json().keys() == {"error", "error_description"}
            assert response.json()["error"] == "invalid_request"


@pytest.mark.requirement("A54", "O15", "O19")
@pytest.mark.parametrize(
    "path",
    ["/nowhere", "/oauth", "/oauth/", "/oauth/token/x", "/docs", "/metrics", "/admin", "/.git/config",
     "/.well-known/openid-federation"],
)  # fmt: skip
async def test_unknown_path_is_404_and_not_repeated(jeton: Running, path: str) -> None:
    response = await jeton.http.get(path)

    assert (response.status_code, response.headers["content-type"]) == (404, "application/json")
    assert response.json().keys() == {"error", "error_description"}
    assert path not in response.text
    assert response.headers["cache-control"] == "no-store"


@pytest.mark.requirement("PG01", "PG12")
async def test_unknown_path_is_a_page_for_people(jeton: Running) -> None:
    asked = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8", "Accept-Language": "de"}
    response = await jeton.http.get("/nowhere", headers=asked)

    assert (response.status_code, response.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert "Diese Seite gibt es nicht." in response.text
    assert "Kennung" not in response.text
    assert response.headers["cache-control"] == "no-store"
    assert "frame-ancestors 'none'" in response.headers["content-security-policy"]
    post = await jeton.http.post("/oauth/nowhere", headers={"Accept": "application/json, text/plain, */*"})
    assert (post.status_code, post.headers["content-type"]) == (404, "application/json")


@pytest.mark.parametrize("path", [*DOCUMENTS, "/livez", "/readyz"])
async def test_head_has_the_headers_of_get(jeton: Running, path: str) -> None:
    same = {"X-Request-Id": "request-1"}
    head, get = await jeton.http.head(path, headers=same), await jeton.http.get(path, headers=same)

    assert (head.status_code, dict(head.headers)) == (200, dict(get.headers))


@pytest.mark.requirement("I15", "K08")
@pytest.mark.parametrize("path", ["/oauth/token/", "/oauth/revoke/", "//oauth/token", "/oauth/introspect/"])
async def test_request_with_credentials_is_never_redirected(jeton: Running, path: str) -> None:
    url = f"http://127.0.0.1:8000{path}"
    response = await jeton.post(url, jeton.add_client(unique_name()), grant_type="client_credentials", token="garbage")

    assert response.status_code == 404
    assert "location" not in response.headers


async def one_response_of_each_kind(jeton: Running) -> dict[str, httpx2.Response]:
    app = jeton.add_client(unique_name())
    etag = (await jeton.http.get(DOCUMENTS[0])).headers["etag"]
    documents = {path: await jeton.http.get(path) for path in [*DOCUMENTS, "/livez", "/readyz"]}
    return documents | {
        "tokens": await jeton.token(app, grant_type="client_credentials"),
        "revoked": await jeton.revoke(app, "garbage"),
        "introspected": await jeton.post("/oauth/introspect", app, token="garbage"),
        "refused": await jeton.token(app),
        "unauthenticated": await jeton.token(None),
        "preflight": await jeton.http.options("/oauth/token"),
        "not modified": await jeton.http.get(DOCUMENTS[0], headers={"If-None-Match": etag}),
        "not found": await jeton.http.get("/nowhere"),
        "not allowed": await jeton.http.get("/oauth/token"),
    }


@pytest.mark.requirement("A08", "O11", "O12", "O15")
@pytest.mark.parametrize("issuer", ["https://id.example", "http://127.0.0.1:8000"])
async def test_every_response_has_the_security_headers_and_reveals_nothing_else(
    start: StartServer, issuer: str
) -> None:
    responses = await one_response_of_each_kind(await start(SERVER__ISSUER=issuer))

    for kind, response in responses.items():
        headers = response.headers
        assert headers["x-content-type-options"] == "nosniff", kind
        assert {"default-src 'none'", "frame-ancestors 'none'"} <= set(headers["content-security-policy"].split("; "))
        assert headers["referrer-policy"] == "no-referrer"
        hsts = "max-age=31536000" if issuer.startswith("https:") else None
        assert headers.get("strict-transport-security") == hsts, kind
        assert {"server", "x-powered-by", "via", "set-cookie"}.isdisjoint(headers.keys()), kind


async def test_connections_are_closed_occasionally_so_that_workers_share_the_load(start: StartServer) -> None:
    jeton = await start()
    answers = [await jeton.http.post("/oauth/token") for _ in range(ANSWERS_PER_CLOSED_CONNECTION)]

    closing = [answer.headers.get("connection") == "close" for answer in answers]

    assert closing == [*[False] * (ANSWERS_PER_CLOSED_CONNECTION - 1), True]
