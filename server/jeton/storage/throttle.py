"""The throttle: attempts are counted together, in one transaction for all that wait, and exactly, on all nodes.

As in the ledger: lock, then look, then decide each by the law, write, commit; nothing slow under a lock.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from sqlalchemy.exc import DBAPIError

from jeton.oauth import throttling
from jeton.oauth.throttling import Attempt, Buckets, Refusal, Reserved
from jeton.storage.buckets import load_living_keys, lock_buckets, store_buckets
from jeton.storage.clock import Clock
from jeton.storage.database import Database, StorageUnavailableError
from jeton.storage.gather import Gather

_REMEMBERED_SECONDS: Final = 2
_MOST_REMEMBERED: Final = 65_536


@dataclass(frozen=True, slots=True)
class _Settlement:
    """How an attempt ended: `settle` is the law for it."""

    reserved: Reserved
    settle: Callable[[Buckets, Reserved, int], None]


_Asked: TypeAlias = Attempt | _Settlement


class Throttle:
    """Counts attempts in the database, and remembers refusals for a moment."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._remembered: dict[bytes, tuple[Refusal, int]] = {}
        self._gather = Gather[_Asked, Reserved | Refusal | None]("throttle", self._count)

    async def reserve(self, attempt: Attempt) -> Reserved | Refusal:
        """A place for the attempt, durable before it is made; or who refuses it."""
        outcome = await self._gather(attempt)
        assert outcome is not None
        if isinstance(outcome, Refusal):
            self.remember(outcome.key, outcome)
        return outcome

    async def give_back(self, reserved: Reserved) -> None:
        """The attempt was never made."""
        await self._gather(_Settlement(reserved, throttling.give_back))

    async def succeed(self, reserved: Reserved) -> None:
        """The attempt was right."""
        await self._gather(_Settlement(reserved, throttling.succeed))

    def remember(self, key: bytes, refusal: Refusal) -> None:
        """For two seconds, or until it opens: whatever else opens a bucket is noticed as soon as other changes are."""
        if len(self._remembered) >= _MOST_REMEMBERED:
            self._remembered.clear()
        until = min(refusal.opens_at, self._clock.now() + _REMEMBERED_SECONDS)
        self._remembered[key] = (refusal, until)

    def remembered(self, *keys: bytes) -> Refusal | None:
        """A refusal for one of these that still holds, without asking the database."""
        for key in keys:
            refusal, until = self._remembered.get(key, (None, 0))
            # At most that far ahead: later, if the clock has been put back since.
            if 0 < until - self._clock.now() <= _REMEMBERED_SECONDS:
                return refusal
        return None

    def close(self) -> None:
        self._gather.close()

    def _count(self, group: Sequence[_Asked]) -> list[Reserved | Refusal | None]:
        try:
            return self._transaction(group)
        except DBAPIError as error:
            raise StorageUnavailableError(str(error.orig)) from error

    def _transaction(self, group: Sequence[_Asked]) -> list[Reserved | Refusal | None]:
        with self._database.write() as connection:
            now = self._clock.now()
            known = load_living_keys(
                connection, {it.known.key for it in group if isinstance(it, Attempt) and it.known}, now
            )
            before = lock_buckets(connection, {key for it in group for key in _keys(it, known)}, now)
            after = dict(before)
            outcomes = [_decide(it, after, known, now) for it in group]
            # What was made only to be locked, and what became empty, goes at once.
            changed = {key: it for key, it in after.items() if it is not before[key] or it.expires_at <= now}
            store_buckets(connection, changed, now)
        return outcomes


def _keys(asked: _Asked, known: set[bytes]) -> tuple[bytes, ...]:
    if isinstance(asked, _Settlement):
        return throttling.touched(asked.reserved)
    return tuple(claim.key for claim in asked.claims(known=_is_known(asked, known)))


def _decide(asked: _Asked, buckets: Buckets, known: set[bytes], now: int) -> Reserved | Refusal | None:
    if isinstance(asked, _Settlement):
        asked.settle(buckets, asked.reserved, now)
        return None
    return throttling.reserve(buckets, asked, now, known=_is_known(asked, known))


def _is_known(attempt: Attempt, known: set[bytes]) -> bool:
    return attempt.known is not None and attempt.known.key in known
