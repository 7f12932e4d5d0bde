"""Form requests (RFC 6749 section 3.2, RFC 9110 section 15.5): where parameters may be, their size and their coding."""

import gzip
import zlib
from collections.abc import AsyncIterator
from typing import Any

import pytest

from jeton.http.form_parsing import MAX_BYTES
from support.in_process_server import App, Running, shared_server

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
GRANT = b"grant_type=client_credentials"
FULL = GRANT + b"&pad=" + b"x" * (MAX_BYTES - len(GRANT) - 5)
jeton = shared_server()


@pytest.fixture(scope="module")
def app(jeton: Running) -> App:
    return jeton.add_client(default_scope=frozenset({"read"}))


async def send(jeton: Running, app: App, query: str = "", /, **request: Any) -> tuple[int, str | None]:
    """Status and error code of a token request with these arguments of httpx."""
    assert app.auth is not None
    response = await jeton.http.post(f"/oauth/token{query}", auth=app.auth, **{"headers": FORM, **request})
    assert response.headers["cache-control"] == "no-store"
    return response.status_code, response.json().get("error")


async def in_pieces(body: bytes, size: int = 1000) -> AsyncIterator[bytes]:
    """Sent without a Content-Length."""
    for start in range(0, len(body), size):
        yield body[start : start + size]


@pytest.mark.requirement("A54", "O16", "O20")
async def test_body_may_have_the_maximum_length_in_any_pieces_and_no_more(jeton: Running, app: App) -> None:
    assert await send(jeton, app, content=FULL) == (200, None)
    assert await send(jeton, app, content=FULL + b"x") == (413, "invalid_request")
    for size in (1, 7, 1000, MAX_BYTES):
        assert await send(jeton, app, content=in_pieces(GRANT, size)) == (200, None)


@pytest.mark.requirement("A54", "O16", "O20")
async def test_endless_body_is_not_read_to_its_end(jeton: Running, app: App) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while sent < 1000 * MAX_BYTES:
            sent += 1024
            yield b"x" * 1024

    assert await send(jeton, app, content=endless()) == (413, "invalid_request")
    assert sent <= MAX_BYTES + 2 * 1024


@pytest.mark.requirement("A54", "O16", "O20")
@pytest.mark.parametrize(
    ("length", "body"),
    [*((it, GRANT) for it in (str(MAX_BYTES + 1), "9" * 40, "-1", "x", "0x10", "\u00b2")), ("10", FULL + b"x")],
)
async def test_wrong_content_length_is_413(jeton: Running, app: App, length: str, body: bytes) -> None:
    request = jeton.http.build_request("POST", "/oauth/token", content=in_pieces(body), headers=FORM)
    request.headers.update([(b"Content-Length", length.encode("latin-1"))])
    assert app.auth is not None

    response = await jeton.http.send(request, auth=app.auth)

    assert (response.status_code, response.json()["error"]) == (413, "invalid_request")


@pytest.mark.requirement("A54", "O16")
@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd", "GZIP", "identity, gzip", "x"])
async def test_compressed_body_is_refused(jeton: Running, app: App, coding: str) -> None:
    body = {"gzip": gzip.compress(GRANT), "deflate": zlib.compress(GRANT)}.get(coding, GRANT)

    assert await send(jeton, app, content=body, headers=FORM | {"Content-Encoding": coding}) == (415, "invalid_request")


@pytest.mark.requirement("A07", "A13", "A14", "A15", "A36", "A54", "A55", "O17")
@pytest.mark.parametrize(
    ("query", "request_", "status"),
    [
        pytest.param("", {"content": GRANT + b"&scope=&unknown=1"}, 200, id="form"),
        pytest.param("", {"content": GRANT + b"&audience=a&audience=b"}, 200, id="repeatable parameter"),
        pytest.param("", {"content": GRANT, "headers": FORM | {"Content-Encoding": "Identity"}}, 200, id="identity"),
        pytest.param("", {"content": GRANT + b"&" + GRANT}, 400, id="repeated parameter"),
        pytest.param("", {"content": GRANT + b"%00"}, 400, id="NUL"),
        pytest.param("", {"content": GRANT, "headers": {}}, 400, id="no content type"),
        pytest.param("", {"content": GRANT, "headers": [*FORM.items()] * 2}, 400, id="two content types"),
        pytest.param("", {"json": {"grant_type": "client_credentials"}, "headers": {}}, 400, id="JSON"),
        pytest.param("", {"files": {"grant_type": (None, GRANT[11:])}, "headers": {}}, 400, id="multipart"),
        pytest.param("?grant_type=client_credentials", {"content": b""}, 400, id="grant type in the URI"),
        pytest.param("?client_secret=x", {"content": GRANT}, 400, id="credentials in the URI"),
        pytest.param("?x=1", {"content": GRANT}, 400, id="anything in the URI"),
    ],
)
async def test_parameters_are_sent_as_a_form(
    jeton: Running, app: App, query: str, request_: dict[str, Any], status: int
) -> None:
    assert await send(jeton, app, query, **request_) == (status, None if status == 200 else "invalid_request")


@pytest.mark.requirement("A13", "A36")
@pytest.mark.parametrize("body", [b"", b"scope=read", b"grant_type=", b"grant_type=&scope=read"])
@pytest.mark.parametrize("accept", ["text/html", "application/json;q=0", "x"])
async def test_missing_grant_type_is_named_in_json(jeton: Running, app: App, body: bytes, accept: str) -> None:
    assert app.auth is not None
    response = await jeton.http.post("/oauth/token", content=body, auth=app.auth, headers=FORM | {"Accept": accept})

    assert (response.status_code, response.headers["content-type"]) == (400, "application/json")
    assert response.json()["error"] == "invalid_request"
    assert "grant_type" in response.json()["error_description"]
