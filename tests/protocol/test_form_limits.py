"""What a form endpoint does not take: too much, compressed, by another method, at another path (RFC 9110 15.5)."""

import gzip
import zlib
from collections.abc import AsyncIterator

import httpx2
import pytest

from jeton.http.form_parsing import MAX_BYTES
from support.in_process_server import App, Running

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
GRANT = b"grant_type=client_credentials"
FULL = GRANT + b"&pad=" + b"x" * (MAX_BYTES - len(GRANT) - 5)


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    """The form of a request is none of the database's business: one kind will do."""
    return sqlite_url


@pytest.fixture
def app(jeton: Running) -> App:
    return jeton.add_client()


def credentials(app: App) -> tuple[str, str]:
    assert app.auth is not None
    return app.auth


async def send(
    jeton: Running, app: App, content: bytes | AsyncIterator[bytes], headers: dict[str, str] | None = None
) -> httpx2.Response:
    return await jeton.http.post("/oauth/token", content=content, headers=FORM | (headers or {}), auth=credentials(app))


async def in_pieces(body: bytes, size: int = 1000) -> AsyncIterator[bytes]:
    """Sent without a Content-Length."""
    for start in range(0, len(body), size):
        yield body[start : start + size]


@pytest.mark.requirement("A54")
async def test_a_body_of_the_greatest_length_is_read(jeton: Running, app: App) -> None:
    assert (await send(jeton, app, FULL)).status_code == 200


@pytest.mark.requirement("A54")
@pytest.mark.parametrize("size", [1, 7, 1000, MAX_BYTES])
async def test_a_body_may_come_in_pieces(jeton: Running, app: App, size: int) -> None:
    assert (await send(jeton, app, in_pieces(GRANT + b"&scope=read", size))).json()["scope"] == "read"


@pytest.mark.requirement("A54", "O16", "O20")
async def test_a_longer_body_is_413(jeton: Running, app: App) -> None:
    response = await send(jeton, app, FULL + b"x")

    assert (response.status_code, response.json()["error"]) == (413, "invalid_request")
    assert response.headers["cache-control"] == "no-store"


@pytest.mark.requirement("A54", "O16", "O20")
async def test_a_longer_body_without_content_length_is_413_and_not_read_to_its_end(jeton: Running, app: App) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while sent < 1000 * MAX_BYTES:
            sent += 1024
            yield b"x" * 1024

    response = await send(jeton, app, endless())

    assert (response.status_code, response.json()["error"]) == (413, "invalid_request")
    assert sent <= MAX_BYTES + 2 * 1024


@pytest.mark.requirement("A54", "O16", "O20")
@pytest.mark.parametrize("length", [str(MAX_BYTES + 1), "9" * 40, "-1", "x", "0x10", "\u00b2"])
async def test_a_declared_length_that_is_too_great_or_none_is_413(jeton: Running, app: App, length: str) -> None:
    request = jeton.http.build_request("POST", "/oauth/token", content=in_pieces(GRANT), headers=FORM)
    request.headers.update([(b"Content-Length", length.encode("latin-1"))])

    response = await jeton.http.send(request, auth=credentials(app))

    assert (response.status_code, response.json()["error"]) == (413, "invalid_request")


@pytest.mark.requirement("A54")
async def test_a_declared_length_is_not_believed(jeton: Running, app: App) -> None:
    request = jeton.http.build_request("POST", "/oauth/token", content=in_pieces(FULL + b"x"), headers=FORM)
    request.headers["Content-Length"] = "10"

    assert (await jeton.http.send(request, auth=credentials(app))).status_code == 413


@pytest.mark.requirement("A54", "O16")
@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd", "GZIP", "identity, gzip", "x"])
async def test_a_compressed_body_is_refused(jeton: Running, app: App, coding: str) -> None:
    body = {"gzip": gzip.compress(GRANT), "deflate": zlib.compress(GRANT)}.get(coding, GRANT)

    response = await send(jeton, app, body, {"Content-Encoding": coding})

    assert (response.status_code, response.json()["error"]) == (415, "invalid_request")


@pytest.mark.parametrize("coding", ["identity", "Identity"])
async def test_a_body_that_says_it_is_not_compressed_is_read(jeton: Running, app: App, coding: str) -> None:
    assert (await send(jeton, app, GRANT, {"Content-Encoding": coding})).status_code == 200


@pytest.mark.requirement("A12", "O15", "O20")
@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE", "CONNECT"])
async def test_any_other_method_is_405_and_told_what_is_allowed(jeton: Running, app: App, method: str) -> None:
    response = await jeton.http.request(method, "/oauth/token", content=GRANT, headers=FORM, auth=credentials(app))

    assert response.status_code == 405
    assert "POST" in [word.strip() for word in response.headers["allow"].split(",")]
    assert "GET" not in response.headers["allow"]


@pytest.mark.requirement("A12")
async def test_a_refused_method_is_answered_like_any_other_error(jeton: Running) -> None:
    response = await jeton.http.get("/oauth/token")

    assert response.json()["error"] == "invalid_request"
    assert response.headers["content-type"] == "application/json"
    assert response.headers["cache-control"] == "no-store"


@pytest.mark.requirement("I15", "K08")
@pytest.mark.parametrize("path", ["/oauth/token/", "/oauth/revoke/", "/oauth/introspect/", "//oauth/token"])
async def test_a_request_with_credentials_is_never_redirected(jeton: Running, app: App, path: str) -> None:
    response = await jeton.http.post(f"http://127.0.0.1:8000{path}", content=GRANT, headers=FORM, auth=credentials(app))

    assert response.status_code == 404
    assert "location" not in response.headers
