"""Whether a password may be set: the one place that is asked, whoever sets it."""

from functools import cache
from pathlib import Path

from jeton.crypto.breached_passwords import BreachedPasswords
from jeton.crypto.passwords import normalize
from jeton.rules.password_policy import MAX_TYPED_CODE_POINTS, TOO_LONG, context_words, rejection_reason


class PasswordRules:
    """The rules of one server: its least length, its names, and its list of leaked passwords, where it has one."""

    def __init__(self, min_length: int, service_names: tuple[str, ...], breached: BreachedPasswords | None) -> None:
        self._min_length = min_length
        self._service_names = service_names
        self._breached = breached

    def rejection_reason(self, password: str, username: str, email: str | None) -> str | None:
        """Why this user may not have this password, as a sentence to show; None where they may.

        Reads from the disk: to be called in a thread. BreachedPasswordsError where the list has become unusable.
        """
        if len(password) > MAX_TYPED_CODE_POINTS:
            return TOO_LONG
        chosen = normalize(password)
        context = context_words((*self._service_names, username, email))
        refusal = rejection_reason(chosen, self._min_length, context, common_passwords())
        if refusal is None and self._breached is not None and chosen in self._breached:
            return "the password has been found in a leak, so attackers know it: choose another"
        return refusal


@cache
def common_passwords() -> frozenset[str]:
    """Those that many people use, in lower case; where they are from is said in the file."""
    lines = Path(__file__).with_name("common_passwords.txt").read_text(encoding="utf-8").splitlines()
    return frozenset(line for line in lines if not line.startswith("#"))
