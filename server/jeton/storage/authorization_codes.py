"""SQL statements on authorization codes, each a row beside its family."""

from collections.abc import Collection, Iterable
from dataclasses import asdict

from sqlalchemy import Connection, insert, select

from jeton.oauth.authorization_codes import AuthorizationCode
from jeton.storage.tables import authorization_codes


def load_authorization_codes(connection: Connection, sids: Collection[str]) -> dict[str, AuthorizationCode]:
    """Return codes, by sid. Unknown ones are left out."""
    if not sids:
        return {}
    wanted = select(authorization_codes).where(authorization_codes.c.sid.in_(sids))
    return {row[0]: AuthorizationCode(*row) for row in connection.execute(wanted)}


def insert_authorization_codes(connection: Connection, codes: Iterable[AuthorizationCode]) -> None:
    """Insert codes. Their families must be stored."""
    connection.execute(insert(authorization_codes), [asdict(it) for it in codes])
