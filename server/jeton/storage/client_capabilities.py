"""Client capabilities: grant types, browser origins and scopes that the server announces for all clients together."""

from dataclasses import dataclass

from sqlalchemy import Connection, select

from jeton.storage.tables import clients


@dataclass(frozen=True, slots=True)
class ClientCapabilities:
    """The union over clients; `cookie_origins` over those in cookie mode."""

    grant_types: frozenset[str] = frozenset()
    origins: frozenset[str] = frozenset()
    scope: frozenset[str] = frozenset()
    cookie_origins: frozenset[str] = frozenset()


def load_client_capabilities(connection: Connection) -> ClientCapabilities:
    """Return the union over all clients that are not disabled."""
    columns = (clients.c.grant_types, clients.c.origins, clients.c.scope, clients.c.refresh_cookie)
    rows = connection.execute(select(*columns).where(clients.c.disabled.is_(False)).distinct()).all()
    grant_types, origins, scope = (frozenset[str]().union(*(row[it] for row in rows)) for it in range(3))
    cookie_origins = frozenset[str]().union(*(row.origins for row in rows if row.refresh_cookie))
    return ClientCapabilities(grant_types, origins, scope, cookie_origins)
