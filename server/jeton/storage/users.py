"""Statements over users, who are found by canonical name or e-mail address (rules/login_identifiers.py)."""

from collections.abc import Collection, Iterable
from typing import Any

from sqlalchemy import Connection, bindparam, delete, insert, or_, select, update

from jeton.oauth.users import User
from jeton.rules.login_identifiers import identifier_keys
from jeton.storage.identifiers import claim_identifier
from jeton.storage.raw_statement import RawStatement
from jeton.storage.row_locks import LockedRows, LockingQuery
from jeton.storage.tables import users

_KEYS = (users.c.username_key, users.c.email_key)
_COLUMNS = [column for column in users.c if column not in set(_KEYS)]
_THESE = select(*_COLUMNS).where(users.c.sub.in_(bindparam("subs", expanding=True)))
_LOAD = RawStatement(_THESE)
_LOCK = LockingQuery(_THESE.order_by(users.c.sub), _LOAD, key_share=True)
_FIND = RawStatement(
    select(*_KEYS, *_COLUMNS).where(or_(*(key.in_(bindparam("keys", expanding=True)) for key in _KEYS)))
)


def load_users(connection: Connection, subs: Collection[str]) -> dict[str, User]:
    """Those users, by sub."""
    return {row[0]: User(*row) for row in _LOAD.rows(connection, subs=subs)} if subs else {}


def lock_users(connection: Connection, subs: Collection[str], *, wait: bool = True) -> LockedRows[str, User]:
    """Those users, locked in the order of their subs; always before any family is locked."""
    return _LOCK.lock(connection, User, wait=wait, subs=subs)


def find_users(connection: Connection, keys: Collection[str]) -> dict[str, User]:
    """Those users, by each canonical form of theirs that was asked for."""
    rows = _FIND.rows(connection, keys=keys) if keys else ()
    return {key: User(*row[2:]) for row in rows for key in row[:2] if key in keys}


def has_users(connection: Connection) -> bool:
    """Return whether there is any user."""
    return connection.scalar(select(users.c.sub).limit(1)) is not None


def list_users(connection: Connection) -> list[User]:
    return [User(*row) for row in connection.execute(select(*_COLUMNS).order_by(users.c.username_key))]


def insert_user(connection: Connection, user: User) -> None:
    """Add the user.

    Raise InvalidIdentifierError if the name or e-mail address is invalid, IdentifierUsedError if the `sub` is not new.
    """
    claim_identifier(connection, user.sub)
    values = {column.name: getattr(user, column.name) for column in _COLUMNS}
    username_key, email_key = identifier_keys(user.username, user.email)
    connection.execute(insert(users).values(**values, username_key=username_key, email_key=email_key))


def update_user(connection: Connection, sub: str, **values: Any) -> None:
    connection.execute(update(users).where(users.c.sub == sub).values(**values))


def store_rehashed_passwords(connection: Connection, hashes: Iterable[tuple[str, str]]) -> None:
    """Upgraded hashes of unchanged passwords, as (sub, hash): no session ends by this."""
    for sub, password_hash in hashes:
        update_user(connection, sub, password_hash=password_hash)


def store_new_passwords(connection: Connection, changed: Iterable[User]) -> None:
    """The passwords of locked users."""
    for user in changed:
        update_user(connection, user.sub, password_hash=user.password_hash, password_version=user.password_version)


def delete_user(connection: Connection, sub: str) -> None:
    """Delete the user, and the sessions with it. The `sub` stays given out."""
    connection.execute(delete(users).where(users.c.sub == sub))
