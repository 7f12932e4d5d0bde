"""Batches of items that lock rows. An item whose rows another transaction has locked waits without delaying others.

The main batcher processes items whose rows are free and skips the others. Skipped items go to a second batcher, with a
thread and a connection of its own, for `MAX_WAIT_SECONDS` at most. Items over the same row keep their order.
"""

import asyncio
import itertools
import time
from collections.abc import Callable, Collection, Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Generic, Protocol, TypeVar

from sqlalchemy.exc import DBAPIError

from jeton.oauth.errors import TemporarilyUnavailableError
from jeton.observability.exceptions import exception_text
from jeton.storage.batching import Batcher
from jeton.storage.database import LockTimeoutError, StorageUnavailableError, was_rolled_back

MAX_WAIT_SECONDS: Final = 2
# For each lock. After this time an item goes to the second batcher, or lets the other items there be tried.
LOCK_TIMEOUT_MS: Final = 100
_ATTEMPTS: Final = 3
_PAUSE_SECONDS: Final = 0.05
_MAX_WAITING: Final = 4096

Item = TypeVar("Item")
Result = TypeVar("Result")
Result_co = TypeVar("Result_co", covariant=True)


class RowLockedError(Exception):
    """Another transaction has locked a row that this item needs."""


class CallerGoneError(Exception):
    """The caller has been cancelled: nothing waits for the result."""


class ConcurrentUseError(TemporarilyUnavailableError):
    """Another transaction has already used what can be used once. Nothing was written."""


class _LockTimedOutError(RowLockedError):
    """A lock that some item of the batch needs was not acquired in time."""


@dataclass(slots=True, eq=False)
class Pending(Generic[Item]):
    """An item, and whether its caller has been cancelled: a client that was told to try again must not find it done."""

    item: Item
    number: int
    deadline: float = 0.0
    is_cancelled: bool = False

    @property
    def is_due(self) -> bool:
        """Whether its caller is still waiting and its time is not over."""
        return not self.is_cancelled and not (self.deadline and time.monotonic() >= self.deadline)


class Transaction(Protocol[Item, Result_co]):
    """Processes a batch in one transaction. Skips rows that other transactions have locked, or waits for them.

    Returns a result for each item: RowLockedError if a row of it was skipped. May raise what a database raises.
    """

    def __call__(self, batch: Sequence[Pending[Item]], *, wait: bool) -> Sequence[Result_co | Exception]: ...


