"""Canonical forms of user names (RFC 8265) and e-mail addresses: all notations of one account have one key."""

import pytest

from jeton.rules.login_identifiers import InvalidIdentifierError, email_key, identifier_keys, login_key, username_key

CANONICAL = {
    "Alice@Example.COM": "alice@example.com",
    "\uff21lice\uff20\uff45xample.com": "alice@example.com",
    "rene\u0301@example.com": "ren\u00e9@example.com",
    "a.b+tag@example.com": "a.b+tag@example.com",
    "a@M\u00fcnchen.example": "a@xn--mnchen-3ya.example",
    "a@XN--MNCHEN-3YA.example": "a@xn--mnchen-3ya.example",
    "a@example.com.": "a@example.com",
    "a@localhost": "a@localhost",
    "\u0645\u062d\u0645\u062f@example.com": "\u0645\u062d\u0645\u062f@example.com",
}


@pytest.mark.requirement("N13")
def test_email_address_has_one_canonical_form() -> None:
    assert {typed: email_key(typed) for typed in CANONICAL} == CANONICAL
    assert [key for key in CANONICAL.values() if email_key(key) != key] == []


@pytest.mark.requirement("N13")
def test_invalid_email_address_has_no_canonical_form() -> None:
    invalid = ["", "alice", "@", "alice@", "@example.com", "a@b@example.com", "a\uff20b@example.com", "a b@example.com",
               '"a b"@example.com', "a@exa mple.com", "a@[127.0.0.1]", "a@-example.com", "a@example..com",
               "a@exam_ple.com", "a\u200b@example.com", "x" * 255 + "@example.com", "a@" + "x" * 64 + ".com",
               "a@example.com\n"]  # fmt: skip

    assert {text: key for text in invalid if (key := email_key(text)) is not None} == {}


@pytest.mark.requirement("N13")
def test_canonical_form_is_idempotent() -> None:
    for name in ("alice", "ÄLICE", "o'neil", "a.b-c_d", "用户", "x" * 255):
        key = login_key(name)
        assert key is not None
        assert key == username_key(name) == login_key(key)
    assert username_key("x" * 256) is None


@pytest.mark.requirement("N13")
@pytest.mark.parametrize(
    ("registered", "typed", "same"),
    [
        ("Alice", "aLICE", True),
        ("alice", "\uff21\uff4c\uff49\uff43\uff45", True),
        ("rené", "rene\u0301", True),
        ("rene\u0301", "RENÉ", True),
        ("ångström", "\u212bngstro\u0308m", True),
        ("иван", "ИВАН", True),
        ("Alice@example.com", "alice\uff20EXAMPLE.com", True),
        ("a@m\u00fcnchen.example", "a@xn--mnchen-3ya.example", True),
        ("alice", "al ice", False),
        ("alice", "alice\u200b", False),
        ("alice", "\ufeffalice", False),
        ("alice", "\u0430lice", False),
        ("rené", "rene", False),
        ("alice", "alice@example.com", False),
        ("five", "\ufb01ve", False),
        ("x2", "x\u00b2", False),
        ("alice", "\u00a0", False),
    ],
    ids=ascii,
)
def test_spellings_of_one_name_have_one_key(registered: str, typed: str, same: bool) -> None:
    assert login_key(registered) is not None
    assert (login_key(registered) == login_key(typed)) is same


@pytest.mark.requirement("N13")
def test_username_that_is_the_email_address_has_the_same_key() -> None:
    assert identifier_keys("Alice@Example.com", "alice@EXAMPLE.com") == ("alice@example.com", "alice@example.com")
    assert identifier_keys("Alice", "Alice@M\u00fcnchen.example") == ("alice", "alice@xn--mnchen-3ya.example")
    assert identifier_keys("Alice", None) == ("alice", None)


@pytest.mark.requirement("N13")
@pytest.mark.parametrize(
    ("username", "email", "reason"),
    [
        pytest.param("bob@example.com", None, "user's e-mail", id="an address that is not given"),
        pytest.param("bob@example.com", "alice@example.com", "user's e-mail", id="another's address"),
        pytest.param("bob\uff20example.com", "alice@example.com", "user's e-mail", id="another's, with a full-width @"),
        pytest.param("bob@", "bob@example.com", "user's e-mail", id="half an address"),
        pytest.param("a@b@example.com", "b@example.com", "user's e-mail", id="two @"),
        pytest.param("two words", None, "RFC 8265", id="no name"),
        pytest.param("bob", "bob", "not a valid e-mail address", id="no address"),
        pytest.param("bob", "", "not a valid e-mail address", id="empty address"),
    ],
)
def test_username_of_another_users_address_is_rejected(username: str, email: str | None, reason: str) -> None:
    with pytest.raises(InvalidIdentifierError, match=reason):
        identifier_keys(username, email)
