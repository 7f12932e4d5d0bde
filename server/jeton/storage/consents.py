"""SQL statements on consents: one row per user and client."""

from collections.abc import Collection, Iterable
from dataclasses import asdict

from sqlalchemy import Connection, select, tuple_
from sqlalchemy.dialects import postgresql, sqlite

from jeton.oauth.consents import Consent
from jeton.storage.tables import consents


def load_consents(connection: Connection, pairs: Collection[tuple[str, str]]) -> dict[tuple[str, str], Consent]:
    """Return consents, by (sub, client_id). Unknown ones are left out."""
    if not pairs:
        return {}
    wanted = select(consents).where(tuple_(consents.c.sub, consents.c.client_id).in_(pairs))
    return {(row[0], row[1]): Consent(*row) for row in connection.execute(wanted)}


def save_consents(connection: Connection, changed: Iterable[Consent]) -> None:
    """Insert consents, or replace those of the same user and client. The users must be locked."""
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    for consent in changed:
        new = dialect.insert(consents).values(**asdict(consent))
        replaced = {it: new.excluded[it] for it in ("scope", "resources", "updated_at")}
        connection.execute(new.on_conflict_do_update(index_elements=["sub", "client_id"], set_=replaced))
