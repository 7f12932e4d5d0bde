"""Registration rules: which clients, subs and roles are valid (RFC 6749 section 2, RFC 9700 section 4.15)."""

from typing import Any

import pytest

from jeton.oauth.registration.registration_rules import (
    RegistrationError,
    check_client,
    check_client_id,
    check_roles,
    check_sub,
)
from support.builders import client
from support.tables import rows


def rejection(check: Any, *args: Any) -> str:
    """Return the message of the refusal, or an empty string if the value is valid."""
    try:
        check(*args)
    except RegistrationError as error:
        return str(error)
    return ""


@pytest.mark.requirement("A02", "G03", "I14")
def test_client_id_is_short_printable_ascii_and_does_not_look_like_a_sub() -> None:
    valid = ["a", "~", "my app", "!" * 128, "u_" + "g" * 32, "u_" + "0" * 31, "xu_" + "0" * 32]
    invalid = ["", " a", "a ", " ", "!" * 129, "a\n", "a\x7fb", "é", "u_" + "0" * 32, "dcr_x"]

    assert [it for it in valid + invalid if not rejection(check_client_id, it)] == valid


def test_sub_and_roles_have_no_white_space_and_a_maximum_length() -> None:
    subs, roles = ["a", "~" * 64, "e\x21"], [["admin"], ["rôle", "b"], ["a" * 797], []]
    invalid_subs = ["", "~" * 65, "a b", "é", "a\n"]
    invalid_roles = [[""], ["a b"], ["admin", "a\t"], ["a\x7f"], ["a" * 798], ["é" * 398, "ab"]]

    assert [it for it in subs + invalid_subs if not rejection(check_sub, it)] == subs
    assert [it for it in roles + invalid_roles if not rejection(check_roles, it)] == roles


CLIENTS: dict[str, list[dict[str, Any]]] = {
    "": [
        *({}, {"public": True}, {"introspect": True, "auth_methods": frozenset({"client_secret_basic"})}),
        *({"default_scope": frozenset({"read"})}, {"scope": frozenset({"a" * 1197})}),
        *({"audience": it} for it in (("https://a", "b"), ("a" * 400, "b" * 394))),
        {"origins": frozenset({"https://app.example"})},
        {"first_party": True},
    ],
    "--grant client_credentials": [{"public": True, "introspect": True}],
    "does not authenticate": [
        {"public": True, name: frozenset({it})}
        for name, it in (("auth_methods", "x"), ("grant_types", "client_credentials"))
    ],
    "is not a scope": [{"scope": frozenset({"a b"})}, {"default_scope": frozenset({'"'})}],
    "--default-scope": [{"default_scope": frozenset({"admin"})}],
    "an audience": [{"audience": ("https://a", "")}, {"audience": ("a\u00a0b",)}],
    "scopes of a client are too long": [{"scope": frozenset({"a" * 1198})}],
    "audiences of a client are too long": [{"audience": ("a" * 400, "b" * 395)}],
    "registered itself": [{"first_party": True, "registration": "dynamic"}],
    "must be https": [{"origins": frozenset({"https://a.example", "http://b.example"})}],
}


@pytest.mark.requirement("A10", "A17", "A19", "A25", "D01")
@pytest.mark.parametrize(("word", "fields"), rows(CLIENTS))
def test_client_is_neither_contradictory_nor_too_large(word: str, fields: dict[str, Any]) -> None:
    said = rejection(check_client, client(**fields), frozenset({"client_credentials"}))

    assert word in said
    assert bool(said) is bool(word)
