"""SQL statements on families, one row per session: what requests read and write of them, by key."""

from collections.abc import Collection, Iterable, Mapping
from operator import attrgetter
from typing import Any, Final

from sqlalchemy import (
    Connection,
    bindparam,
    insert,
    literal_column,
    select,
    update,
)
from sqlalchemy.dialects import postgresql

from jeton.oauth.scope import format_scope
from jeton.oauth.sessions import Family
from jeton.oauth.token_status_list import revoked_session_status
from jeton.storage.json_rows import encode_batch, json_rows, octets_as_text
from jeton.storage.raw_statement import RawStatement
from jeton.storage.revoked_statuses import insert_revoked_statuses
from jeton.storage.row_locks import LockedRows, LockingQuery
from jeton.storage.tables import families

# The mutable columns that store values as they are, and all.
_PLAIN: Final = (
    *("generation", "access_expires_at", "rotated_at", "idle_expires_at", "idempotency_digest", "retries"),
    *("revoked_at", "revoke_reason", "last_ip", "last_user_agent", "moves", "dpop_jkt", "certificate_thumbprint"),
)
_MUTABLE: Final = (*_PLAIN, "asked_scope", "asked_resource")
_plain_values: Final = attrgetter(*_PLAIN)
_FIELDS: Final = Family._fields

_BY_SID = select(families).where(families.c.sid.in_(bindparam("sids", expanding=True)))
_LOAD = RawStatement(_BY_SID)
_LOCK = LockingQuery(_BY_SID.order_by(families.c.sid), _LOAD)
_UNENDED_OF = families.c.sub.in_(bindparam("subs", expanding=True)) & families.c.revoked_at.is_(None)
_LOAD_UNENDED = RawStatement(select(families.c.sub, families.c.sid).where(_UNENDED_OF))
_UPDATE = RawStatement(
    update(families)
    .where(families.c.sid == bindparam("at_sid"))
    .ordered_values(*((name, bindparam(f"new_{name}")) for name in _MUTABLE))
)
# The rows exist and are locked. Each is found as a conflict, by the index on its sid, where a join may read all of the
# table, depending on the size that PostgreSQL assumes. A missing row would not be inserted: its client would be '0'.
_CHANGED = json_rows(families, ("sid", *_MUTABLE))
_UNCHANGED: Final = tuple(
    it.name for it in families.c if it.name != "sid" and it.name not in _MUTABLE and not it.nullable
)
_REWRITE = postgresql.insert(families).from_select(
    ["sid", *_MUTABLE, *_UNCHANGED],
    select(*(_CHANGED.c[name] for name in ("sid", *_MUTABLE)), *(literal_column("'0'") for _ in _UNCHANGED)),
)
_UPDATE_ALL = RawStatement(
    _REWRITE.on_conflict_do_update(
        index_elements=[families.c.sid], set_={name: _REWRITE.excluded[name] for name in _MUTABLE}
    )
)
# A family whose authorization code was not redeemed is no session.
IS_SESSION = families.c.code_expires_at.is_(None) | (families.c.generation > 0)
# A session's idle end is at most its absolute end. With a condition on that as well, PostgreSQL may use its index, and
# read all sessions that have not expired.
_OPEN = select(families.c.sub, families.c.sid).where(
    _UNENDED_OF, IS_SESSION, families.c.idle_expires_at > bindparam("now")
)
_OPEN_BY_AGE = _OPEN.order_by(families.c.created_at, families.c.rotated_at, families.c.sid)


def load_families(connection: Connection, sids: Collection[str]) -> dict[str, Family]:
    """Return families, by sid. Unknown ones are left out."""
    if not sids:
        return {}
    return {row[0]: Family._make(row) for row in _LOAD.rows(connection, sids=sids)}


def lock_families(connection: Connection, sids: Collection[str], *, wait: bool = True) -> LockedRows[str, Family]:
    """Lock families in the order of their sids, until the transaction ends, and return them.

    No join: the joined rows would be those from before the wait for the lock. No other condition than the sids: with
    one, PostgreSQL may read more rows than those.
    """
    return _LOCK.lock(connection, Family, wait=wait, sids=sids)


def load_unended_sids(connection: Connection, subs: Collection[str]) -> dict[str, set[str]]:
    """Return the sids of sessions that have not been ended, by user. The users must be locked; the sessions are not."""
    found: dict[str, set[str]] = {}
    for sub, sid in _LOAD_UNENDED.rows(connection, subs=subs) if subs else ():
        found.setdefault(sub, set()).add(sid)
    return found


def load_sids_of_browser_sessions(connection: Connection, ids: Collection[str]) -> dict[str, set[str]]:
    """Return the sids of families that have not been ended, by the browser session that they come from."""
    found: dict[str, set[str]] = {}
    if ids:
        wanted = families.c.browser_session_id.in_(ids) & families.c.revoked_at.is_(None)
        for browser_session_id, sid in connection.execute(
            select(families.c.browser_session_id, families.c.sid).where(wanted)
        ):
            found.setdefault(browser_session_id, set()).add(sid)
    return found


def load_open_sids(connection: Connection, now: int, subs: Collection[str]) -> dict[str, list[str]]:
    """Return the sids of live sessions, oldest first, by user. Takes no lock."""
    found: dict[str, list[str]] = {}
    if subs:
        for sub, sid in connection.execute(_OPEN_BY_AGE, {"subs": list(subs), "now": now}):
            found.setdefault(sub, []).append(sid)
    return found


def save_families(connection: Connection, families_by_sid: Mapping[str, Family], stored: Mapping[str, Family]) -> None:
    """Insert new families and update changed ones. `stored` are the locked rows as they were read."""
    insert_families(connection, [it for sid, it in families_by_sid.items() if sid not in stored])
    update_families(connection, [it for sid, it in families_by_sid.items() if stored.get(sid, it) is not it])


def insert_families(connection: Connection, new: Iterable[Family]) -> None:
    """Insert families. The status index of one that has ended already becomes INVALID."""
    new = list(new)
    if new:
        connection.execute(insert(families), [{name: getattr(it, name) for name in _FIELDS} for it in new])
    insert_revoked_statuses(connection, map(revoked_session_status, new))


def update_families(connection: Connection, changed: Iterable[Family]) -> None:
    """Update the mutable columns of locked families. The status indexes of those that have ended become INVALID."""
    changed = list(changed)
    if not changed:
        return
    if connection.dialect.name == "postgresql":
        _UPDATE_ALL.run(connection, [encode_batch(map(_json_row, changed))])
    else:
        _UPDATE.run_in_order(connection, [(*_stored_values(it), it.sid) for it in changed])
    insert_revoked_statuses(connection, map(revoked_session_status, changed))


def _stored_values(family: Family) -> tuple[Any, ...]:
    """Return the values of the mutable columns."""
    scope, resource = family.asked_scope, family.asked_resource
    texts = None if scope is None else format_scope(scope), None if resource is None else " ".join(resource)
    return *_plain_values(family), *texts


def _json_row(family: Family) -> dict[str, Any]:
    row = dict(zip(_MUTABLE, _stored_values(family), strict=True))
    return row | {"sid": family.sid, "idempotency_digest": octets_as_text(family.idempotency_digest)}
