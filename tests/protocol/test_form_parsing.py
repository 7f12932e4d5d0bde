"""Strict form parsing (RFC 6749 section 3.2, appendix B): what is ambiguous is refused, not guessed."""

import pytest

from jeton.http.form_parsing import REPEATABLE, check_media_type, parse_form
from jeton.oauth.errors import OAuthError

FORM = "application/x-www-form-urlencoded"


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
        FORM,
        FORM.title(),
        FORM + ";",
        FORM + "; boundary=x",
        FORM + '; odata.metadata=minimal; q="1"; charset=utf-8',
        FORM + "; charset",
        *(
            f"{FORM}; charset={it}"
            for it in ("", "utf-8", '"UTF-8"', "'utf-8'", "utf8", "iso-8859-1", "ISO-8859-15", "ISO8859_1", "us-ascii")
        ),
        *(f"{FORM};charset = {it} " for it in ("windows-1252", "Shift_JIS", "windows-31j", "ANSI_X3.4-1968", "ibm850")),
    ],
)
def test_form_in_a_charset_that_encodes_ascii_alike_is_accepted(content_type: str) -> None:
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
        "text/plain; " + FORM,
        FORM + "-x",
        "x" + FORM,
        FORM + ", application/json",
        FORM + "; charset=utf-8; charset=utf-7",
        *(f"{FORM}; charset={it}" for it in ("utf-16", "utf-16le", "ibm037", "ibm1047", "utf-8859")),
    ],
)
def test_other_media_type_is_refused(content_type: str | None) -> None:
    with pytest.raises(OAuthError, match=FORM):
        check_media_type(content_type)
