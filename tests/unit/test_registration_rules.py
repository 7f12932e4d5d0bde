"""Registration rules: which client_ids, subs, roles, scopes and audiences there can be (RFC 6749 section 2)."""

from collections.abc import Callable
from typing import Any

import pytest

from jeton.oauth.clients import Client
from jeton.oauth.registration_rules import RegistrationError, check_client, check_client_id, check_roles, check_sub

SUB = "u_" + "0" * 32


def check(public: bool = False, **fields: Any) -> None:
    check_client(Client("web", public, 0, **fields), frozenset({"client_credentials"}))


@pytest.mark.requirement("A02", "G03", "I14")
@pytest.mark.parametrize("client_id", ["a", "x" * 128, "my app: 100%", "https://app.example", "u_1"])
def test_client_id_is_printable_ascii(client_id: str) -> None:
    check_client_id(client_id)


@pytest.mark.parametrize("sub", ["1042", "auth0|5f7c8ec7c33c6c004bbafe82", "x" * 64, SUB])
def test_sub_is_printable_ascii_without_spaces(sub: str) -> None:
    check_sub(sub)


@pytest.mark.requirement("A02", "A17", "A19", "A25", "D01", "G03", "I14")
@pytest.mark.parametrize(
    ("rule", "value", "reason"),
    [
        *((check_client_id, it, "client_id must be 1 to 128 printable ASCII")
          for it in ("", " a", "a ", "x" * 129, "caf\u00e9", "a\nb", SUB)),
        *((check_sub, it, "sub must be 1 to 64") for it in ("", "x" * 65, "two words", "caf\u00e9")),
        *((check_roles, [it], "role") for it in ("", "two words", "a\tb", "a\0b")),
        *((lambda it: check(scope=frozenset({it})), it, "is not a scope")
          for it in ("", "two words", 'quo"te', "back\\slash", "caf\u00e9", "tab\t")),
        (lambda it: check(scope=frozenset({it}), default_scope=frozenset({"a b"})), "read", "is not a scope"),
        (lambda it: check(scope=frozenset({it}), default_scope=frozenset({"write"})), "read", "--default-scope"),
        *((lambda it: check(audience=(it,)), it, "audience") for it in ("", "two words", "a\tb", " a")),
        (lambda it: check(origins=frozenset({"https://app.example", it})), "http://app.example", "http://app.example "),
        (lambda it: check(public=True, introspect=it), True, "does not authenticate"),
        (lambda it: check(public=True, auth_methods=frozenset({it})), "client_secret_basic", "does not authenticate"),
        (lambda it: check(public=True, grant_types=frozenset({it})), "client_credentials", "does not authenticate"),
    ],
    ids=repr,
)  # fmt: skip
def test_value_that_is_not_allowed_is_refused_with_the_reason(
    rule: Callable[[Any], None], value: Any, reason: str
) -> None:
    with pytest.raises(RegistrationError, match=reason):
        rule(value)
