"""Session storage. All users of one storage share the session: threads, tasks and, with a file, processes."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import mkstemp
from typing import Final, Protocol

from jeton_client import file_lock
from jeton_client.errors import StorageUnusableError
from jeton_client.session import Session
from jeton_client.token_answers import Tokens


class Storage(Protocol):
    """Interface of a storage. It is written only under its lock, and before the session is used.

    Methods may raise any error; the session converts it to StorageUnusableError.
    """

    def load(self) -> Session | None: ...

    def save(self, session: Session | None) -> None:
        """Store the session, durably before returning; None deletes it."""

    def try_lock(self) -> bool:
        """Acquire the lock without waiting. Return whether it was acquired."""

    def unlock(self) -> None: ...


class MemoryStorage:
    """Storage in memory, for the life of the process."""

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
    """Storage in a file with mode 0600, replaced atomically; processes lock the file `NAME.lock` beside it."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = Path(path)
        self._lock_path = Path(f"{self._path}.lock")
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
            raise StorageUnusableError(f"{self._path} cannot be read: {error}") from None
        if os.name == "posix" and mode & 0o077:  # on other systems, permissions come from the folder
            raise StorageUnusableError(
                f"{self._path} can be read by other users: run chmod 600 on it, or delete it and log in again"
            )
        try:
            return Session.from_json(text)
        except ValueError:
            raise StorageUnusableError(f"{self._path} does not contain a session: delete it and log in again") from None

    def save(self, session: Session | None) -> None:
        try:
            if session is None:
                self._path.unlink(missing_ok=True)
            else:
                self._replace(session.to_json())
        except OSError as error:
            raise StorageUnusableError(f"{self._path} cannot be written: {error}") from None
        self._synchronize_folder()

    def _replace(self, text: str) -> None:
        # mkstemp creates the file with mode 0600; the final name never refers to a partly written file.
        descriptor, temporary = mkstemp(dir=self._path.parent, prefix=f"{self._path.name}.")
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            Path(temporary).replace(self._path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise

    def _synchronize_folder(self) -> None:
        """Make a new or removed name durable. Not every system and file system can; there, it becomes so later."""
        with suppress(OSError):
            descriptor = os.open(self._path.parent, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)

    def try_lock(self) -> bool:
        if not self._threads.acquire(blocking=False):
            return False
        try:
            self._locked = self._lock_file()
        except OSError as error:
            raise StorageUnusableError(f"{self._lock_path} cannot be locked: {error}") from None
        finally:
            if self._locked is None:
                self._threads.release()
        return self._locked is not None

    def _lock_file(self) -> int | None:
        """Return the descriptor of the locked file, or None if another process has it."""
        descriptor = os.open(self._lock_path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            # If the file was deleted in the meantime, other processes lock a new one.
            if file_lock.try_lock(descriptor) and os.path.samestat(os.fstat(descriptor), self._lock_path.stat()):
                return descriptor
        except FileNotFoundError:
            pass
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)
        return None

    def unlock(self) -> None:
        assert self._locked is not None, "unlock comes after try_lock"
        descriptor, self._locked = self._locked, None
        self._threads.release()
        file_lock.unlock(descriptor)


class CheckedStorage:
    """Wrapper of any storage that converts its errors to StorageUnusableError."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def load(self) -> Session | None:
        with _converted_errors("loaded from"):
            session = self._storage.load()
        if session is not None and not isinstance(session, Session):
            raise StorageUnusableError("the storage does not contain a session")
        return session

    def save(self, session: Session | None) -> None:
        with _converted_errors("saved to"):
            self._storage.save(session)

    def try_lock(self) -> bool:
        with _converted_errors("locked in"):
            return self._storage.try_lock()

    def unlock(self) -> None:
        with suppress(Exception):  # the work is done; a lock that remains fails the next acquisition
            self._storage.unlock()

    def check(self) -> None:
        """Raise StorageUnusableError unless a session can be kept, before a password is sent. The lock must be held."""
        kept = self.load()
        self.save(kept or _ENDED)
        if kept is None:
            self.save(None)


_ENDED: Final = Session(Tokens("", 0.0, 0.0), "password")  # if it remains stored, it requires a login


@contextmanager
def _converted_errors(what: str) -> Iterator[None]:
    try:
        yield
    except StorageUnusableError:
        raise
    except Exception as error:
        raise StorageUnusableError(f"the session cannot be {what} the storage: {type(error).__name__}") from error
