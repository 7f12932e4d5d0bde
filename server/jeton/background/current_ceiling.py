"""What unregistered clients may have at most, as open resources and settings are now."""

import time
from typing import Final

from sqlalchemy import Connection

from jeton.admin.unregistered_clients import apply_ceiling
from jeton.oauth.registration_ceiling import RegistrationCeiling, registration_ceiling, within_ceiling
from jeton.oauth.scope import Scope
from jeton.storage.clients import list_unregistered_clients
from jeton.storage.database import Database
from jeton.storage.resources import load_open_resources

# There may be any number of clients that registered themselves, and other work waits for the same thread.
_MAX_SECONDS: Final = 1.0
_CLIENTS_AT_ONCE: Final = 50
# No request lasts that long.
_REPEAT_SECONDS: Final = 30


class CurrentCeiling:
    """The ceiling in memory. `scopes` is the setting `registration.scopes`."""

    def __init__(self, scopes: Scope, issuer: str) -> None:
        self._scopes = scopes
        self._issuer = issuer
        self._applying: RegistrationCeiling | None = None
        # The client that it was applied to last; None after the last one.
        self._applied_up_to: str | None = None
        # When it is applied once more; None if it was.
        self._repeat_at: int | None = None
        self.value = RegistrationCeiling()

    def read(self, connection: Connection) -> None:
        """Read which resources are open."""
        self.value = registration_ceiling(self._scopes, load_open_resources(connection), self._issuer)

    def apply(self, database: Database, now: int) -> None:
        """Take from stored clients what they may not have any more, if the ceiling is another than the last time.

        Apply it once more half a minute later: a request that began before the change may have stored a client since.
        Stop after a second, and continue at the next call.
        """
        ceiling = self.value
        if ceiling != self._applying:
            self._applying, self._applied_up_to, self._repeat_at = ceiling, "", now + _REPEAT_SECONDS
        elif self._repeat_at is not None and now >= self._repeat_at:
            self._applied_up_to, self._repeat_at = "", None
        began = time.monotonic()
        while self._applied_up_to is not None:
            self._applied_up_to = _apply_after(self._applied_up_to, ceiling, database, now)
            if time.monotonic() - began >= _MAX_SECONDS:
                break


def _apply_after(client_id: str, ceiling: RegistrationCeiling, database: Database, now: int) -> str | None:
    """Apply the ceiling to the clients that follow this one. Return the last of them, or None if there are none."""
    with database.read() as connection:
        following = list_unregistered_clients(connection, client_id, _CLIENTS_AT_ONCE)
    for client in following:
        if within_ceiling(client, ceiling) != client:
            with database.write() as connection:
                apply_ceiling(connection, now, client.client_id, ceiling)
    return following[-1].client_id if following else None
