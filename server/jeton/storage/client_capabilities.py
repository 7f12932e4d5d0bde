"""Client capabilities: grant types, browser origins and scopes that the server announces for all clients together."""

from dataclasses import dataclass

from sqlalchemy import Connection, select

from jeton.storage.tables import clients


@dataclass(frozen=True, slots=True)
class ClientCapabilities:
    """The union over clients."""

    grant_types: frozenset[str] = frozenset()
    origins: frozenset[str] = frozenset()
    scope: frozenset[str] = frozenset()


def load_client_capabilities(connection: Connection) -> ClientCapabilities:
    """Return the union over all clients that are not disabled."""
    columns = (clients.c.grant_types, clients.c.origins, clients.c.scope)
    rows = connection.execute(select(*columns).where(clients.c.disabled.is_(False)).distinct()).all()
    return ClientCapabilities(*(frozenset[str]().union(*(row[it] for row in rows)) for it in range(len(columns))))
