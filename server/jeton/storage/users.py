"""SQL statements on users, who are found by canonical name or e-mail address (rules/login_identifiers.py)."""

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
_BY_SUB = select(*_COLUMNS).where(users.c.sub.in_(bindparam("subs", expanding=True)))
_LOAD = RawStatement(_BY_SUB)
_LOCK = LockingQuery(_BY_SUB.order_by(users.c.sub), _LOAD, key_share=True)
_FIND = RawStatement(
    select(*_KEYS, *_COLUMNS).where(or_(*(key.in_(bindparam("keys", expanding=True)) for key in _KEYS)))
)


def load_users(connection: Connection, subs: Collection[str]) -> dict[str, User]:
    """Return users, by sub. Unknown ones are left out."""
    return {row[0]: User(*row) for row in _LOAD.rows(connection, subs=subs)} if subs else {}


def lock_users(connection: Connection, subs: Collection[str], *, wait: bool = True) -> LockedRows[str, User]:
    """Lock users in the order of their subs and return them. Must be called before any family is locked."""
    return _LOCK.lock(connection, User, wait=wait, subs=subs)


def find_users(connection: Connection, keys: Collection[str]) -> dict[str, User]:
    """Return users by login key: the canonical form of a user name or e-mail address."""
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


def upgrade_password_hashes(connection: Connection, hashes: Iterable[tuple[str, str]]) -> None:
    """Replace the hashes of unchanged passwords, given as (sub, hash). No session ends by this."""
    for sub, password_hash in hashes:
        update_user(connection, sub, password_hash=password_hash)


def change_passwords(connection: Connection, changed: Iterable[User]) -> None:
    """Store the password hashes and password versions of locked users."""
    for user in changed:
        update_user(connection, user.sub, password_hash=user.password_hash, password_version=user.password_version)


def save_profiles(connection: Connection, changed: Iterable[User]) -> None:
    """Store the claims about locked users."""
    for user in changed:
        update_user(connection, user.sub, profile=user.profile, updated_at=user.updated_at)


def delete_user(connection: Connection, sub: str) -> None:
    """Delete the user and their sessions. The `sub` is never assigned again."""
    connection.execute(delete(users).where(users.c.sub == sub))
