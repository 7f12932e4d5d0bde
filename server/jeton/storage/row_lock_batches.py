"""Batches of items that lock rows: an item whose rows somebody else keeps locked waits aside, and holds up nobody.

The main line takes what is free and skips the rest. What was skipped waits on a line, a thread and a connection of its
own, for `MAX_WAIT_SECONDS` at most. Items over the same row are never done in another order than they came in.
"""

import asyncio
import itertools
import time
from collections.abc import Callable, Collection, Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Generic, Protocol, TypeVar

from sqlalchemy.exc import DBAPIError

from jeton.storage.batching import Batcher
from jeton.storage.database import LockTimeoutError, StorageUnavailableError, was_rolled_back

MAX_WAIT_SECONDS: Final = 2
# Of each lock: whoever has to wait longer than that goes aside, or gives way to the others who wait there.
LOCK_TIMEOUT_MS: Final = 100
_ATTEMPTS: Final = 3
_GIVE_WAY_SECONDS: Final = 0.05
_MAX_WAITING: Final = 4096

Item = TypeVar("Item")
Result = TypeVar("Result")
Result_co = TypeVar("Result_co", covariant=True)


class RowLockedError(Exception):
    """Somebody else holds a row that this item needs."""


class CallerGoneError(Exception):
    """Nobody waits for the outcome any more."""


class _LockTimedOutError(RowLockedError):
    """Whoever of the batch needed it: a lock was not to be had in time."""


@dataclass(slots=True, eq=False)
class Pending(Generic[Item]):
    """An item, and whether its caller has gone: who was told to try again later must not find it done."""

    item: Item
    number: int
    deadline: float = 0.0
    given_up: bool = False

    @property
    def is_due(self) -> bool:
        """Whether somebody still waits for it."""
        return not self.given_up and not (self.deadline and time.monotonic() >= self.deadline)


class Transaction(Protocol[Item, Result_co]):
    """Does a batch in one transaction: skips the rows that others hold, or waits for them.

    Gives a result for each item: RowLockedError where a row of it was skipped. May raise what a database raises.
    """

    def __call__(self, batch: Sequence[Pending[Item]], *, wait: bool) -> Sequence[Result_co | Exception]: ...


class RowLockBatches(Generic[Item, Result]):
    """Runs items in batches. `rows` names what an item must not be overtaken at."""

    def __init__(
        self, name: str, transaction: Transaction[Item, Result], rows: Callable[[Item], Collection[Hashable]]
    ) -> None:
        self._transaction = transaction
        self._rows = rows
        self._numbers = itertools.count()
        # Changed by three threads, by single steps only.
        self._waiting: set[Pending[Item]] = set()
        self._main = Batcher[Pending[Item], Result](name, self._run_main)
        self._aside = Batcher[Pending[Item], Result](
            f"{name}-waiting", self._run_aside, most=_MAX_WAITING, room=_MAX_WAITING
        )

    async def __call__(self, item: Item) -> Result:
        """The result, once it is durable; StorageUnavailableError where that is not known."""
        pending = Pending(item, next(self._numbers))
        line = self._main
        try:
            while True:
                try:
                    return await line(pending)
                except RowLockedError:
                    if not pending.is_due:
                        raise StorageUnavailableError("somebody else keeps a row locked that is needed") from None
                    line = self._aside
        except asyncio.CancelledError:
            pending.given_up = True
            raise
        finally:
            self._waiting.discard(pending)

    def close(self) -> None:
        """Finish what is under way; whoever waits aside still has its time."""
        self._main.close()
        deadline = time.monotonic() + MAX_WAIT_SECONDS
        while self._waiting and time.monotonic() < deadline:
            time.sleep(_GIVE_WAY_SECONDS)
        self._aside.close()

    def _run_main(self, batch: Sequence[Pending[Item]]) -> Sequence[Result | Exception]:
        """Whatever is free; nothing that somebody waits for already."""
        waited_for = {row for it in self._waiting.copy() for row in self._rows(it.item)}
        if not waited_for:
            return self._kept_aside(batch, self._attempt(batch))
        free = [it for it in batch if waited_for.isdisjoint(self._rows(it.item))]
        done = dict(zip(free, self._attempt(free) if free else (), strict=True))
        return self._kept_aside(batch, [done.get(it) or RowLockedError() for it in batch])

    def _kept_aside(
        self, batch: Sequence[Pending[Item]], results: Sequence[Result | Exception]
    ) -> Sequence[Result | Exception]:
        """Note who has to wait before the next batch begins: nobody of it may overtake them."""
        for pending, result in zip(batch, results, strict=True):
            if isinstance(result, RowLockedError):
                pending.deadline = time.monotonic() + MAX_WAIT_SECONDS
                self._waiting.add(pending)
        return results

    def _run_aside(self, batch: Sequence[Pending[Item]]) -> Sequence[Result | Exception]:
        """Do what has become free; where nothing has, wait a moment for what came first."""
        ordered = sorted(batch, key=lambda it: it.number)
        results = dict(zip(ordered, self._attempt(ordered), strict=True))
        if isinstance(results[ordered[0]], _LockTimedOutError):
            results = dict(zip(ordered, self._one_by_one(ordered), strict=True))
        elif all(isinstance(it, RowLockedError) for it in results.values()):
            results[ordered[0]] = self._attempt_alone(ordered[0], wait=True)
        return [results[it] for it in batch]

    def _attempt(self, batch: Sequence[Pending[Item]]) -> Sequence[Result | Exception]:
        """All together; where one of them is at fault, one by one."""
        try:
            return self._with_retries(batch, wait=False)
        except StorageUnavailableError as error:
            if not isinstance(error, LockTimeoutError):
                raise
            return [_LockTimedOutError()] * len(batch)
        except Exception as error:  # noqa: BLE001 - it is handed to the caller it belongs to
            return list(self._one_by_one(batch)) if len(batch) > 1 else [_as_result(error)]

    def _one_by_one(self, batch: Sequence[Pending[Item]]) -> Iterator[Result | Exception]:
        """Each by itself, but nothing over a row that one before it still waits for."""
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
        except Exception as error:  # noqa: BLE001 - it is handed to the caller it belongs to
            return _as_result(error)

    def _with_retries(self, batch: Sequence[Pending[Item]], *, wait: bool) -> Sequence[Result | Exception]:
        """Once more only where the database has undone all of it, or a caller has gone before the commit."""
        for _ in range(_ATTEMPTS):
            try:
                return self._transaction(batch, wait=wait)
            except CallerGoneError:
                continue
            except DBAPIError as error:
                if not was_rolled_back(error):
                    raise
            # Whoever was let through instead must get its locks before we ask for them again.
            time.sleep(_GIVE_WAY_SECONDS)
        raise StorageUnavailableError(f"the database undid the transaction {_ATTEMPTS} times")


def _as_result(error: Exception) -> Exception:
    """A user or client deleted just now, or text that the database cannot hold: the next try will tell."""
    return StorageUnavailableError(str(error)) if isinstance(error, DBAPIError) else error
