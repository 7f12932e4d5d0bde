"""Refresh token rotation rules (RFC 6749 section 6, RFC 9700 section 4.14).

1. Everything that decides about a presented refresh token is in this file, as one ordered list of checks.
2. A refusal leaves the family as it is, with two exceptions that revoke it: a replay, and a use from another source if
   the client binds sessions strictly.
3. Generation numbers decide which token is newer. Clocks only decide when something ends.
"""

from typing import Any, Final

from jeton.frozen import Frozen
from jeton.oauth.clients import Client, Lifetimes
from jeton.oauth.decisions import Deny, Issue, refusal_of_unproven
from jeton.oauth.dpop_rules import PROOF_REQUIRED
from jeton.oauth.errors import ErrorCode
from jeton.oauth.resources import Resource, applicable_scope, asked_uris, uris_of
from jeton.oauth.scope import Scope
from jeton.oauth.sender_constraints import UNBOUND, Confirmation, is_held_by
from jeton.oauth.sessions import Family, Source
from jeton.oauth.users import User
from jeton.rules.network_prefix import network_prefix

# Longer than an outage of two minutes, recovery and the pauses of clients (ADR 0041).
IDEMPOTENCY_SECONDS: Final = 300
MAX_GRACE_RETRIES: Final = 5
_TOKEN_UNKNOWN: Final = Deny(ErrorCode.INVALID_GRANT, "refresh_token_unknown", unknown_token=True)


class RefreshRequest(Frozen):
    """A refresh request. `scope`, `idempotency_digest` and `resources` are None if the request has none."""

    generation: int
    scope: Scope | None = None
    idempotency_digest: bytes | None = None
    source: Source = Source()
    resources: tuple[Resource, ...] | None = None
    confirmation: Confirmation = UNBOUND


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
    """Decide about one refresh token that an authenticated client presents.

    `family`, `user` and `client` are as read under the family's lock. `genuine` is whether the token's tag is valid, or
    None if that cannot be determined because the master key is missing.
    """
    if family is None or not genuine:
        return refusal_of_unproven(family, genuine, _TOKEN_UNKNOWN)
    # Before replay: only the owner of the key may end the session.
    if reason := _foreign(family, client, request):
        return Deny(ErrorCode.INVALID_GRANT, reason)
    if family.revoked_at is not None:
        return Deny(ErrorCode.INVALID_GRANT, "family_revoked")
    # Before expiry, user and scope: a replay revokes the family even if it is also wrong in other ways.
    retry = request.generation < family.generation
    if retry and not _is_permitted_retry(family, request, lifetimes, now):
        return Deny(ErrorCode.INVALID_GRANT, "refresh_token_reused", family.revoked("refresh_token_reused", now))
    if not family.is_live(now):
        return Deny(ErrorCode.INVALID_GRANT, "refresh_token_expired")
    if user is None or user.disabled:
        return Deny(ErrorCode.INVALID_GRANT, "user_disabled")
    if refusal := _refusal_of_client(family, client, request):
        return refusal
    # Before the checks that leave the family as it is: a thief elsewhere has one attempt.
    moved = client.session_binding != "off" and has_moved(family, request.source)
    if moved and client.session_binding == "strict":
        return Deny(ErrorCode.INVALID_GRANT, "session_moved", family.revoked("session_moved", now))
    scope = grantable_scope(family, client, request.scope, request.resources)
    if isinstance(scope, Deny):
        return scope
    too_soon_by = family.rotated_at + lifetimes.refresh_spacing_seconds - now
    # If it is more than the spacing, the last refresh was stamped by a clock that has been put back since.
    if not retry and 0 < too_soon_by <= lifetimes.refresh_spacing_seconds:
        return Deny(ErrorCode.TEMPORARILY_UNAVAILABLE, "refreshed_too_soon", retry_after=too_soon_by)
    return _issued(family, user, client, request, scope, retry=retry, moved=moved, lifetimes=lifetimes, now=now)


def _foreign(family: Family, client: Client, request: RefreshRequest) -> str | None:
    """Return why the request does not come from the owner of the token, or None if it may."""
    if family.client_id != client.client_id:
        return "refresh_token_of_other_client"
    return None if is_held_by(family, request.confirmation) else "refresh_token_bound_to_other_key"


def _refusal_of_client(family: Family, client: Client, request: RefreshRequest) -> Deny | None:
    """Return why the client may not refresh as it is now, or None if it may."""
    if client.disabled:
        return Deny(ErrorCode.INVALID_CLIENT, "client_disabled")
    if client.require_dpop and request.confirmation.jkt is None:
        return PROOF_REQUIRED
    if not has_refresh_tokens(family, client):
        return Deny(ErrorCode.UNAUTHORIZED_CLIENT, "grant_type_not_given_to_client")
    return None


