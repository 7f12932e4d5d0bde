"""The session of an app, as it is stored and as it was last seen in memory. The caller supplies time and jitter."""

from collections.abc import Callable
from functools import partial
from typing import Final

from jeton_client.errors import ServerUnavailableError, StorageUnusableError
from jeton_client.operations import Do, Operation, Wait
from jeton_client.session import PendingRefresh, Session, has_ended, renew_at
from jeton_client.storage import CheckedStorage, Storage

_LOCK_PAUSE: Final = 0.05
_LOCK_SECONDS: Final = 120.0


class CurrentSession:
    """A session that is stored before it is used. Others may share its storage: it is changed under the lock only."""

    def __init__(self, storage: Storage, clock: Callable[[], float], jitter: Callable[[], float]) -> None:
        self._storage = CheckedStorage(storage)
        self._clock = clock
        self._jitter = jitter
        self._session: Session | None = None
        self._renew_at = 0.0
        self._unstored: tuple[PendingRefresh, Session] | None = None  # a refresh and its outcome

    def good_token(self) -> str | None:
        """Return the access token in memory, or None if it has expired."""
        session = self._session  # another thread can replace it meanwhile
        if session is None or has_ended(session.tokens, self._clock()):
            return None
        return session.tokens.access_token

    def is_due(self) -> bool:
        return self._session is None or self._clock() >= self._renew_at

    def postpone_renewal(self, seconds: float) -> None:
        self._renew_at = self._clock() + seconds

    def lock(self) -> Operation[None]:
        """Acquire the storage's lock. Its holder keeps it while waiting for the server."""
        waited = 0.0
        while not self._storage.try_lock():
            if waited > _LOCK_SECONDS:
                raise ServerUnavailableError("another process has locked the session for too long")
            yield Wait(_LOCK_PAUSE)
            waited += _LOCK_PAUSE

    def unlock(self) -> None:
        self._storage.unlock()

    def check_storage(self) -> Operation[None]:
        """Raise StorageUnusableError unless a session can be kept. The lock must be held."""
        yield Do(self._storage.check)

    def stored(self) -> Operation[Session | None]:
        session: Session | None = yield Do(self._storage.load)
        return session

    def load(self) -> Operation[Session | None]:
        """Return the stored session, or the outcome of its pending refresh if that could not be stored yet."""
        session = yield from self.stored()
        if session is None:
            self._keep(None)
        elif self._unstored is not None and self._is_outdated(session):
            session = self._unstored[1]
            yield from self.store(session)
        elif self._session is None or session.tokens.access_token != self._session.tokens.access_token:
            self._keep(session)  # another thread or process has renewed it
        return session

    def store(self, session: Session) -> Operation[None]:
        """Store the session, then use it."""
        yield Do(partial(self._storage.save, session))
        self._unstored = None
        self._keep(session)

    def store_outcome(self, pending: PendingRefresh | None, outcome: Session) -> Operation[None]:
        """Store the outcome of a refresh. Keep it until then, because servers repeat a response only for a while."""
        self._unstored = None if pending is None else (pending, outcome)
        yield from self.store(outcome)

    def end(self) -> Operation[tuple[Session | None, StorageUnusableError | None]]:
        """Delete the session. Return its last state, and the error of a storage that cannot load or delete it."""
        session, failed = self._session if self._unstored is None else self._unstored[1], None
        try:
            stored = yield from self.stored()
            if stored is not None and not self._is_outdated(stored):
                session = stored
        except StorageUnusableError as error:
            failed = error
        return session, (yield from self.delete()) or failed

    def delete(self) -> Operation[StorageUnusableError | None]:
        """Delete the session. Return the error of a storage that cannot; memory is cleared in any case."""
        self._keep(None)
        self._unstored = None
        try:
            yield Do(partial(self._storage.save, None))
        except StorageUnusableError as error:
            return error
        return None

    def _is_outdated(self, stored: Session) -> bool:
        """Return whether the outcome of its refresh is in memory, because it could not be stored."""
        return self._unstored is not None and self._unstored[0] == stored.pending

    def _keep(self, session: Session | None) -> None:
        """Keep the session. A pending refresh is due immediately, because servers repeat responses only for a while."""
        self._session = session
        self._renew_at = 0.0
        if session is not None and session.pending is None:
            self._renew_at = renew_at(session.tokens, self._jitter())
