"""SQL statements on authorization codes, each a row beside its family."""

from collections.abc import Collection, Iterable

from sqlalchemy import Connection, delete, func, insert, select

from jeton.frozen import Frozen, asdict
from jeton.oauth.authorization_codes import KEPT_SECONDS, AuthorizationCode
from jeton.storage.tables import authorization_codes, families


class UnredeemedCodes(Frozen):
    """How many codes a user has that can still be redeemed."""

    count: int


def count_unredeemed_codes(connection: Connection, now: int, subs: Collection[str]) -> dict[str, UnredeemedCodes]:
    """Return the numbers, by sub. Users without such codes are left out."""
    if not subs:
        return {}
    unredeemed = (families.c.code_expires_at > now) & (families.c.generation == 0)
    wanted = select(families.c.sub, func.count()).where(
        families.c.sub.in_(subs), unredeemed, families.c.revoked_at.is_(None)
    )
    return {sub: UnredeemedCodes(count) for sub, count in connection.execute(wanted.group_by(families.c.sub))}


def load_authorization_codes(connection: Connection, sids: Collection[str]) -> dict[str, AuthorizationCode]:
    """Return codes, by sid. Unknown ones are left out."""
    if not sids:
        return {}
    wanted = select(authorization_codes).where(authorization_codes.c.sid.in_(sids))
    return {row[0]: AuthorizationCode(*row) for row in connection.execute(wanted)}


def insert_authorization_codes(connection: Connection, codes: Iterable[AuthorizationCode]) -> None:
    """Insert codes. Their families must be stored."""
    connection.execute(insert(authorization_codes), [asdict(it) for it in codes])


def delete_expired_codes(connection: Connection, now: int, limit: int) -> int:
    """Delete at most `limit` codes that expired long ago, each with its family unless it was redeemed. Return how many.

    Families that other transactions have locked are left for the next call.
    """
    expired = select(authorization_codes.c.sid).where(authorization_codes.c.expires_at <= now - KEPT_SECONDS)
    sids = connection.scalars(expired.order_by(authorization_codes.c.expires_at).limit(limit)).all()
    if not sids:
        return 0
    owners = select(families.c.sid).where(families.c.sid.in_(sids)).order_by(families.c.sid)
    locked = connection.scalars(owners.with_for_update(skip_locked=True)).all()
    connection.execute(delete(authorization_codes).where(authorization_codes.c.sid.in_(locked)))
    connection.execute(delete(families).where(families.c.sid.in_(locked), families.c.generation == 0))
    return len(locked)
