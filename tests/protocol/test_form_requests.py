"""Form requests (RFC 6749 section 3.2, RFC 9110 section 15.5): where parameters may be, their size and their coding."""

import gzip
import zlib
from collections.abc import AsyncIterator
from typing import Any

import pytest

from jeton.http.form_parsing import MAX_BYTES, REPEATABLE, check_media_type, parse_form
from jeton.oauth.errors import OAuthError
from support.in_process_server import App, Running, shared_server

MEDIA_TYPE = "application/x-www-form-urlencoded"
FORM = {"Content-Type": MEDIA_TYPE}
GRANT = b"grant_type=client_credentials"
FULL = GRANT + b"&pad=" + b"x" * (MAX_BYTES - len(GRANT) - 5)
CODED = [("gzip", gzip.compress(GRANT)), ("deflate", zlib.compress(GRANT))]
CODED += [(it, GRANT) for it in ("br", "zstd", "GZIP", "identity, gzip", "x")]
jeton = shared_server()


@pytest.fixture(scope="module")
def app(jeton: Running) -> App:
    return jeton.add_client(default_scope=frozenset({"read"}))


async def send(jeton: Running, app: App, query: str = "", /, **request: Any) -> tuple[int, str | None]:
    """Send a token request with these arguments of httpx. Return status and error code."""
    assert app.auth is not None
    response = await jeton.http.post(f"/oauth/token{query}", auth=app.auth, **{"headers": FORM, **request})
    assert response.headers["cache-control"] == "no-store"
    return response.status_code, response.json().get("error")


async def in_pieces(body: bytes, size: int = 1000) -> AsyncIterator[bytes]:
    """Yield the body in pieces, so that it is sent without a Content-Length."""
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


