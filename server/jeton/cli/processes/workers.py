"""Worker processes: forked from a parent that has loaded the code, replaced if they die or hang, restarted one by one.

The parent has no threads of its own, no event loop and no open database, because a fork would copy half of each: what
it opened to load the code is closed again. Signals that it handles are blocked and taken one at a time, so that none
interrupts its work.
"""

import gc
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final

from jeton.cli.processes.handover import Handover, hand_over
from jeton.cli.processes.metrics_listener import MetricsListener
from jeton.cli.processes.trial_start import start_failure
from jeton.cli.processes.worker_process import UNRESPONSIVE_SECONDS, Worker
from jeton.frozen import Frozen
from jeton.observability.metrics_sharing import end_metrics_of

_TO_END: Final = frozenset({signal.SIGINT, signal.SIGTERM})
_SIGNALS: Final = _TO_END | {signal.SIGHUP, signal.SIGTTIN, signal.SIGTTOU, signal.SIGCHLD}
# Of no use to workers, whom they would end or stop if they are sent to all processes of the service.
_FOR_PARENT: Final = (signal.SIGHUP, signal.SIGTTIN, signal.SIGTTOU)
_TICK_SECONDS: Final = 0.2
# Between two attempts to replace a worker that died.
_REPLACE_SECONDS: Final = 1

log = logging.getLogger("uvicorn.error")


class Parent(Frozen):
    """The parent of this worker process, at the other end of the channel. `is_first`: no worker has served before.

    `number` is that of the worker.
    """

    channel: socket.socket
    number: int
    is_first: bool


class NoProcessError(OSError):
    """The system cannot start a process now: it lacks processes, memory or open files."""


