"""The replay store: what may be used once is used once, on all nodes (RFC 9449 section 11.1; ADR 0034).

A use is a row that is written in the transaction of what it allows, so that a refused request writes none.
"""

from typing import Final, TypeVar

from sqlalchemy import Connection

from jeton.frozen import Frozen, replace
from jeton.oauth.decisions import Deny, Issue, IssueCode
from jeton.oauth.errors import TemporarilyUnavailableError
from jeton.oauth.single_use import SingleUse
from jeton.oauth.writes import UseOnce, Write
from jeton.storage.ledger.ledger import Entry, Facts, Ledger
from jeton.storage.ledger.lock_requests import LockSingleUse
from jeton.storage.single_uses import count_single_uses

Issued = TypeVar("Issued", Issue, IssueCode)

# At 100 bytes each, index included, 30 MB; at 70 seconds each, 4,000 uses a second.
MAX_ROWS: Final = 300_000
# Unregistered clients write none beyond this part of them: anyone can be one, and must not make others wait.
_PART_OF_UNREGISTERED: Final = 3


class ReplayStoreFullError(TemporarilyUnavailableError):
    """So much is remembered as used that no more can be used until some of it has expired."""


class _Use(Frozen):
    """The decision to use something now, or that it was used before."""

    reason: str
    writes: tuple[Write, ...] = ()


class ReplayStore:
    """Uses what may be used once. Its number of rows is read by maintenance."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._rows = 0

    def count(self, connection: Connection) -> None:
        """Count the rows, at most `MAX_ROWS` of them. Until the next count, no more is read."""
        self._rows = count_single_uses(connection, MAX_ROWS)

    def require_room(self, *, registered: bool = True) -> None:
        """Raise ReplayStoreFullError if nothing can be used now, or not by a client that is not `registered`."""
        if self._rows >= (MAX_ROWS if registered else MAX_ROWS // _PART_OF_UNREGISTERED):
            raise ReplayStoreFullError("too much is remembered as used")

    async def use(self, single_use: SingleUse, *, registered: bool = True) -> bool:
        """Return whether this is the first use, once it is durable. `registered` is as in `require_room`.

        Raise ReplayStoreFullError, or StorageUnavailableError if it is not known whether it is stored.
        """
        self.require_room(registered=registered)

        def decide(facts: Facts) -> _Use:
            is_used = single_use.digest in facts.rows.of(SingleUse)
            return _Use("used_before") if is_used else _Use("used", (UseOnce(single_use),))

        decision = await self._ledger.enter(Entry(decide, (LockSingleUse(single_use.digest),)))
        return bool(decision.writes)

    async def was_used(self, digest: bytes) -> bool:
        """Return whether something was used before. It is not used by this."""

        def decide(facts: Facts) -> _Use:
            return _Use("used_before" if digest in facts.rows.of(SingleUse) else "unused")

        decision = await self._ledger.enter(Entry(decide, (LockSingleUse(digest),)))
        return decision.reason == "used_before"


def only_once(entry: Entry[Issued | Deny], single_use: SingleUse | None, replayed: Deny) -> Entry[Issued | Deny]:
    """Return an entry that decides `replayed` if `single_use` was used before, and uses it if it issues something.

    To be entered after `require_room`. Without a `single_use`, the entry is returned as it is.
    """
    if single_use is None:
        return entry

    def decide(facts: Facts) -> Issued | Deny:
        if single_use.digest in facts.rows.of(SingleUse):
            return replayed
        decision = entry.decide(facts)
        return decision if isinstance(decision, Deny) else replace(decision, single_use=single_use)

    return Entry(decide, (*entry.locks, LockSingleUse(single_use.digest)))
