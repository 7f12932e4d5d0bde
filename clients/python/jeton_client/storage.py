"""Where a session is kept. Whoever shares a storage shares the session: threads, tasks and, with a file, processes."""

import fcntl
import os
import threading
from pathlib import Path
from tempfile import mkstemp
from typing import Protocol

from jeton_client.errors import StorageUnusable
from jeton_client.session import Session


class Storage(Protocol):
    """What a storage does. It is only written under its lock, and before what is written is used."""

    def load(self) -> Session | None: ...

    def save(self, session: Session | None) -> None:
        """Returns once it is kept; None forgets what was."""

    def try_lock(self) -> bool:
        """Takes the lock, unless somebody has it; does not wait."""

    def unlock(self) -> None: ...


class MemoryStorage:
    """Kept for as long as the process lives."""

    def __init__(self) -> None:
        self._session: Session | None = None
        self._lock = threading.Lock()

    def load(self) -> Session | None:
        return self._session

    def save(self, session: Session | None) -> None:
        self._session = session

    def try_lock(self) -> bool:
        return self._lock.acquire(blocking=False)

    def unlock(self) -> None:
        self._lock.release()


class FileStorage:
    """A file that only its owner may read, replaced as a whole; beside it lies `NAME.lock`, which processes lock.

    The lock of a process that dies is free at once. POSIX only.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = Path(path)
        self._locked: int | None = None
        self._threads = threading.Lock()

    def load(self) -> Session | None:
        try:
            with self._path.open("rb") as file:
                mode = os.fstat(file.fileno()).st_mode
                text = file.read().decode()
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise StorageUnusable(f"{self._path} cannot be read: {error}") from None
        if mode & 0o077:
            raise StorageUnusable(f"{self._path} may be read by others: chmod 600 it, or delete it and log in again")
        try:
            return Session.from_json(text)
        except ValueError:
            raise StorageUnusable(f"{self._path} holds no session: delete it and log in again") from None

    def save(self, session: Session | None) -> None:
        if session is None:
            self._path.unlink(missing_ok=True)
            return
        # mkstemp makes the file with mode 0600; nothing is ever half written under the final name.
        descriptor, temporary = mkstemp(dir=self._path.parent, prefix=f"{self._path.name}.")
        try:
            with os.fdopen(descriptor, "w") as file:
                file.write(session.to_json())
                file.flush()
                os.fsync(file.fileno())
            Path(temporary).replace(self._path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise

    def try_lock(self) -> bool:
        if not self._threads.acquire(blocking=False):
            return False
        try:
            descriptor = os.open(f"{self._path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except BaseException:
            self._threads.release()
            raise
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
            self._threads.release()
            return False
        self._locked = descriptor
        return True

    def unlock(self) -> None:
        assert self._locked is not None, "unlock comes after try_lock"
        descriptor, self._locked = self._locked, None
        os.close(descriptor)
        self._threads.release()
