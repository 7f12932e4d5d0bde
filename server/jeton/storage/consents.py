"""SQL statements on consents: one row per user and client."""

from collections.abc import Collection, Iterable
from dataclasses import asdict
from typing import Final

from sqlalchemy import Connection, delete, select, tuple_
from sqlalchemy.dialects import postgresql, sqlite

from jeton.oauth.consents import Consent
from jeton.storage.tables import consents

_MAX_LISTED: Final = 1000


def load_consents(connection: Connection, pairs: Collection[tuple[str, str]]) -> dict[tuple[str, str], Consent]:
    """Return consents, by (sub, client_id). Unknown ones are left out."""
    if not pairs:
        return {}
    wanted = select(consents).where(tuple_(consents.c.sub, consents.c.client_id).in_(pairs))
    return {(row[0], row[1]): Consent(*row) for row in connection.execute(wanted)}


def list_consents(connection: Connection, *, sub: str | None = None, client_id: str | None = None) -> list[Consent]:
    """Return the consents of a user or to a client, or all; the last changed first, 1,000 at most."""
    wanted = select(consents)
    if sub is not None:
        wanted = wanted.where(consents.c.sub == sub)
    if client_id is not None:
        wanted = wanted.where(consents.c.client_id == client_id)
    wanted = wanted.order_by(consents.c.updated_at.desc()).limit(_MAX_LISTED)
    return [Consent(*row) for row in connection.execute(wanted)]


def save_consents(connection: Connection, changed: Iterable[Consent]) -> None:
    """Insert consents, or replace those of the same user and client. The users must be locked."""
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    for consent in changed:
        new = dialect.insert(consents).values(**asdict(consent))
        replaced = {it: new.excluded[it] for it in ("scope", "resources", "updated_at", "metadata_digest")}
        connection.execute(new.on_conflict_do_update(index_elements=["sub", "client_id"], set_=replaced))


def delete_consents(connection: Connection, keys: Iterable[tuple[str, str]]) -> None:
    """Delete consents, given as (sub, client_id)."""
    for sub, client_id in keys:
        at = (consents.c.sub == sub) & (consents.c.client_id == client_id)
        connection.execute(delete(consents).where(at))
