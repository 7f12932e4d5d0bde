"""Resolution of host names by the system, in threads of its own."""

import asyncio
import socket
import threading
from collections.abc import Sequence
from contextlib import suppress


class SystemResolver:
    """Resolves host names that others choose: their slow name servers delay nothing else.

    Each name has a thread, at most `max_threads` at once, because the system cannot be told to give up. They are daemon
    threads, so that the process need not wait for them to end.
    """

    def __init__(self, max_threads: int) -> None:
        self._free = asyncio.Semaphore(max_threads)

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        """Return the IP addresses of a host, the preferred one first. Raise OSError or UnicodeError if it has none."""
        await self._free.acquire()
        loop = asyncio.get_running_loop()
        resolved: asyncio.Future[Sequence[str]] = loop.create_future()

        def finish(addresses: Sequence[str], error: Exception | None) -> None:
            self._free.release()
            if resolved.done():  # The caller has given up.
                return
            if error is None:
                resolved.set_result(addresses)
            else:
                resolved.set_exception(error)

        def run() -> None:
            addresses, failure = [], None
            try:
                addresses = [str(it[4][0]) for it in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
            except (OSError, UnicodeError) as error:
                failure = error
            with suppress(RuntimeError):  # The loop is closed.
                loop.call_soon_threadsafe(finish, addresses, failure)

        try:
            threading.Thread(target=run, name="resolution", daemon=True).start()
        except RuntimeError as error:
            # The system has no thread left. Without this, every such name would take a place for ever.
            self._free.release()
            raise OSError(str(error)) from None
        return await resolved
