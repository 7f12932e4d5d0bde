"""Acceptance of new passwords: the password policy with a server's settings and lists."""

from functools import cache
from pathlib import Path

from jeton.crypto.breached_passwords import BreachedPasswords
from jeton.crypto.passwords import normalize
from jeton.rules.password_policy import (
    MAX_TYPED_CODE_POINTS,
    TOO_LONG,
    PasswordRejection,
    PasswordRule,
    context_words,
    password_rejection,
)


class PasswordRules:
    """The rules of one server: minimum length, names of the service, and a list of breached passwords if configured."""

    def __init__(self, min_length: int, service_names: tuple[str, ...], breached: BreachedPasswords | None) -> None:
        self._min_length = min_length
        self._service_names = service_names
        self._breached = breached

    def rejection(self, password: str, username: str, email: str | None) -> PasswordRejection | None:
        """Return why the user may not choose this password, or None if it is allowed.

        Reads from disk: call it in a thread. Raise BreachedPasswordsError if the list cannot be used.
        """
        if len(password) > MAX_TYPED_CODE_POINTS:
            return TOO_LONG
        chosen = normalize(password)
        context = context_words((*self._service_names, username, email))
        rejection = password_rejection(chosen, self._min_length, context, common_passwords())
        if rejection is None and self._breached is not None and chosen in self._breached:
            return PasswordRejection(PasswordRule.BREACHED)
        return rejection


@cache
def common_passwords() -> frozenset[str]:
    """Return common passwords, in lower case. The file states its source."""
    lines = Path(__file__).with_name("common_passwords.txt").read_text(encoding="utf-8").splitlines()
    return frozenset(line for line in lines if not line.startswith("#"))
