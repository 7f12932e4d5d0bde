"""Redemption of authorization codes (RFC 6749 section 4.1.3, OAuth 2.1 section 7.5.2, RFC 7636 section 4.6).

1. A code is generation 0 of its family, and redeeming it is a rotation: everything that decides about a presented code
   is in this file, as one ordered list of checks.
2. What does not come from the owner of the code (another client, verifier or redirect URI) changes nothing.
3. A second use by the owner ends the family, unless it is a repetition of the request whose answer was lost.
"""

from hmac import compare_digest
from typing import Final

from jeton.frozen import Frozen
from jeton.oauth.authorization.authorization_request import GRANT_TYPE
from jeton.oauth.authorization_codes import AuthorizationCode
from jeton.oauth.clients import Client, Lifetimes
from jeton.oauth.decisions import Deny, Issue, refusal_of_unproven
from jeton.oauth.dpop_rules import PROOF_REQUIRED
from jeton.oauth.errors import ErrorCode
from jeton.oauth.refresh_rotation import IDEMPOTENCY_SECONDS, grantable_scope
from jeton.oauth.resources import Resource, asked_uris
from jeton.oauth.sender_constraints import UNBOUND, Confirmation, bound_family, is_held_by
from jeton.oauth.sessions import Family, Source
from jeton.oauth.users import User

CODE_UNKNOWN: Final = Deny(ErrorCode.INVALID_GRANT, "code_unknown", unknown_token=True)


class RedemptionRequest(Frozen):
    """A token request with a code. Each field but `source` is None if the request has no such parameter.

    `challenge` is the S256 challenge of the presented `code_verifier`, `resources` what `resource` names.
    """

    redirect_uri: str | None = None
    challenge: str | None = None
    resources: tuple[Resource, ...] | None = None
    idempotency_digest: bytes | None = None
    source: Source = Source()
    confirmation: Confirmation = UNBOUND


def decide(
    family: Family | None,
    code: AuthorizationCode | None,
    user: User | None,
    client: Client,
    request: RedemptionRequest,
    *,
    genuine: bool | None,
    lifetimes: Lifetimes,
    surplus: tuple[Family, ...],
    now: int,
) -> Issue | Deny:
    """Decide about one code that an authenticated client presents.

    `family`, `code`, `user` and `client` are as read under the locks of user and family; `code` is None once its row is
    deleted. `genuine` is whether the code's tag is valid, or None if that cannot be determined because the master key
    is missing. `surplus` are the sessions that must end for one more.
    """
    if family is None or family.code_expires_at is None or not genuine:
        return refusal_of_unproven(family, genuine, CODE_UNKNOWN)
    if family.client_id != client.client_id:
        return Deny(ErrorCode.INVALID_GRANT, "code_of_other_client")
    if reason := _mismatch(family, code, client, request):
        return Deny(ErrorCode.INVALID_GRANT, reason)
    if family.revoked_at is not None:
        return Deny(ErrorCode.INVALID_GRANT, "family_revoked")
    # Before expiry, user and target: a second use revokes the family even if it is also wrong in other ways.
    repetition = family.is_redeemed
    if repetition and not _is_permitted_repetition(family, request, now):
        return Deny(ErrorCode.INVALID_GRANT, "code_reused", family.revoked("code_reused", now))
    if reason := _end_of_grant(family, user, client, now):
        return Deny(ErrorCode.INVALID_GRANT, reason)
    if client.require_dpop and request.confirmation.jkt is None:
        return PROOF_REQUIRED
    scope = grantable_scope(family, client, None, request.resources)
    if isinstance(scope, Deny):
        return scope
    changed = family if repetition else _redeemed(family, client, request, lifetimes, now)
    return Issue(
        client,
        scope,
        asked_uris(request.resources) or family.audience,
        changed.rotated_at,
        "code_repeated" if repetition else "code_redeemed",
        user,
        changed,
        ended=() if repetition else tuple(it.revoked("too_many_sessions", now) for it in surplus),
        nonce=None if code is None else code.nonce,
    )


def _mismatch(family: Family, code: AuthorizationCode | None, client: Client, request: RedemptionRequest) -> str | None:
    """Return why the request does not come from the owner of the code, or None if it does."""
    if family.code_challenge is None:
        # A verifier where no challenge was sent points to a challenge that was removed (RFC 9700 section 4.8.2).
        if request.challenge is not None:
            return "code_verifier_without_challenge"
    elif request.challenge is None:
        return "code_verifier_missing"
    elif not compare_digest(request.challenge, family.code_challenge):
        return "code_verifier_wrong"
    if not is_held_by(family, request.confirmation):
        return "code_bound_to_other_key"
    if code is None:
        return None
    # RFC 9449 section 10.
    if code.dpop_jkt is not None and code.dpop_jkt != request.confirmation.jkt:
        return "code_bound_to_other_key"
    # An authorization request may leave it to the only one that is registered. Many clients send it now all the same.
    expected = client.redirect_uris if code.redirect_uri is None else {code.redirect_uri}
    if request.redirect_uri is not None and request.redirect_uri not in expected:
        return "redirect_uri_wrong"
    # OAuth 2.1 drops the parameter, because PKCE does its work.
    if request.redirect_uri is None and code.redirect_uri is not None and family.code_challenge is None:
        return "redirect_uri_missing"
    return None


def _is_permitted_repetition(family: Family, request: RedemptionRequest, now: int) -> bool:
    """Return whether this is the request that redeemed the code, sent once more because its answer was lost."""
    same_key = request.idempotency_digest is not None and request.idempotency_digest == family.idempotency_digest
    is_recent = now - family.rotated_at <= IDEMPOTENCY_SECONDS
    return family.generation == 1 and same_key and is_recent and asked_uris(request.resources) == family.asked_resource


def _end_of_grant(family: Family, user: User | None, client: Client, now: int) -> str | None:
    """Return why the grant has ended since the code was issued, or None if it has not ended."""
    if not family.is_live(now):
        return "code_expired"
    if user is None or user.disabled:
        return "user_disabled"
    return "client_disabled" if client.disabled or GRANT_TYPE not in client.grant_types else None


def _redeemed(family: Family, client: Client, request: RedemptionRequest, lifetimes: Lifetimes, now: int) -> Family:
    """Return the family at generation 1: now it is a session."""
    return bound_family(family, client, request.confirmation)._replace(
        generation=1,
        rotated_at=now,
        idle_expires_at=min(now + lifetimes.refresh_idle_seconds, family.absolute_expires_at),
        access_expires_at=family.access_end(now, lifetimes.access_seconds),
        idempotency_digest=request.idempotency_digest,
        asked_resource=asked_uris(request.resources),
        retries=0,
        last_ip=request.source.ip,
        last_user_agent=request.source.user_agent,
    )
