"""SQL statements that list and count families, one row per session."""

from sqlalchemy import ColumnElement, Connection, func, select, true

from jeton.oauth.sessions import Family
from jeton.storage.families import IS_SESSION
from jeton.storage.list_limit import MAX_LISTED
from jeton.storage.tables import families


def list_families(
    connection: Connection, now: int, *, sub: str | None = None, client_id: str | None = None, limit: int = MAX_LISTED
) -> list[Family]:
    """Return live sessions, last used first."""
    wanted = select(families).where(selected_by(None, sub, client_id), _is_live(now))
    return [Family(*row) for row in connection.execute(wanted.order_by(families.c.rotated_at.desc()).limit(limit))]


def count_live_families(connection: Connection, now: int, sub: str) -> int:
    return connection.scalar(select(func.count()).where(families.c.sub == sub, _is_live(now))) or 0


def master_key_ids_of_families(connection: Connection) -> frozenset[str]:
    """Return the ids of the master keys that tokens of sessions are derived from. Reads the whole table."""
    return frozenset(connection.scalars(select(families.c.master_key_id).distinct()))


def sessions_of_older_master_keys(connection: Connection, now: int, newest: str) -> tuple[int, int | None]:
    """Return how many live sessions were opened under another master key, and when the last of them ends."""
    live = _is_live(now) & (families.c.absolute_expires_at > now)
    found = select(func.count(), func.max(families.c.absolute_expires_at)).where(
        live, families.c.master_key_id != newest
    )
    count, last_ends_at = connection.execute(found).one()
    return count, last_ends_at


def selected_by(sid: str | None, sub: str | None, client_id: str | None) -> ColumnElement[bool]:
    """Return the condition for the families selected, or for all if nothing is selected."""
    conditions: ColumnElement[bool] = true()
    if sid is not None:
        conditions &= families.c.sid == sid
    if sub is not None:
        conditions &= families.c.sub == sub
    if client_id is not None:
        conditions &= families.c.client_id == client_id
    return conditions


def _is_live(now: int) -> ColumnElement[bool]:
    return IS_SESSION & families.c.revoked_at.is_(None) & (families.c.idle_expires_at > now)