class Workers:
    """The parent of `count` worker processes over listening sockets."""

    def __init__(
        self,
        sockets: Sequence[socket.socket],
        count: int,
        metrics: MetricsListener,
        handover: Handover | None = None,
    ) -> None:
        self._sockets = sockets
        self._count = count
        self._metrics = metrics
        self._workers = [Worker(pid, number, channel) for pid, number, channel in handover.workers] if handover else []
        self._replaceable_at = 0.0
        self._stopping = False

    def run(self) -> Parent | None:
        """Return in each worker process with its parent; in the parent with None, after the last worker has ended.

        Exit with the status of the first worker if that cannot start: its message has been printed by then.
        """
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        # A thread that an SDK of OpenTelemetry has started before may take one, which would then end this process. The
        # handler runs in this thread, where the signal is blocked, and so waits.
        handlers = {it: signal.signal(it, lambda number, _: signal.raise_signal(number)) for it in _SIGNALS}
        gc.freeze()
        parent = self._attempt(self._restart) if self._workers else self._start()
        while parent is None and not self._stopping:
            parent = self._attempt(self._handle_next_signal) or self._attempt(self._replace_lost)
        if parent is None:
            self._stop()
        else:
            for number, handler in handlers.items():
                signal.signal(number, signal.SIG_IGN if number in _FOR_PARENT else handler or signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
        return parent

    def _attempt(self, step: Callable[[], Parent | None]) -> Parent | None:
        """Return what the step returns. If it needs a process that cannot be started now, the workers stay."""
        try:
            return step()
        except NoProcessError as error:
            log.error("No child process can be started now: %s", error.strerror)
            return None

    def _fork(self) -> Parent | None:
        """Fork a worker. Return in the worker with its parent, in the parent with None.

        Raise NoProcessError, in the parent, if that fails.
        """
        used = {it.number for it in self._workers}
        number = next(it for it in range(len(used) + 1) if it not in used)
        try:
            ours, theirs = socket.socketpair()
            pid = os.fork()
        except OSError as error:
            raise NoProcessError(*error.args) from None
        if pid:
            theirs.close()
            os.set_inheritable(ours.fileno(), True)
            self._workers.append(Worker(pid, number, ours))
            return None
        # A channel ends when its last copy is closed: that is how a worker knows that the parent has died.
        for channel in (ours, *(it.channel for it in self._workers)):
            channel.close()
        return Parent(theirs, number, is_first=not self._workers)

    def _start(self) -> Parent | None:
        """Start the first worker alone: if it cannot start, neither can the others."""
        if (parent := self._fork()) is not None:
            return parent
        first = self._workers[0]
        while not first.is_serving:
            if (status := first.exit_status()) is not None:
                self._metrics.remove_folder()
                sys.exit(status)
            if self._is_told_to_end():
                return None
            first.ping()
        return self._fork_missing()

    def _fork_missing(self) -> Parent | None:
        while len(self._workers) < self._count:
            if (parent := self._fork()) is not None:
                return parent
        return None

    def _is_told_to_end(self) -> bool:
        """Wait for a moment, or until a worker ends. Return whether a signal told this process to end meanwhile.

        All other signals wait for their turn.
        """
        found = signal.sigtimedwait(_TO_END | {signal.SIGCHLD}, _TICK_SECONDS / 4)
        told = found is not None and found.si_signo in _TO_END
        self._stopping = self._stopping or told
        return told

    def _handle_next_signal(self) -> Parent | None:
        found = signal.sigtimedwait(_SIGNALS, _TICK_SECONDS)
        match None if found is None else found.si_signo:
            case signal.SIGINT | signal.SIGTERM:
                self._stopping = True
            case signal.SIGHUP:
                self._reload()
            case signal.SIGTTIN:
                self._count += 1
                return self._fork_missing()
            case signal.SIGTTOU if self._count > 1:
                self._count -= 1
                self._end(self._workers[-1])
        return None

    def _replace_lost(self) -> Parent | None:
        """Replace workers that have died or hang."""
        for worker in list(self._workers):
            worker.kill_if_it_hangs()
            if worker.exit_status() is not None:
                log.info("Child process [%d] died", worker.pid)
                self._forget(worker)
        if len(self._workers) == self._count or time.monotonic() < self._replaceable_at:
            return None
        self._replaceable_at = time.monotonic() + _REPLACE_SECONDS
        return self._fork_missing()

    def _reload(self) -> None:
        """Become a new parent that has loaded the installed code, unless that could not start.

        The process, its sockets and its workers stay; the new parent replaces the workers one by one.
        """
        failure = start_failure()
        if failure is not None:
            log.error("Restart refused, the workers stay as they are: %s", failure)
            return
        log.info("Received SIGHUP, restarting processes.")
        workers = [(it.pid, it.number, it.channel) for it in self._workers]
        hand_over(Handover(self._sockets, self._metrics, workers))

    def _restart(self) -> Parent | None:
        """Replace the workers of the parent before, each after its successor serves."""
        for number, old in enumerate(list(self._workers)):
            if number < self._count:
                if (parent := self._fork()) is not None:
                    return parent
                if not self._has_begun_serving(self._workers[-1]):
                    return None
            self._end(old)
            if self._stopping:
                return None
        return self._fork_missing()

    def _has_begun_serving(self, new: Worker) -> bool:
        """Wait until the new worker serves. If it does not, end it and return False: the old ones stay."""
        if self._wait_until_serving(new):
            return True
        if not self._stopping:
            log.error("New child process [%d] does not serve: the old ones stay", new.pid)
        new.send(signal.SIGKILL)
        with suppress(ChildProcessError):
            os.waitpid(new.pid, 0)
        self._forget(new)
        return False

    def _wait_until_serving(self, worker: Worker) -> bool:
        deadline = time.monotonic() + UNRESPONSIVE_SECONDS
        while time.monotonic() < deadline and worker.exit_status() is None:
            if self._is_told_to_end():
                return False
            worker.ping()
            if worker.is_serving:
                return True
        return False

    def _end(self, worker: Worker) -> None:
        """End a worker, and wait for it, unless all are to end."""
        worker.end()
        if self._have_ended([worker]):
            log.info("Terminated child process [%d]", worker.pid)
            self._forget(worker)

    def _have_ended(self, workers: Sequence[Worker]) -> bool:
        """Wait until these workers have ended. Return False as soon as a signal tells this process to end.

        They answer pings until then, however long they drain.
        """
        while workers := [it for it in workers if it.exit_status() is None]:
            for worker in workers:
                worker.kill_if_it_hangs()
            if self._is_told_to_end():
                return False
        return True

    def _forget(self, worker: Worker) -> None:
        worker.channel.close()
        self._workers.remove(worker)
        if self._metrics.folder is not None:
            end_metrics_of(self._metrics.folder, worker.number)

    def _stop(self) -> None:
        """Terminate the workers, and wait until all have ended.

        The last process to close a socket ends the listening: until then the system accepts connections that no worker
        reads. So the sockets are closed here first.
        """
        for worker in self._workers:
            worker.end()
        for sock in self._sockets:
            sock.close()
        while not self._have_ended(self._workers):
            # A second signal: nothing is finished any more.
            for worker in [it for it in self._workers if it.exit_status() is None]:
                worker.send(signal.SIGTERM)
        self._metrics.remove_folder()
