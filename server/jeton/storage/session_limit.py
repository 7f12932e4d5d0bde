"""Room for new sessions: which of a user's must end, so that no more than so many are open."""

from collections import Counter
from collections.abc import Iterable, Mapping

from sqlalchemy import Connection

from jeton.oauth.sessions import Family
from jeton.storage.families import load_open_sids


class SessionLimit:
    """The open sessions of the users of one group of logins, oldest first.

    The users must be locked: then nobody else opens a session of theirs, and the count is exact. `most` 0: any number.
    """

    def __init__(self, connection: Connection, now: int, subs: Iterable[str], most: int) -> None:
        logins = Counter(subs if most else ())
        self._most = most
        self._open = load_open_sids(connection, now, logins.keys())
        self._crowded = {sub: set(sids[: max(0, len(sids) + logins[sub] - most)]) for sub, sids in self._open.items()}
        self.over_limit = frozenset[str]().union(*self._crowded.values())

    def crowded_of(self, sub: str) -> set[str]:
        """The sessions of this user that may have to end."""
        return self._crowded.get(sub, set())

    def excess(self, sub: str, families: Mapping[str, Family]) -> tuple[Family, ...]:
        """The sessions that have to end for one more; `families` are those `crowded`, locked, and new ones."""
        if self._most == 0:
            return ()
        still_open = [sid for sid in self._open.get(sub, ()) if self._is_open(sid, families.get(sid))]
        return tuple(families[sid] for sid in still_open[: max(0, len(still_open) + 1 - self._most)])

    def opened(self, family: Family) -> None:
        self._open.setdefault(family.sub, []).append(family.sid)

    def _is_open(self, sid: str, family: Family | None) -> bool:
        """One that was to be locked and is not there has been forgotten meanwhile."""
        return sid not in self.over_limit if family is None else family.revoked_at is None