def grantable_scope(
    family: Family, client: Client, requested: Scope | None, resources: tuple[Resource, ...] | None
) -> Scope | Deny:
    """Return the scope of the next access token, for these resources (RFC 8707 section 2.2), or the refusal.

    `requested` and `resources` are None if the request has none: then they are those that were granted.
    """
    if resources is not None and not set(uris_of(resources)) <= set(family.audience):
        return Deny(ErrorCode.INVALID_TARGET, "resource_exceeds_grant")
    allowed = family.scope & client.scope
    wanted = allowed if requested is None else requested
    scope = applicable_scope(wanted, resources or ())
    if not wanted <= allowed or (family.scope and not scope):
        return Deny(ErrorCode.INVALID_SCOPE, "scope_exceeds_grant")
    return scope


def has_refresh_tokens(family: Family, client: Client) -> bool:
    """Return whether the family has refresh tokens (RFC 9700 section 4.14.2, OpenID Connect Core section 11).

    A web app that signs users in needs `offline_access` for them unless it is set otherwise; every other client has
    them, because it acts for absent users or has nowhere else to keep a session.
    """
    if "refresh_token" not in client.grant_types:
        return False
    if family.code_expires_at is None:
        return True
    signs_in = client.application_type == "web" and "openid" in family.scope
    rule = client.refresh_token or ("offline_access" if signs_in else "always")
    return rule == "always" or "offline_access" in family.scope


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
    """Return the decision to issue tokens."""
    changes, reason = _repeated(family) if retry else _rotated(family, request, lifetimes, now)
    if moved:
        source = request.source
        changes |= {"moves": family.moves + 1, "last_ip": source.ip, "last_user_agent": source.user_agent}
    issued_at = family.rotated_at if retry else now
    # Lifetimes may have changed: an earlier access token may expire later than this one.
    access_end = max(family.access_expires_at, family.access_end(issued_at, lifetimes.access_seconds))
    after = family._replace(**changes, access_expires_at=access_end)
    audience = asked_uris(request.resources) or family.audience
    return Issue(client, scope, audience, issued_at, reason, user, after, moved=moved)


def _is_permitted_retry(family: Family, request: RefreshRequest, lifetimes: Lifetimes, now: int) -> bool:
    """Return whether this is a permitted repetition of the last refresh.

    Only the direct parent of the newest generation, with the same requested scope and resources, for a short time after
    the rotation. Once the newest generation has been presented, its parent is no longer the direct parent.
    """
    if request.generation != family.generation - 1 or request.scope != family.asked_scope:
        return False
    if asked_uris(request.resources) != family.asked_resource:
        return False
    age = now - family.rotated_at
    # A thief who has the token does not have the idempotency key.
    if request.idempotency_digest is not None and request.idempotency_digest == family.idempotency_digest:
        return age <= IDEMPOTENCY_SECONDS
    # Absolute: a clock that was put back must not extend the grace period by as much as it was ahead.
    return abs(age) < lifetimes.retry_grace_seconds and family.retries < MAX_GRACE_RETRIES


def has_moved(family: Family, source: Source) -> bool:
    """Return whether network or user agent differ from those of the last refresh."""
    elsewhere = source.ip != family.last_ip and network_prefix(source.ip) != network_prefix(family.last_ip)
    return elsewhere or source.user_agent != family.last_user_agent


def _repeated(family: Family) -> tuple[dict[str, Any], str]:
    """Return the changed fields and the reason when the newest generation is returned once more."""
    return {"retries": family.retries + 1}, "retried"


def _rotated(family: Family, request: RefreshRequest, lifetimes: Lifetimes, now: int) -> tuple[dict[str, Any], str]:
    """Return the changed fields and the reason when the family advances by one generation.

    A genuine generation ahead of the stored one proves that the database lost commits (an asynchronous fail-over). The
    presented token is then the newest, and all generations up to it count as used.
    """
    reason = "rotated" if request.generation == family.generation else "fast_forwarded"
    changes = {
        "generation": request.generation + 1,
        "rotated_at": now,
        "idle_expires_at": min(now + lifetimes.refresh_idle_seconds, family.absolute_expires_at),
        "idempotency_digest": request.idempotency_digest,
        "asked_scope": request.scope,
        "asked_resource": asked_uris(request.resources),
        "retries": 0,
        "last_ip": request.source.ip,
        "last_user_agent": request.source.user_agent,
    }
    return changes, reason
