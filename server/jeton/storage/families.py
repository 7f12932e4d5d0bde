"""SQL statements on families: one row per session."""

from collections.abc import Collection, Iterable, Mapping
from operator import attrgetter
from typing import Any, Final

import msgspec
from sqlalchemy import (
    JSON,
    ColumnElement,
    Connection,
    Select,
    Text,
    bindparam,
    cast,
    column,
    func,
    insert,
    literal,
    literal_column,
    select,
    true,
    type_coerce,
    update,
)
from sqlalchemy.dialects import postgresql

from jeton.oauth.audit_events import session_ended
from jeton.oauth.scope import format_scope
from jeton.oauth.sessions import Family
from jeton.oauth.token_status_list import revoked_session_status
from jeton.rules.key_lifecycle import CLOCK_SKEW_SECONDS
from jeton.storage.audit_trail import record
from jeton.storage.raw_statement import RawStatement
from jeton.storage.retention import delete_oldest
from jeton.storage.revoked_statuses import delete_revoked_statuses, insert_revoked_statuses, insert_selected_statuses
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
# On PostgreSQL, one statement with one parameter for a whole batch: executions cost the driver more than rows.
# The rows exist and are locked. Each is found as a conflict, by the index on its sid, where a join may read all of the
# table, depending on the size that PostgreSQL assumes. A missing row would not be inserted: its client would be '0'.
_CHANGED = (
    func.json_to_recordset(cast(bindparam("changed", type_=Text), JSON))
    .table_valued(*(column(name, families.c[name].type) for name in ("sid", *_MUTABLE)), name="changed")
    .render_derived(with_types=True)
)
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
_IS_SESSION = families.c.code_expires_at.is_(None) | (families.c.generation > 0)
# A session's idle end is at most its absolute end. With a condition on that as well, PostgreSQL may use its index, and
# read all sessions that have not expired.
_OPEN = select(families.c.sub, families.c.sid).where(
    _UNENDED_OF, _IS_SESSION, families.c.idle_expires_at > bindparam("now")
)
_OPEN_BY_AGE = _OPEN.order_by(families.c.created_at, families.c.rotated_at, families.c.sid)
_BATCH: Final = 5000


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
        _UPDATE_ALL.run(connection, [{"changed": msgspec.json.encode([_json_row(it) for it in changed]).decode()}])
    else:
        _UPDATE.run_in_order(connection, [(*_stored_values(it), it.sid) for it in changed])
    insert_revoked_statuses(connection, map(revoked_session_status, changed))


def _stored_values(family: Family) -> tuple[Any, ...]:
    """Return the values of the mutable columns."""
    scope, resource = family.asked_scope, family.asked_resource
    texts = None if scope is None else format_scope(scope), None if resource is None else " ".join(resource)
    return *_plain_values(family), *texts


def _json_row(family: Family) -> dict[str, Any]:
    """Return the row with its octets, which JSON cannot represent, in the text form of PostgreSQL."""
    digest = family.idempotency_digest
    row = dict(zip(_MUTABLE, _stored_values(family), strict=True))
    return row | {"sid": family.sid, "idempotency_digest": None if digest is None else "\\x" + digest.hex()}


def list_families(
    connection: Connection, now: int, *, sub: str | None = None, client_id: str | None = None, limit: int = 1000
) -> list[Family]:
    """Return live sessions, last used first."""
    wanted = select(families).where(_selection(None, sub, client_id), _IS_SESSION, families.c.revoked_at.is_(None))
    wanted = wanted.where(families.c.idle_expires_at > now)
    return [Family(*row) for row in connection.execute(wanted.order_by(families.c.rotated_at.desc()).limit(limit))]


