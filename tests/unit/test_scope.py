"""Scope syntax (RFC 6749 section 3.3)."""

import pytest

from jeton.oauth.errors import ErrorCode, OAuthError
from jeton.oauth.scope import format_scope, is_scope_token, parse_scope

ALLOWED = {0x21, *range(0x23, 0x5C), *range(0x5D, 0x7F)}


@pytest.mark.requirement("A17")
def test_scope_token_has_only_the_characters_of_rfc_6749() -> None:
    assert {code for code in range(0x300) if is_scope_token(chr(code))} == ALLOWED
    assert [text for text in ("", "a b", "read\n", "ré", "\uff52ead", "a\u200bb") if is_scope_token(text)] == []


@pytest.mark.requirement("A17", "A54")
def test_scope_is_a_set_of_case_sensitive_tokens() -> None:
    scopes = {
        "read": {"read"},
        "read write": {"read", "write"},
        "write read": {"read", "write"},
        "read read": {"read"},
        "Read read": {"Read", "read"},
        "https://api.example/orders:read !#[]^~": {"https://api.example/orders:read", "!#[]^~"},
        "a" * 2048: {"a" * 2048},
    }

    assert {text: parse_scope(text) for text in scopes} == scopes
    assert [scope for scope in scopes.values() if parse_scope(format_scope(scope)) != scope] == []


@pytest.mark.requirement("A17", "A39", "A54")
def test_malformed_scope_is_refused() -> None:
    characters = ["read\twrite", "read\nwrite", "read\u00a0write", 're"ad', "re\\ad", "read\x00", "read\x7f", "lés"]
    for text in ["", " ", " read", "read ", "read  write", *characters, "a" * 2049]:
        with pytest.raises(OAuthError) as refusal:
            parse_scope(text)
        assert (refusal.value.code, refusal.value.reason) == (ErrorCode.INVALID_SCOPE, "scope_malformed")


@pytest.mark.requirement("A17")
def test_scope_is_formatted_in_one_order() -> None:
    assert format_scope(["write", "read"]) == format_scope({"read", "write"}) == "read write"
