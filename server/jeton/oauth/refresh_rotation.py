"""The law of rotation (RFC 6749 section 6, RFC 9700 section 4.14).

1. Everything that decides what a presented refresh token does is in this file, as one ordered list of checks.
2. A refusal costs the family nothing, unless it is a replay: then the family dies. So it does where its client binds
   sessions strictly, and this one is used from elsewhere.
3. Order is decided by generation numbers; clocks only ever end things.
"""

from dataclasses import dataclass, replace
from typing import Any, Final

from jeton.oauth.clients import Client, Lifetimes
from jeton.oauth.decisions import MASTER_KEY_MISSING, Deny, Issue
from jeton.oauth.errors import ErrorCode
from jeton.oauth.scope import Scope
from jeton.oauth.sessions import Family, Source
from jeton.oauth.users import User
from jeton.rules.network_prefix import network_prefix

IDEMPOTENCY_SECONDS: Final = 120
MAX_GRACE_RETRIES: Final = 5
TOKEN_UNKNOWN: Final = "refresh_token_unknown"


@dataclass(frozen=True, slots=True)
class RefreshRequest:
    """A refresh request. `idempotency_digest` and `scope` are None where the request has none."""

    generation: int
    scope: Scope | None = None
    idempotency_digest: bytes | None = None
    source: Source = Source()


def decide(
    family: Family | None,
    user: User | None,
    client: Client,
    request: RefreshRequest,
    *,
    genuine: bool | None,
    lifetimes: Lifetimes,
    now: int,
) -> Issue | Deny:
    """What becomes of one refresh token that an authenticated client presents.

    `family`, `user` and `client` are as read under the family's lock; `genuine` says that the token's tag is ours. It
    is None if that cannot be told.
    """
    if family is None or not genuine:
        undecidable = family is not None and genuine is None
        return MASTER_KEY_MISSING if undecidable else Deny(ErrorCode.INVALID_GRANT, TOKEN_UNKNOWN)
    if family.client_id != client.client_id:
        return Deny(ErrorCode.INVALID_GRANT, "refresh_token_of_other_client")
    if family.revoked_at is not None:
        return Deny(ErrorCode.INVALID_GRANT, "family_revoked")
    # Before expiry, accounts and scope: a replay kills, however else it is wrong.
    retry = request.generation < family.generation
    if retry and not _is_permitted_retry(family, request, lifetimes, now):
        return Deny(ErrorCode.INVALID_GRANT, "refresh_token_reused", family.revoked("refresh_token_reused", now))
    if not family.is_live(now):
        return Deny(ErrorCode.INVALID_GRANT, "refresh_token_expired")
    if user is None or user.disabled:
        return Deny(ErrorCode.INVALID_GRANT, "user_disabled")
    if client.disabled:
        return Deny(ErrorCode.INVALID_CLIENT, "client_disabled")
    if "refresh_token" not in client.grant_types:
        return Deny(ErrorCode.UNAUTHORIZED_CLIENT, "grant_type_not_given_to_client")
    # Before whatever costs nothing to try: a thief elsewhere has one attempt.
    moved = client.session_binding != "off" and _has_moved(family, request.source)
    if moved and client.session_binding == "strict":
        return Deny(ErrorCode.INVALID_GRANT, "session_moved", family.revoked("session_moved", now))
    allowed = family.scope & client.scope
    scope = allowed if request.scope is None else request.scope
    if not scope <= allowed or (family.scope and not scope):
        return Deny(ErrorCode.INVALID_SCOPE, "scope_exceeds_grant")
    too_soon_by = family.rotated_at + lifetimes.refresh_spacing_seconds - now
    # Further ahead than the spacing itself, the last refresh was stamped by a clock that has been put back since.
    if not retry and 0 < too_soon_by <= lifetimes.refresh_spacing_seconds:
        return Deny(ErrorCode.TEMPORARILY_UNAVAILABLE, "refreshed_too_soon", retry_after=too_soon_by)
    return _issued(family, user, client, request, scope, retry=retry, moved=moved, lifetimes=lifetimes, now=now)


def _issued(
    family: Family,
    user: User,
    client: Client,
    request: RefreshRequest,
    scope: Scope,
    *,
    retry: bool,
    moved: bool,
    lifetimes: Lifetimes,
    now: int,
) -> Issue:
    """What becomes of a request that nothing speaks against."""
    changes, reason = _repeated(family) if retry else _rotated(family, request, lifetimes, now)
    if moved:
        source = request.source
        changes |= {"moves": family.moves + 1, "last_ip": source.ip, "last_user_agent": source.user_agent}
    issued_at = family.rotated_at if retry else now
    # Lifetimes may have changed: an earlier token may live longer than this one.
    access_end = max(family.access_expires_at, family.access_end(issued_at, lifetimes.access_seconds))
    after = replace(family, **changes, access_expires_at=access_end)
    return Issue(client, scope, family.audience, issued_at, reason, user, after, moved=moved)


def _is_permitted_retry(family: Family, request: RefreshRequest, lifetimes: Lifetimes, now: int) -> bool:
    """Only the direct parent, with the same scope asked, for a short time counted from the rotation.

    The family's newest generation was never presented: the parent would be a grandparent then.
    """
    if request.generation != family.generation - 1 or request.scope != family.asked_scope:
        return False
    age = now - family.rotated_at
    # A thief who holds the token has not the key.
    if request.idempotency_digest is not None and request.idempotency_digest == family.idempotency_digest:
        return age <= IDEMPOTENCY_SECONDS
    # Of either sign: a clock that was put back must not open the grace for as long as it was ahead.
    return abs(age) < lifetimes.retry_grace_seconds and family.retries < MAX_GRACE_RETRIES


def _has_moved(family: Family, source: Source) -> bool:
    """Whether this is another network, or another user agent, than it was last refreshed from."""
    elsewhere = source.ip != family.last_ip and network_prefix(source.ip) != network_prefix(family.last_ip)
    return elsewhere or source.user_agent != family.last_user_agent


def _repeated(family: Family) -> tuple[dict[str, Any], str]:
    """What changes when the newest generation is answered once more."""
    return {"retries": family.retries + 1}, "retried"


def _rotated(family: Family, request: RefreshRequest, lifetimes: Lifetimes, now: int) -> tuple[dict[str, Any], str]:
    """What changes when the family goes one generation on.

    A genuine generation ahead of the row proves that the database lost commits (an asynchronous fail-over): what was
    presented is then what the client holds, and everything up to it counts as spent.
    """
    reason = "rotated" if request.generation == family.generation else "fast_forwarded"
    changes = {
        "generation": request.generation + 1,
        "rotated_at": now,
        "idle_expires_at": min(now + lifetimes.refresh_idle_seconds, family.absolute_expires_at),
        "idempotency_digest": request.idempotency_digest,
        "asked_scope": request.scope,
        "retries": 0,
        "last_ip": request.source.ip,
        "last_user_agent": request.source.user_agent,
    }
    return changes, reason
