"""One worker process, and the channel over which its parent pings it: the parent's side and the worker's."""

import logging
import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

# A worker that has not answered for this time is killed; one that does not serve by then stops a restart.
UNRESPONSIVE_SECONDS: Final = 30

log = logging.getLogger("uvicorn.error")


@dataclass(eq=False)
class Worker:
    """A worker process as its parent sees it. Over the channel go pings, and the answers whether the worker serves.

    No two workers that run have the same `number`.
    """

    pid: int
    number: int
    channel: socket.socket
    is_serving: bool = False
    is_ending: bool = False
    heard_at: float = field(default_factory=time.monotonic)

    def ping(self) -> None:
        """Read the answers that have arrived, and ask again. Never blocks."""
        with suppress(OSError):
            while answer := self.channel.recv(64, socket.MSG_DONTWAIT):
                self.is_serving, self.heard_at = answer.endswith(b"1"), time.monotonic()
        with suppress(OSError):
            self.channel.send(b"?", socket.MSG_DONTWAIT)

    def kill_if_it_hangs(self) -> None:
        """Ping the worker, and kill it if it has not answered for too long."""
        self.ping()
        if time.monotonic() - self.heard_at > UNRESPONSIVE_SECONDS:
            log.error("Child process [%d] hangs, killing it", self.pid)
            self.send(signal.SIGKILL)

    def exit_status(self) -> int | None:
        """Return the exit status, or None while the process runs."""
        try:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
        except ChildProcessError:
            return 1
        return os.waitstatus_to_exitcode(status) if pid else None

    def end(self) -> None:
        """Tell the worker to end, once: told again, it would not finish what it is doing."""
        if not self.is_ending:
            self.is_ending = True
            self.send(signal.SIGTERM)

    def send(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            os.kill(self.pid, number)


def answer_pings(channel: socket.socket, is_serving: Callable[[], bool]) -> None:
    """Answer the parent's pings in a thread. When the parent has died, terminate this process."""

    def run() -> None:
        with suppress(OSError):
            while channel.recv(64):
                channel.sendall(b"1" if is_serving() else b"0")
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=run, name="pings", daemon=True).start()
