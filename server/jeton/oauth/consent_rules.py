"""Withdrawal of consent: a client loses what a user has allowed it, and every session and code with it."""

from collections.abc import Iterable

from jeton.frozen import Frozen
from jeton.oauth.sessions import Family
from jeton.oauth.writes import DeleteConsent, SaveFamily, Write


class Withdrawal(Frozen):
    """The user's consent to the client is deleted, and the user's families with the client end."""

    reason: str
    sub: str
    client_id: str
    families: tuple[Family, ...]

    @property
    def writes(self) -> tuple[Write, ...]:
        """The ended families, and the consent to delete."""
        return (*(SaveFamily(it) for it in self.families), DeleteConsent(self.sub, self.client_id))


def withdraw_consent(reason: str, sub: str, client_id: str, families: Iterable[Family], now: int) -> Withdrawal:
    """Decide to withdraw what the user has allowed the client. `families` are all of the user's that have not ended."""
    ended = tuple(it.revoked(reason, now) for it in families if it.client_id == client_id and it.revoked_at is None)
    return Withdrawal(reason, sub, client_id, ended)
