"""The session limit: which sessions of a user must end so that no more than the maximum are open."""

from collections import Counter
from collections.abc import Iterable

from sqlalchemy import Connection

from jeton.frozen import Frozen
from jeton.oauth.sessions import Family
from jeton.storage.families import load_open_sids
from jeton.storage.ledger.transaction_rows import TransactionRows


class OpenSessions(Frozen):
    """The open sessions of a user, oldest first. The first `over_limit` of them may have to end, and are locked."""

    sids: list[str]
    over_limit: int

    @property
    def sids_over_limit(self) -> list[str]:
        """The sessions that may have to end."""
        return self.sids[: self.over_limit]


def load_open_sessions(
    connection: Connection, now: int, logins: Iterable[str], max_sessions: int
) -> dict[str, OpenSessions]:
    """Return the open sessions of users, by sub. `logins` has the `sub` of each login, some of them several times.

    The users must be locked: then no other transaction opens a session of theirs, and the count is exact.
    """
    counts = Counter(logins)
    return {
        sub: OpenSessions(sids, max(0, len(sids) + counts[sub] - max_sessions))
        for sub, sids in load_open_sids(connection, now, counts.keys()).items()
    }


def sessions_over_limit(rows: TransactionRows, sub: str, max_sessions: int) -> tuple[Family, ...]:
    """Return the sessions that have to end for one more, those included that this transaction has opened.

    A family becomes a session when its authorization code is redeemed.
    """
    families, stored = rows.of(Family), rows.stored(Family)
    found = rows.of(OpenSessions).get(sub)
    still_open = []
    if found is not None:
        locked = set(found.sids_over_limit)
        # A locked session that is not among the rows was deleted just before.
        still_open = [
            sid for sid in found.sids if (families[sid].revoked_at is None if sid in families else sid not in locked)
        ]
    still_open += [
        sid
        for sid, it in families.items()
        if it.sub == sub
        and it.revoked_at is None
        and it.is_redeemed
        and not (sid in stored and stored[sid].is_redeemed)
    ]
    return tuple(families[sid] for sid in still_open[: max(0, len(still_open) + 1 - max_sessions)])
