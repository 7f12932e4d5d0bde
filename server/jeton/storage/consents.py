"""SQL statements on consents: one row per user and client."""

from collections.abc import Collection, Iterable, Sequence
from typing import Any, Final

from sqlalchemy import Connection, delete, func, select, tuple_

from jeton.frozen import asdict
from jeton.oauth.consents import NO_RESOURCE, Consent
from jeton.oauth.resources import OPENID_SCOPES
from jeton.storage.list_limit import MAX_LISTED
from jeton.storage.tables import consents
from jeton.storage.upserts import insert_into

_REPLACED: Final = ("allowed", "scope", "resources", "updated_at", "metadata_digest")


def load_consents(connection: Connection, pairs: Collection[tuple[str, str]]) -> dict[tuple[str, str], Consent]:
    """Return consents, by (sub, client_id). Unknown ones are left out."""
    if not pairs:
        return {}
    wanted = select(consents).where(tuple_(consents.c.sub, consents.c.client_id).in_(pairs))
    return {(row[0], row[1]): _consent(row) for row in connection.execute(wanted)}


def list_consents(connection: Connection, *, sub: str | None = None, client_id: str | None = None) -> list[Consent]:
    """Return the consents of a user or to a client, or all; the last changed first, 1,000 at most."""
    wanted = select(consents)
    if sub is not None:
        wanted = wanted.where(consents.c.sub == sub)
    if client_id is not None:
        wanted = wanted.where(consents.c.client_id == client_id)
    wanted = wanted.order_by(consents.c.updated_at.desc()).limit(MAX_LISTED)
    return [_consent(row) for row in connection.execute(wanted)]


def count_consents(connection: Connection) -> dict[str, int]:
    """Return how many users have allowed each client something, by client_id; those without are left out."""
    counted = select(consents.c.client_id, func.count()).group_by(consents.c.client_id)
    return {row[0]: row[1] for row in connection.execute(counted)}


def save_consents(connection: Connection, changed: Iterable[Consent]) -> None:
    """Insert consents, or replace those of the same user and client. The users must be locked."""
    for consent in changed:
        new = insert_into(connection, consents).values(
            **asdict(consent), scope=consent.scope, resources=consent.resources
        )
        replaced = {it: new.excluded[it] for it in _REPLACED}
        connection.execute(new.on_conflict_do_update(index_elements=["sub", "client_id"], set_=replaced))


def delete_consents(connection: Connection, keys: Iterable[tuple[str, str]]) -> None:
    """Delete consents, given as (sub, client_id)."""
    for sub, client_id in keys:
        at = (consents.c.sub == sub) & (consents.c.client_id == client_id)
        connection.execute(delete(consents).where(at))


def _consent(row: Sequence[Any]) -> Consent:
    """Return the consent. A row of the version before has no `allowed`: all of its scope counts at each resource."""
    sub, client_id, allowed, created_at, updated_at, metadata_digest, scope, resources = row
    if allowed is None:
        allowed = {NO_RESOURCE: scope, **dict.fromkeys(resources, scope - OPENID_SCOPES)}
    return Consent(sub, client_id, allowed, created_at, updated_at, metadata_digest)
