"""The rate limiter: counts attempts exactly, over all nodes, in one transaction for all attempts that are waiting.

As in the ledger: lock, read, decide each by `rules.attempts`, write, commit; nothing slow under a lock. A bucket that
another transaction has locked delays only the attempts that need it.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, TypeAlias

from jeton.frozen import Frozen
from jeton.observability.metrics import RATE_LIMITED
from jeton.rules import attempts
from jeton.rules.attempts import Attempt, Buckets, RateLimited, Reservation
from jeton.rules.rate_limit_policies import Bucket
from jeton.storage.clock import Clock
from jeton.storage.database import Database
from jeton.storage.rate_limit_buckets import load_buckets, lock_buckets, store_buckets
from jeton.storage.row_lock_batches import LOCK_TIMEOUT_MS, Pending, RowLockBatches, RowLockedError

_REMEMBERED_SECONDS: Final = 2
_MAX_REMEMBERED: Final = 65_536


class _Settlement(Frozen):
    """How an attempt ended: `settle` changes the buckets of these keys."""

    reservation: Reservation
    settle: Callable[[Buckets, Reservation, int], RateLimited | None]
    keys: set[bytes]


_Request: TypeAlias = Attempt | _Settlement
_Outcome: TypeAlias = Reservation | RateLimited | None


class RateLimiter:
    """Counts attempts in the database, and remembers refusals for two seconds."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._remembered: dict[bytes, tuple[RateLimited, int]] = {}
        # Attempts are counted in any order: none waits for an earlier one that waits for a lock.
        self._batches = RowLockBatches[_Request, Any]("rate-limiter", self._transaction, lambda _: ())

    async def reserve(self, attempt: Attempt) -> Reservation | RateLimited:
        """Return the places of the attempt, durable before it is made, or the limit that refuses it."""
        outcome: Reservation | RateLimited = await self._batches(attempt)
        if isinstance(outcome, RateLimited) and not outcome.pending:
            RATE_LIMITED.labels(outcome.limit).inc()
            self.remember(outcome.key, outcome)
        return outcome

    async def release(self, reservation: Reservation) -> None:
        """Settle an attempt that was never made."""
        await self._batches(_Settlement(reservation, attempts.release, attempts.settled_keys(reservation)))

    async def fail(self, reservation: Reservation) -> None:
        """Settle an attempt that was wrong."""
        await self._batches(_Settlement(reservation, attempts.fail, attempts.settled_keys(reservation)))

    async def succeed(self, reservation: Reservation) -> RateLimited | None:
        """Settle an attempt that was right. Return a refusal if there were too many of them.

        What was remembered of the buckets that it resets ends at once, on this node.
        """
        settlement = _Settlement(reservation, attempts.succeed, attempts.succeeded_keys(reservation))
        outcome: RateLimited | None = await self._batches(settlement)
        if outcome is not None:
            RATE_LIMITED.labels(outcome.limit).inc()
        for key in reservation.attempt.reset:
            self._remembered.pop(key, None)
        return outcome

    def remember(self, key: bytes, refusal: RateLimited) -> None:
        """Keep a refusal for two seconds, or until it ends: other nodes may open the bucket earlier."""
        if len(self._remembered) >= _MAX_REMEMBERED:
            self._remembered.clear()
        until = min(refusal.opens_at, self._clock.now() + _REMEMBERED_SECONDS)
        self._remembered[key] = (refusal, until)

    def remembered(self, *keys: bytes) -> RateLimited | None:
        """Return a remembered refusal by one of these buckets that still holds. Does not read the database."""
        refusal = self._find_remembered(keys)
        if refusal is not None:
            RATE_LIMITED.labels(refusal.limit).inc()
        return refusal

    def _find_remembered(self, keys: Iterable[bytes]) -> RateLimited | None:
        for key in keys:
            refusal, until = self._remembered.get(key, (None, 0))
            # At most that far ahead: later, if the clock has been put back since.
            holds = 0 < until - self._clock.now() <= _REMEMBERED_SECONDS
            if refusal is not None and holds and refusal.key in self._remembered:
                return refusal
        return None

    def close(self) -> None:
        self._batches.close()

    def _transaction(self, batch: Sequence[Pending[_Request]], *, wait: bool) -> list[_Outcome | Exception]:
        requests = [pending.item for pending in batch]
        with self._database.write(lock_timeout_ms=LOCK_TIMEOUT_MS) as connection:
            now = self._clock.now()
            read_only_keys = {key for it in requests if isinstance(it, Attempt) for key in it.read_only_keys}
            seen = load_buckets(connection, read_only_keys, now)
            refused = [self._refused_from_memory(it, seen) for it in requests]
            needed = [
                set[bytes]() if refusal else _keys(request, seen)
                for request, refusal in zip(requests, refused, strict=True)
            ]
            locked = lock_buckets(connection, set[bytes]().union(*needed), now, wait=wait)
            after = dict(locked.rows)
            outcomes: list[_Outcome | Exception] = [
                refusal or _decide(it, after, seen, now) if locked.skipped.isdisjoint(keys) else RowLockedError()
                for it, refusal, keys in zip(requests, refused, needed, strict=True)
            ]
            # Buckets that were inserted only to be locked, and those that became empty, are deleted.
            changed = {key: it for key, it in after.items() if it is not locked.rows[key] or it.expires_at <= now}
            store_buckets(connection, changed, now)
        return outcomes

    def _refused_from_memory(self, request: _Request, seen: Mapping[bytes, Bucket]) -> RateLimited | None:
        """Return the remembered refusal of another attempt, if the source is not known. Writes no row."""
        if not isinstance(request, Attempt) or _is_known(request, seen):
            return None
        return self._find_remembered(limit.key for limit in request.limits)


def _keys(request: _Request, seen: Mapping[bytes, Bucket]) -> set[bytes]:
    if isinstance(request, _Settlement):
        return request.keys
    limits = request.applicable_limits(known=_is_known(request, seen))
    return {limit.key for limit in limits if limit.counted}


def _decide(request: _Request, buckets: Buckets, seen: Mapping[bytes, Bucket], now: int) -> _Outcome:
    if isinstance(request, _Settlement):
        return request.settle(buckets, request.reservation, now)
    return attempts.reserve(buckets, request, now, known=_is_known(request, seen), seen=seen)


def _is_known(attempt: Attempt, seen: Mapping[bytes, Bucket]) -> bool:
    return attempt.source is not None and attempt.source in seen