@pytest.mark.requirement("A07", "A13", "A14", "A15", "A36", "A54", "A55", "O16", "O17")
@pytest.mark.parametrize(
    ("query", "request_", "status"),
    [
        pytest.param("", {"content": GRANT + b"&scope=&unknown=1"}, 200, id="form"),
        pytest.param("", {"content": GRANT + b"&audience=a&audience=b"}, 200, id="repeatable parameter"),
        pytest.param("", {"content": GRANT, "headers": FORM | {"Content-Encoding": "Identity"}}, 200, id="identity"),
        *(
            pytest.param("", {"content": body, "headers": FORM | {"Content-Encoding": coding}}, 415, id=coding)
            for coding, body in CODED
        ),
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


# Parsing (appendix B): what is ambiguous is refused, not guessed.


@pytest.mark.requirement("A13", "A14", "A54", "A55", "O17")
@pytest.mark.parametrize(
    ("body", "parameters"),
    [
        ("", {}),
        ("&&a=1&&", {"a": "1"}),
        ("a=", {}),
        ("a", {}),
        ("a=b=c", {"a": "b=c"}),
        ("a=b;scope=write", {"a": "b;scope=write"}),
        ("a=read+write", {"a": "read write"}),
        ("a=read%20write", {"a": "read write"}),
        ("%73cope=%77rite", {"scope": "write"}),
        ("Scope=a&scope%5B%5D=b&scope=c", {"Scope": "a", "scope[]": "b", "scope": "c"}),
        ("name=%C3%A9%E4%B8%AD%F0%9F%98%80", {"name": "\u00e9\u4e2d\U0001f600"}),
        ("&".join(f"x{n}=1" for n in range(32)), {f"x{n}": "1" for n in range(32)}),
    ],
)
def test_well_formed_body_is_parsed(body: str, parameters: dict[str, str]) -> None:
    assert parse_form(body.encode()) == (parameters, {})


@pytest.mark.requirement("A15", "A36", "A54", "A55", "O17")
@pytest.mark.parametrize(
    ("body", "reason"),
    [
        pytest.param(b"a=1&a=1", "more than once", id="the same twice"),
        pytest.param(b"a=1&a=2", "more than once", id="two values"),
        pytest.param(b"a=&a=1", "more than once", id="one of them empty"),
        pytest.param(b"scope=1&%73cope=2", "more than once", id="one of them escaped"),
        pytest.param(b"resource=a&scope=x&resource=b&scope=y", "more than once", id="beside a repeatable one"),
        pytest.param(b"Resource=a&Resource=b", "more than once", id="like a repeatable one"),
        pytest.param(b"a=%FF", "UTF-8", id="no UTF-8"),
        pytest.param(b"a=%E9", "UTF-8", id="Latin-1, escaped"),
        pytest.param(b"a=%C3%28", "UTF-8", id="UTF-8 cut short"),
        pytest.param(b"a=%C0%AF", "UTF-8", id="overlong UTF-8"),
        pytest.param(b"a=%ED%A0%80", "UTF-8", id="surrogate"),
        pytest.param(b"%FF=a", "UTF-8", id="no UTF-8 in a name"),
        pytest.param(b"a=\xc3\xa9", "UTF-8", id="UTF-8 not escaped"),
        pytest.param(b"a=\xe9", "UTF-8", id="Latin-1"),
        pytest.param(b"a=b%00c", "NUL", id="NUL"),
        pytest.param(b"a%00=b", "NUL", id="NUL in a name"),
        pytest.param(b"a=b\0", "NUL", id="NUL not escaped"),
        pytest.param(b"a=%", "%", id="percent alone"),
        pytest.param(b"a=%4", "%", id="half an escape"),
        pytest.param(b"a=%zz", "%", id="no hexadecimal digits"),
        pytest.param(b"a=%u0041", "%", id="escape of JavaScript"),
        pytest.param(b"%=b", "%", id="percent in a name"),
        pytest.param("&".join(f"x{n}=1" for n in range(33)).encode(), "too many", id="33 parameters"),
        pytest.param(b"&" * 10000, "too many", id="ten thousand separators"),
    ],
)
def test_malformed_body_is_refused(body: bytes, reason: str) -> None:
    with pytest.raises(OAuthError) as refused:
        parse_form(body)

    assert (refused.value.code, refused.value.status) == ("invalid_request", 400)
    assert reason in refused.value.description


@pytest.mark.requirement("A15")
@pytest.mark.parametrize("name", REPEATABLE)
@pytest.mark.parametrize(
    ("values", "expected"), [("a", "a"), ("a&{}=b", "ab"), ("a&{}=a", "aa"), ("&{}=b", "b"), ("&{}=", "")]
)
def test_repeatable_parameter_is_a_list(name: str, values: str, expected: str) -> None:
    form = parse_form(f"a=1&{name}={values.format(name)}&b=".encode())

    assert form == ({"a": "1"}, {name: tuple(expected)} if expected else {})


@pytest.mark.requirement("A55")
@pytest.mark.parametrize(
    "content_type",
    [
        MEDIA_TYPE,
        MEDIA_TYPE.title(),
        MEDIA_TYPE + ";",
        MEDIA_TYPE + "; boundary=x",
        MEDIA_TYPE + '; odata.metadata=minimal; q="1"; charset=utf-8',
        MEDIA_TYPE + "; charset",
        *(
            f"{MEDIA_TYPE}; charset={it}"
            for it in ("", "utf-8", '"UTF-8"', "'utf-8'", "utf8", "iso-8859-1", "ISO-8859-15", "ISO8859_1", "us-ascii")
        ),
        *(
            f"{MEDIA_TYPE};charset = {it} "
            for it in ("windows-1252", "Shift_JIS", "windows-31j", "ANSI_X3.4-1968", "ibm850")
        ),
    ],
)
def test_form_in_an_ascii_compatible_charset_is_accepted(content_type: str) -> None:
    check_media_type(content_type)


@pytest.mark.requirement("A36", "A54", "A55")
@pytest.mark.parametrize(
    "content_type",
    [
        None,
        "",
        "text/plain",
        "application/json",
        "multipart/form-data; boundary=x",
        "text/plain; " + MEDIA_TYPE,
        MEDIA_TYPE + "-x",
        "x" + MEDIA_TYPE,
        MEDIA_TYPE + ", application/json",
        MEDIA_TYPE + "; charset=utf-8; charset=utf-7",
        *(f"{MEDIA_TYPE}; charset={it}" for it in ("utf-16", "utf-16le", "ibm037", "ibm1047", "utf-8859")),
    ],
)
def test_other_media_type_is_refused(content_type: str | None) -> None:
    with pytest.raises(OAuthError, match=MEDIA_TYPE):
        check_media_type(content_type)
