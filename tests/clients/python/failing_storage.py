"""A storage that fails on demand: custom storages can raise anything."""

from collections.abc import Mapping

from jeton_client import MemoryStorage
from jeton_client.session import Session


class FailingStorage(MemoryStorage):
    """A storage whose `load`, `save`, `lock` or `unlock` raises the errors in `failing`."""

    def __init__(self) -> None:
        super().__init__()
        self.failing: Mapping[str, Exception] = {}
        self.is_locked = False

    @property
    def kept(self) -> Session | None:
        """The stored session, even while `load` fails."""
        return super().load()

    def load(self) -> Session | None:
        self._check("load")
        return super().load()

    def save(self, session: Session | None) -> None:
        self._check("save")
        super().save(session)

    def try_lock(self) -> bool:
        self._check("lock")
        acquired = super().try_lock()
        self.is_locked |= acquired
        return acquired

    def unlock(self) -> None:
        self.is_locked = False
        super().unlock()
        self._check("unlock")

    def _check(self, method: str) -> None:
        if method in self.failing:
            raise self.failing[method]
