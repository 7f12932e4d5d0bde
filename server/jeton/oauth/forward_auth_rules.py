"""Access tokens for a proxy that forwards the requests of a page (RFC 10017 section 6.1.3.6). Nothing is rotated."""

from jeton.oauth.clients import Client, Lifetimes
from jeton.oauth.decisions import Deny, Issue, refusal_of_unproven
from jeton.oauth.errors import ErrorCode
from jeton.oauth.refresh_rotation import grantable_scope, has_moved, has_refresh_tokens
from jeton.oauth.sender_constraints import UNBOUND, is_held_by
from jeton.oauth.sessions import Family, Source
from jeton.oauth.users import User

_NO_SESSION = Deny(ErrorCode.INVALID_TOKEN, "refresh_cookie_without_session")
_TOKEN_UNKNOWN = Deny(ErrorCode.INVALID_TOKEN, "refresh_cookie_unknown", unknown_token=True)


def decide(
    family: Family | None,
    user: User | None,
    client: Client,
    generation: int,
    *,
    genuine: bool | None,
    lifetimes: Lifetimes,
    source: Source,
    now: int,
) -> Issue | Deny:
    """Decide about an access token for the session of the refresh token in a cookie, which stays as it is.

    Only the newest generation counts, and a refusal changes nothing: what an older one means is decided when a page
    tries to refresh with it. The family records how long its access tokens last, so that their status is kept as long.
    `genuine` is None if that cannot be determined because the master key is missing.
    """
    if family is None or not genuine:
        return refusal_of_unproven(family, genuine, _TOKEN_UNKNOWN)
    if family.client_id != client.client_id:
        return _NO_SESSION
    # The proxy does not have the key of the page, and this token is bound to none.
    if client.require_dpop or not is_held_by(family, UNBOUND):
        return _NO_SESSION
    # Whether the session ends is decided when the page refreshes from there.
    if client.session_binding == "strict" and has_moved(family, source):
        return _NO_SESSION
    is_current = generation == family.generation and family.is_live(now)
    if not is_current or user is None or user.disabled or client.disabled or not has_refresh_tokens(family, client):
        return _NO_SESSION
    scope = grantable_scope(family, client, None, None)
    if isinstance(scope, Deny):
        return _NO_SESSION
    access_end = max(family.access_expires_at, family.access_end(now, lifetimes.access_seconds))
    after = family._replace(access_expires_at=access_end)
    return Issue(client, scope, family.audience, now, "forwarded", user, after)
