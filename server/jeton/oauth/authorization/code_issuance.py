"""Issuance of authorization codes: what must still be true when the code is issued (OAuth 2.1 section 4.1.2)."""

from jeton.frozen import Frozen
from jeton.oauth.authorization.authorization_request import GRANT_TYPE, AuthorizationRequest
from jeton.oauth.authorization.redirect_uris import is_registered_redirect_uri
from jeton.oauth.authorization_codes import CODE_SECONDS, MAX_UNREDEEMED_CODES, AuthorizationCode
from jeton.oauth.browser_sessions import BrowserSession
from jeton.oauth.client_use import use_to_record
from jeton.oauth.clients import Client, Lifetimes
from jeton.oauth.consents import Consent, still_valid
from jeton.oauth.decisions import Deny, IssueCode
from jeton.oauth.errors import ErrorCode
from jeton.oauth.refresh_rotation import has_refresh_tokens
from jeton.oauth.scope import Scope
from jeton.oauth.sessions import Family, Source
from jeton.oauth.users import User


class Approval(Frozen):
    """What a user allows: `scope`, to this client, as the user of this browser session.

    `consented` says that they have just allowed it, on a page that showed `client`; it is remembered then.
    """

    client: Client
    browser_session: BrowserSession
    scope: Scope
    consented: bool


class NewFamily(Frozen):
    """What a family is made of that no rule decides: random values, settings, and where the request came from.

    `lifetimes` are those of the client, `default_audience` is for requests and clients that name none.
    """

    sid: str
    secret: bytes
    master_key_id: str
    status_index: int
    source: Source
    lifetimes: Lifetimes
    default_audience: str


class Stored(Frozen):
    """What is stored, as read under the user's lock. `unredeemed_codes` is how many of the user can be redeemed yet."""

    client: Client | None
    user: User | None
    browser_session: BrowserSession | None
    consent: Consent | None
    unredeemed_codes: int


def decide(
    request: AuthorizationRequest,
    scope: Scope,
    client: Client | None,
    stored: Stored,
    *,
    consented: bool,
    new: NewFamily,
    now: int,
) -> IssueCode | Deny:
    """Decide whether the code may be issued for `scope`, which is all or a part of what was requested.

    `client` is the stored one with what its metadata document says of it by now; if the two differ, `client` is stored.
    `consented` is whether the user has just allowed it; otherwise what the user allowed before must cover it, unless
    the client is a first party.
    """
    user, browser_session = stored.user, stored.browser_session
    if client is None or client.disabled or GRANT_TYPE not in client.grant_types:
        return Deny(ErrorCode.UNAUTHORIZED_CLIENT, "grant_type_not_given_to_client")
    if not is_registered_redirect_uri(request.redirect_uri, client):
        return Deny(ErrorCode.INVALID_REQUEST, "redirect_uri_not_registered")
    if not set(request.resources) <= set(client.resources):
        return Deny(ErrorCode.INVALID_TARGET, "resource_unknown_or_not_allowed")
    if not scope <= request.scope & client.scope:
        return Deny(ErrorCode.INVALID_SCOPE, "scope_exceeds_client")
    if user is None or user.disabled:
        return Deny(ErrorCode.LOGIN_REQUIRED, "user_disabled")
    if browser_session is None or browser_session.sub != user.sub or not browser_session.is_live(now):
        return Deny(ErrorCode.LOGIN_REQUIRED, "browser_session_ended", sub=user.sub)
    access, consent = request.access(scope), still_valid(stored.consent, client.metadata_digest)
    if not (consented or client.first_party or (consent is not None and consent.covers(access))):
        return Deny(ErrorCode.CONSENT_REQUIRED, "consent_missing", sub=user.sub)
    if stored.unredeemed_codes >= MAX_UNREDEEMED_CODES:
        return Deny(ErrorCode.TEMPORARILY_UNAVAILABLE, "too_many_codes", sub=user.sub, retry_after=CODE_SECONDS)
    before = consent or Consent(user.sub, client.client_id, {}, now, now, client.metadata_digest)
    family = _new_family(request, scope, client, browser_session, new, now)
    return IssueCode(
        "code_issued",
        family,
        _new_code(request, family, now),
        browser_session.browser_session_id,
        before.changed(access, request.access(request.scope - scope), now) if consented else None,
        client=None if client == stored.client else client,
        client_use=use_to_record(client, now),
    )


def _new_code(request: AuthorizationRequest, family: Family, now: int) -> AuthorizationCode:
    redirect_uri = request.redirect_uri if request.redirect_uri_sent else None
    return AuthorizationCode(family.sid, now + CODE_SECONDS, redirect_uri, request.nonce, request.dpop_jkt)


def _new_family(
    request: AuthorizationRequest,
    scope: Scope,
    client: Client,
    browser_session: BrowserSession,
    new: NewFamily,
    now: int,
) -> Family:
    """Return the family at generation 0. Without a redemption it ends with its code."""
    expires_at = now + CODE_SECONDS
    family = Family(
        sid=new.sid,
        client_id=client.client_id,
        sub=browser_session.sub,
        scope=scope,
        audience=request.resources or client.audience or (new.default_audience,),
        auth_time=browser_session.auth_time,
        amr=browser_session.amr,
        created_at=now,
        rotated_at=now,
        idle_expires_at=expires_at,
        absolute_expires_at=now + new.lifetimes.refresh_absolute_seconds,
        master_key_id=new.master_key_id,
        secret=new.secret,
        created_ip=new.source.ip,
        created_user_agent=new.source.user_agent,
        last_ip=new.source.ip,
        last_user_agent=new.source.user_agent,
        status_index=new.status_index,
        browser_session_id=browser_session.browser_session_id,
        code_challenge=request.code_challenge,
        code_expires_at=expires_at,
    )
    if has_refresh_tokens(family, client):
        return family
    # A session that cannot be refreshed ends with its only access token.
    return family._replace(absolute_expires_at=expires_at + new.lifetimes.access_seconds)
