"""What all clients together need: grant types, browser origins, scopes and algorithms of ID tokens."""

from sqlalchemy import Connection, literal_column, select

from jeton.frozen import Frozen
from jeton.oauth.id_token import OPENID
from jeton.storage.tables import clients


class ClientCapabilities(Frozen):
    """The union over clients; `cookie_origins` over those in cookie mode."""

    grant_types: frozenset[str] = frozenset()
    origins: frozenset[str] = frozenset()
    scope: frozenset[str] = frozenset()
    cookie_origins: frozenset[str] = frozenset()
    id_token_algorithms: frozenset[str] = frozenset()


def load_client_capabilities(connection: Connection) -> ClientCapabilities:
    """Return the union over all clients of administrators that are not disabled.

    What unregistered clients may request follows from the settings.
    """
    columns = (
        *(clients.c.grant_types, clients.c.origins, clients.c.scope),
        *(clients.c.refresh_cookie, clients.c.id_token_alg),
    )
    # Spelled out, so that the index of these clients serves every plan.
    of_administrators = clients.c.disabled.is_(False) & (clients.c.registration == literal_column("'administrator'"))
    rows = connection.execute(select(*columns).where(of_administrators).distinct()).all()
    grant_types, origins, scope = (frozenset[str]().union(*(row[it] for row in rows)) for it in range(3))
    return ClientCapabilities(
        grant_types,
        origins,
        scope,
        cookie_origins=frozenset[str]().union(*(row.origins for row in rows if row.refresh_cookie)),
        id_token_algorithms=frozenset(row.id_token_alg for row in rows if OPENID in row.scope),
    )