def end_families(
    connection: Connection,
    now: int,
    reason: str,
    *,
    sid: str | None = None,
    sub: str | None = None,
    client_id: str | None = None,
    audience: str | None = None,
) -> int:
    """Revoke the live families selected, or all if nothing is selected, and return how many of them were sessions.

    Their status indexes become INVALID. Families are locked in the order of their sids, as in the ledger, so that the
    two do not deadlock.
    """
    chosen = _selection(sid, sub, client_id)
    if audience is not None:
        words = literal(" ") + type_coerce(families.c.audience, Text) + " "
        chosen &= words.contains(f" {audience} ", autoescape=True)
    # By an expression, PostgreSQL sorts the sessions of the client or user. By the column, it may read all sessions in
    # the order of its index, until it has found these.
    order = families.c.sid if sub is None and client_id is None else families.c.sid.concat(literal_column("''"))
    live = select(families.c.sid, _IS_SESSION, families.c.sub, families.c.client_id).where(
        chosen, families.c.revoked_at.is_(None)
    )
    ended = 0
    while True:
        found = connection.execute(live.order_by(order).limit(_BATCH).with_for_update()).all()
        if not found:
            return ended
        sids = [sid for sid, *_ in found]
        connection.execute(
            update(families).where(families.c.sid.in_(sids)).values(revoked_at=now, revoke_reason=reason)
        )
        insert_selected_statuses(connection, _status_of_living_tokens(now).where(families.c.sid.in_(sids)))
        record(connection, *(session_ended(reason, owner, client, ended_sid) for ended_sid, _, owner, client in found))
        ended += sum(is_session for _, is_session, *_ in found)


def insert_family_statuses(connection: Connection, now: int, client_id: str) -> None:
    """Make the status indexes of a disabled client's families INVALID. The client must be locked."""
    unrevoked = (families.c.client_id == client_id) & families.c.revoked_at.is_(None)
    # A refresh that is in progress commits first, so that the row has its newest access token.
    connection.execute(select(families.c.sid).where(unrevoked).order_by(families.c.sid).with_for_update()).all()
    insert_selected_statuses(connection, _status_of_living_tokens(now).where(unrevoked))


def delete_family_statuses(connection: Connection, client_id: str) -> None:
    """Make the status indexes of an enabled client's families VALID again, unless they have ended since."""
    unrevoked = (families.c.client_id == client_id) & families.c.revoked_at.is_(None)
    delete_revoked_statuses(connection, select(families.c.status_index).where(unrevoked))


def _status_of_living_tokens(now: int) -> Select[tuple[int | None, int]]:
    """Return the query for the statuses of families of which a token could still be accepted."""
    until = families.c.access_expires_at + CLOCK_SKEW_SECONDS
    return select(families.c.status_index, until).where(families.c.status_index.is_not(None), until > now)


def delete_expired_families(connection: Connection, now: int, limit: int) -> int:
    """Delete at most `limit` families past their absolute end and return how many. No token of theirs is valid."""
    return delete_oldest(
        connection, families.c.sid, families.c.absolute_expires_at, families.c.absolute_expires_at <= now, limit
    )


def forget_ended_families(connection: Connection, now: int, limit: int) -> int:
    """Delete at most `limit` ended families of which no access token can be accepted any more. Return how many.

    A replay of their refresh tokens has nothing left to revoke, and is refused like any unknown token.
    """
    is_past = families.c.access_expires_at <= now - CLOCK_SKEW_SECONDS
    return delete_oldest(
        connection, families.c.sid, families.c.revoked_at, families.c.revoked_at.is_not(None) & is_past, limit
    )


def count_live_families(connection: Connection, now: int, sub: str) -> int:
    live = _IS_SESSION & families.c.revoked_at.is_(None) & (families.c.idle_expires_at > now)
    return connection.scalar(select(func.count()).where(families.c.sub == sub, live)) or 0


def master_key_ids_of_families(connection: Connection) -> frozenset[str]:
    """Return the ids of the master keys that tokens of sessions are derived from. Reads the whole table."""
    return frozenset(connection.scalars(select(families.c.master_key_id).distinct()))


def sessions_of_older_master_keys(connection: Connection, now: int, newest: str) -> tuple[int, int | None]:
    """Return how many live sessions were opened under another master key, and when the last of them ends."""
    live = families.c.revoked_at.is_(None) & (families.c.idle_expires_at > now) & (families.c.absolute_expires_at > now)
    live &= _IS_SESSION
    found = select(func.count(), func.max(families.c.absolute_expires_at)).where(
        live, families.c.master_key_id != newest
    )
    count, last_ends_at = connection.execute(found).one()
    return count, last_ends_at


def _selection(sid: str | None, sub: str | None, client_id: str | None) -> ColumnElement[bool]:
    conditions: ColumnElement[bool] = true()
    if sid is not None:
        conditions &= families.c.sid == sid
    if sub is not None:
        conditions &= families.c.sub == sub
    if client_id is not None:
        conditions &= families.c.client_id == client_id
    return conditions
