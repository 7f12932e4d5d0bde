"""Work that is repeated while a server serves. A failure is logged, and ends neither the work nor the server."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from jeton.crypto.key_stores import KeyStoreError
from jeton.crypto.master_key import MasterKeyError
from jeton.storage.database import StorageUnavailableError

# Their text says what is wrong; all others are defects, which are logged with their traceback.
_EXPECTED: Final = (StorageUnavailableError, MasterKeyError, KeyStoreError)


async def repeat(seconds: float, work: Callable[[], Awaitable[object]], log: Any, failure: str) -> None:
    """Wait, do the work, and begin again, until cancelled. `failure` is the event that is logged if it fails."""
    while True:
        await asyncio.sleep(seconds)
        with failures_logged(log, failure):
            await work()


@contextmanager
def failures_logged(log: Any, failure: str) -> Iterator[None]:
    """Log what the block raises, as this event, and go on after it."""
    try:
        yield
    except _EXPECTED as error:
        log.error(failure, reason=type(error).__name__, detail=str(error))
    except Exception:
        log.exception(failure)
