"""Client capabilities: the grant types and browser origins that the server announces for its clients together."""

from dataclasses import dataclass

from sqlalchemy import Connection, select

from jeton.storage.tables import clients


@dataclass(frozen=True, slots=True)
class ClientCapabilities:
    """The union over clients."""

    grant_types: frozenset[str] = frozenset()
    origins: frozenset[str] = frozenset()


def load_client_capabilities(connection: Connection) -> ClientCapabilities:
    """Return the union over all clients that are not disabled."""
    wanted = select(clients.c.grant_types, clients.c.origins).where(clients.c.disabled.is_(False)).distinct()
    rows = connection.execute(wanted).all()
    return ClientCapabilities(
        frozenset().union(*(row[0] for row in rows)), frozenset().union(*(row[1] for row in rows))
    )
