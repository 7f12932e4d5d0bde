"""Scope syntax (RFC 6749 section 3.3)."""

import pytest

from jeton.oauth.errors import ErrorCode, OAuthError
from jeton.oauth.scope import MAX_CHARACTERS, format_scope, is_scope_token, parse_scope

ALLOWED = {0x21, *range(0x23, 0x5C), *range(0x5D, 0x7F)}


@pytest.mark.requirement("A17")
def test_scope_token_has_only_the_characters_of_rfc_6749() -> None:
    assert {code for code in range(0x300) if is_scope_token(chr(code))} == ALLOWED


@pytest.mark.requirement("A17")
@pytest.mark.parametrize("text", ["", "a b", "read\n", "ré", "\uff52ead", "a\u200bb"])
def test_other_text_is_not_a_scope_token(text: str) -> None:
    assert not is_scope_token(text)


@pytest.mark.requirement("A17")
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("read", {"read"}),
        ("read write", {"read", "write"}),
        ("write read", {"read", "write"}),
        ("read read", {"read"}),
        ("Read read", {"Read", "read"}),
        ("https://api.example/orders:read !#[]^~", {"https://api.example/orders:read", "!#[]^~"}),
    ],
)
def test_a_scope_is_a_set_of_case_sensitive_tokens(text: str, expected: set[str]) -> None:
    assert parse_scope(text) == expected


@pytest.mark.requirement("A17", "A39", "A54")
@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param(" ", id="a space"),
        pytest.param(" read", id="leading space"),
        pytest.param("read ", id="trailing space"),
        pytest.param("read  write", id="two spaces"),
        pytest.param("read\twrite", id="tab"),
        pytest.param("read\nwrite", id="line feed"),
        pytest.param("read,write\u00a0admin", id="no-break space"),
        pytest.param('re"ad', id="quote"),
        pytest.param("re\\ad", id="backslash"),
        pytest.param("read\x00", id="NUL"),
        pytest.param("read\x7f", id="DEL"),
        pytest.param("lés", id="not ASCII"),
    ],
)
def test_a_malformed_scope_is_refused(text: str) -> None:
    with pytest.raises(OAuthError) as refusal:
        parse_scope(text)

    assert refusal.value.code is ErrorCode.INVALID_SCOPE
    assert refusal.value.reason == "scope_malformed"


@pytest.mark.requirement("A54")
def test_the_longest_scope_is_accepted() -> None:
    assert parse_scope("a" * MAX_CHARACTERS) == {"a" * MAX_CHARACTERS}


@pytest.mark.requirement("A54")
def test_a_longer_scope_is_refused() -> None:
    with pytest.raises(OAuthError, match="scope_malformed"):
        parse_scope("a" * (MAX_CHARACTERS + 1))


@pytest.mark.requirement("A17")
@pytest.mark.parametrize(
    "scope", [["write", "read"], ["read", "write"], {"write", "read"}], ids=["list", "other order", "set"]
)
def test_scope_is_formatted_canonically(scope: list[str]) -> None:
    assert format_scope(scope) == "read write"


def test_what_is_formatted_can_be_parsed() -> None:
    scope = frozenset({"b", "a", "https://api.example/x"})

    assert parse_scope(format_scope(scope)) == scope