class RowLockBatches(Generic[Item, Result]):
    """Runs items in batches. Items for which `rows` returns a common value keep their order."""

    def __init__(
        self, name: str, transaction: Transaction[Item, Result], rows: Callable[[Item], Collection[Hashable]]
    ) -> None:
        self._transaction = transaction
        self._rows = rows
        self._numbers = itertools.count()
        # Changed by three threads, in atomic operations only.
        self._waiting: set[Pending[Item]] = set()
        self._main = Batcher[Pending[Item], Result](name, self._run_main)
        self._second = Batcher[Pending[Item], Result](
            f"{name}-waiting", self._run_second, max_batch=_MAX_WAITING, max_waiting=_MAX_WAITING
        )

    async def __call__(self, item: Item) -> Result:
        """Return the result once it is durable. Raise StorageUnavailableError if that is not known."""
        pending = Pending(item, next(self._numbers))
        batcher = self._main
        try:
            while True:
                try:
                    return await batcher(pending)
                except RowLockedError:
                    if not pending.is_due:
                        raise StorageUnavailableError("another transaction keeps a row locked for too long") from None
                    batcher = self._second
        except asyncio.CancelledError:
            pending.is_cancelled = True
            raise
        finally:
            self._waiting.discard(pending)

    def close(self) -> None:
        """Finish running batches. Items that wait for locks still have their time."""
        self._main.close()
        deadline = time.monotonic() + MAX_WAIT_SECONDS
        while self._waiting and time.monotonic() < deadline:
            time.sleep(_PAUSE_SECONDS)
        self._second.close()

    def _run_main(self, batch: Sequence[Pending[Item]]) -> Sequence[Result | Exception]:
        """Process items whose rows are free, unless an earlier item waits for one of those rows."""
        waited_for = {row for it in self._waiting.copy() for row in self._rows(it.item)}
        if not waited_for:
            return self._record_locked(batch, self._attempt(batch))
        free = [it for it in batch if waited_for.isdisjoint(self._rows(it.item))]
        done = dict(zip(free, self._attempt(free) if free else (), strict=True))
        return self._record_locked(batch, [done[it] if it in done else RowLockedError() for it in batch])

    def _record_locked(
        self, batch: Sequence[Pending[Item]], results: Sequence[Result | Exception]
    ) -> Sequence[Result | Exception]:
        """Record the items that have to wait, before the next batch starts: none of its items may overtake them."""
        for pending, result in zip(batch, results, strict=True):
            if isinstance(result, RowLockedError):
                pending.deadline = time.monotonic() + MAX_WAIT_SECONDS
                self._waiting.add(pending)
                # Its caller may have been cancelled since, and then does not discard it any more.
                if pending.is_cancelled:
                    self._waiting.discard(pending)
        return results

    def _run_second(self, batch: Sequence[Pending[Item]]) -> Sequence[Result | Exception]:
        """Process items whose rows have become free. If there are none, wait for the locks of the first item."""
        ordered = sorted(batch, key=lambda it: it.number)
        results = dict(zip(ordered, self._attempt(ordered), strict=True))
        if isinstance(results[ordered[0]], _LockTimedOutError):
            results = dict(zip(ordered, self._one_by_one(ordered), strict=True))
        elif all(isinstance(it, RowLockedError) for it in results.values()):
            results[ordered[0]] = self._attempt_alone(ordered[0], wait=True)
        return [results[it] for it in batch]

    def _attempt(self, batch: Sequence[Pending[Item]]) -> Sequence[Result | Exception]:
        """Process all items in one transaction; if that fails because of one of them, one by one."""
        try:
            return self._with_retries(batch, wait=False)
        except StorageUnavailableError as error:
            if not isinstance(error, LockTimeoutError):
                raise
            return [_LockTimedOutError() for _ in batch]
        except Exception as error:  # noqa: BLE001 - its caller gets it
            return list(self._one_by_one(batch)) if len(batch) > 1 else [_as_result(error)]

    def _one_by_one(self, batch: Sequence[Pending[Item]]) -> Iterator[Result | Exception]:
        """Process each item in a transaction of its own, but none over a row that an earlier item still waits for."""
        waited_for: set[Hashable] = set()
        for pending in batch:
            overtakes = not waited_for.isdisjoint(self._rows(pending.item))
            result = RowLockedError() if overtakes else self._attempt_alone(pending, wait=False)
            if isinstance(result, RowLockedError):
                waited_for.update(self._rows(pending.item))
            yield result

    def _attempt_alone(self, pending: Pending[Item], *, wait: bool) -> Result | Exception:
        if not pending.is_due:
            return RowLockedError()
        try:
            return self._with_retries([pending], wait=wait)[0]
        except LockTimeoutError:
            return RowLockedError()
        except Exception as error:  # noqa: BLE001 - its caller gets it
            return _as_result(error)

    def _with_retries(self, batch: Sequence[Pending[Item]], *, wait: bool) -> Sequence[Result | Exception]:
        """Try again only if the transaction was rolled back, or a caller was cancelled before the commit."""
        for attempt in range(_ATTEMPTS):
            try:
                return self._transaction(batch, wait=wait)
            except CallerGoneError:
                continue
            except ConcurrentUseError:
                # The next time it is read as used. Other items of the batch must not suffer if there are more of them.
                if attempt == _ATTEMPTS - 1:
                    raise
                continue
            except DBAPIError as error:
                if not was_rolled_back(error):
                    raise
            # The transaction that went on instead must get its locks before they are requested again.
            time.sleep(_PAUSE_SECONDS)
        raise StorageUnavailableError(f"the database rolled the transaction back {_ATTEMPTS} times")


def _as_result(error: Exception) -> Exception:
    """Return a database error as StorageUnavailableError: a user or client was deleted, or text cannot be stored.

    Its text may quote values of a row, and is not passed on.
    """
    if not isinstance(error, DBAPIError):
        return error
    return StorageUnavailableError(exception_text(error) or type(error.orig).__name__)
