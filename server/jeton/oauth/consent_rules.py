"""Withdrawal of consent: a client loses what a user has allowed it, and every session and code with it."""

from collections.abc import Iterable

from jeton.frozen import Frozen
from jeton.oauth.consents import Consent
from jeton.oauth.sessions import Family
from jeton.oauth.writes import DeleteConsent, SaveFamily, Write


class Withdrawal(Frozen):
    """The user's consent to the client is deleted, and the user's families with the client end.

    If there is neither, `writes` is empty.
    """

    reason: str
    sub: str
    client_id: str
    writes: tuple[Write, ...] = ()


def withdraw_consent(
    reason: str, sub: str, client_id: str, consent: Consent | None, families: Iterable[Family], now: int
) -> Withdrawal:
    """Decide to withdraw what the user has allowed the client. `families` are all of the user's that have not ended.

    Without a consent and families nothing is written: the `client_id` may be any text.
    """
    ended = tuple(it.revoked(reason, now) for it in families if it.client_id == client_id and it.revoked_at is None)
    if consent is None and not ended:
        return Withdrawal("nothing_to_withdraw", sub, client_id)
    return Withdrawal(reason, sub, client_id, (*map(SaveFamily, ended), DeleteConsent(sub, client_id)))
