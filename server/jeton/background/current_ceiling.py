"""What unregistered clients may have at most, as open resources and settings are now."""

from sqlalchemy import Connection

from jeton.admin.unregistered_clients import apply_ceiling, clients_over_ceiling
from jeton.oauth.registration_ceiling import RegistrationCeiling, registration_ceiling
from jeton.oauth.scope import Scope
from jeton.storage.database import Database
from jeton.storage.resources import load_open_resources


class CurrentCeiling:
    """The ceiling in memory. `scopes` is the setting `registration.scopes`."""

    def __init__(self, scopes: Scope, issuer: str) -> None:
        self._scopes = scopes
        self._issuer = issuer
        self._applied: RegistrationCeiling | None = None
        self.value = RegistrationCeiling()

    def read(self, connection: Connection) -> None:
        """Read which resources are open."""
        self.value = registration_ceiling(self._scopes, load_open_resources(connection), self._issuer)

    def apply(self, database: Database, now: int) -> None:
        """Take from stored clients what they may not have any more, if the ceiling is another than the last time."""
        if self.value == self._applied:
            return
        with database.read() as connection:
            beyond = clients_over_ceiling(connection, self.value)
        for client_id in beyond:
            with database.write() as connection:
                apply_ceiling(connection, now, client_id, self.value)
        self._applied = self.value
