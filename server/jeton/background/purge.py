"""Deletion of expired rows and keys."""

from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

from sqlalchemy import Connection

from jeton.keys.key_rotation import KeyRotation
from jeton.storage.authorization_codes import delete_expired_codes
from jeton.storage.browser_sessions import delete_expired_browser_sessions
from jeton.storage.clock import Clock
from jeton.storage.database import Database, StorageUnavailableError
from jeton.storage.family_ends import delete_ended_families, delete_expired_families
from jeton.storage.initial_access_tokens import delete_expired_initial_access_tokens
from jeton.storage.logout_outbox import delete_expired_logouts
from jeton.storage.rate_limit_buckets import delete_expired_buckets
from jeton.storage.retention import is_only_deleter
from jeton.storage.revoked_access_tokens import delete_expired_access_tokens
from jeton.storage.revoked_statuses import delete_expired_statuses
from jeton.storage.single_uses import delete_expired_single_uses

# Rows of one table in one transaction: few enough that requests do not wait noticeably for it.
_MAX_ROWS: Final = 200

# Deletes at most this number of rows of one table, at this time, and returns how many were deleted.
Deletion: TypeAlias = Callable[[Connection, int, int], int]
_DELETIONS: Final[tuple[Deletion, ...]] = (
    *(delete_expired_codes, delete_expired_browser_sessions),
    *(delete_expired_access_tokens, delete_expired_families, delete_ended_families),
    *(delete_expired_statuses, delete_expired_buckets, delete_expired_single_uses, delete_expired_logouts),
    delete_expired_initial_access_tokens,
)


class Purge:
    """Deletes nothing while the clock may be wrong: a deletion cannot be undone."""

    def __init__(
        self, database: Database, clock: Clock, rotation: KeyRotation, more_deletions: Sequence[Deletion]
    ) -> None:
        self._database = database
        self._clock = clock
        self._rotation = rotation
        self._deletions = (*_DELETIONS, *more_deletions)

    def delete_expired(self) -> int:
        """Delete expired keys and rows. Return their number."""
        deleted = self.delete_expired_keys()
        while batch := self.delete_expired_batch():
            deleted += batch
        return deleted

    def delete_expired_keys(self) -> int:
        """Delete signing keys that are gone. Return their number."""
        return self._rotation.delete_expired() if self._clock.is_steady else 0

    def delete_expired_batch(self) -> int:
        """Delete a bounded number of expired rows, one transaction per table. Return their number.

        Delete nothing while another node deletes. Raise the first StorageUnavailableError, after the other tables.
        """
        if not self._clock.is_steady:
            return 0
        now, deleted, errors = self._clock.now(), 0, list[StorageUnavailableError]()
        for delete in self._deletions:
            try:
                with self._database.write() as connection:
                    if not is_only_deleter(connection):
                        break
                    deleted += delete(connection, now, _MAX_ROWS)
            except StorageUnavailableError as error:
                errors.append(error)
        if errors:
            raise errors[0]
        return deleted
