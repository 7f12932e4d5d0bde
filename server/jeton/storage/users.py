"""Statements over users. A user is found by the canonical form of the name (RFC 8265 UsernameCaseMapped)."""

from collections.abc import Collection, Iterable
from typing import Any

from precis_i18n import get_profile
from sqlalchemy import Connection, bindparam, delete, insert, select, update

from jeton.oauth.model import User
from jeton.storage.tables import users

MOST_USERNAME_CHARACTERS = 255

_COLUMNS = [column for column in users.c if column.name != "username_key"]
_LOAD = select(*_COLUMNS).where(users.c.sub.in_(bindparam("subs", expanding=True)))
_LOCK = _LOAD.order_by(users.c.sub).with_for_update(key_share=True)
_FIND = select(users.c.username_key, *_COLUMNS).where(users.c.username_key.in_(bindparam("keys", expanding=True)))
_USERNAME = get_profile("UsernameCaseMapped")


def username_key(username: str) -> str | None:
    """The one canonical form of a name; None where it is no user name (RFC 8265 section 3.3)."""
    if len(username) > MOST_USERNAME_CHARACTERS:
        return None
    try:
        return str(_USERNAME.enforce(username))
    except UnicodeError:
        return None


def load_users(connection: Connection, subs: Collection[str]) -> dict[str, User]:
    """Those users, by sub."""
    return {row[0]: User(*row) for row in connection.execute(_LOAD, {"subs": list(subs)})} if subs else {}


def lock_users(connection: Connection, subs: Collection[str]) -> dict[str, User]:
    """Those users, locked in the order of their subs; always before any family is locked."""
    return {row[0]: User(*row) for row in connection.execute(_LOCK, {"subs": list(subs)})} if subs else {}


def find_users(connection: Connection, keys: Collection[str]) -> dict[str, User]:
    """Those users, by the canonical form of their name."""
    return {row[0]: User(*row[1:]) for row in connection.execute(_FIND, {"keys": list(keys)})} if keys else {}


def list_users(connection: Connection) -> list[User]:
    return [User(*row) for row in connection.execute(select(*_COLUMNS).order_by(users.c.username_key))]


def add_user(connection: Connection, user: User, key: str) -> None:
    values = {column.name: getattr(user, column.name) for column in _COLUMNS}
    connection.execute(insert(users).values(**values, username_key=key))


def update_user(connection: Connection, sub: str, **values: Any) -> None:
    connection.execute(update(users).where(users.c.sub == sub).values(**values))


def store_rehashed_passwords(connection: Connection, hashes: Iterable[tuple[str, str]]) -> None:
    """Upgraded hashes of unchanged passwords, as (sub, hash): no session ends by this."""
    for sub, password_hash in hashes:
        update_user(connection, sub, password_hash=password_hash)


def delete_user(connection: Connection, sub: str) -> None:
    """Deletes the user, and the sessions with it."""
    connection.execute(delete(users).where(users.c.sub == sub))
