"""An authorization request on its way through the pages. It is one sealed value, and nothing is stored."""

from collections.abc import Iterable
from typing import Final

from jeton.frozen import Frozen
from jeton.oauth.authorization.authorization_request import AuthorizationRequest
from jeton.oauth.browser_sessions import BrowserSession
from jeton.oauth.logout_rules import LogoutRequest
from jeton.oauth.scope import Scope

# Nodes read the time from the database every two seconds, and may differ that much.
_CLOCK_DIFFERENCE_SECONDS: Final = 10


class Freshness(Frozen):
    """Which authentication satisfies the request: one at `since` or later, and not the one with this fingerprint."""

    since: int = 0
    stale_session: str | None = None

    def is_satisfied_by(self, session: BrowserSession) -> bool:
        """Return whether the person has authenticated recently enough."""
        return session.auth_time >= self.since and fingerprint(session) != self.stale_session


ANY_AUTHENTICATION: Final = Freshness()


class Shown(Frozen):
    """What the consent page shows, to whom: exactly this is granted if the person allows it.

    `new_scope` is what goes beyond an earlier consent of the person. `new_resources` were not allowed before, or are
    those of several where a scope is new. The person may leave out what is `optional`. `metadata_digest` is that of the
    client, as it described itself on the page.
    """

    browser_session_id: str
    scope: Scope
    resources: tuple[str, ...]
    new_scope: Scope
    new_resources: frozenset[str]
    asks_consent: bool
    optional: Scope = frozenset()
    metadata_digest: bytes | None = None

    def granted(self, chosen: Iterable[str]) -> Scope:
        """Return the scope that is granted if the person allows this, and of what is optional only what is chosen."""
        return self.scope - self.optional.difference(chosen)


class Interaction(Frozen):
    """The content of a sealed value.

    `browser` is the digest of the cookie that binds it to a browser, None if it has not reached one: a request that
    came by POST from the client's site, without cookies. `request` is None if the person signs in for their own account
    page, or out: then `logout` is the request for that.
    """

    expires_at: int
    browser: str | None
    request: AuthorizationRequest | None
    freshness: Freshness = ANY_AUTHENTICATION
    shown: Shown | None = None
    logout: LogoutRequest | None = None


def fingerprint(session: BrowserSession) -> str:
    """Return what changes each time the person authenticates in this browser."""
    return session.secret_digest.hex()[:32]


def freshness_on_arrival(request: AuthorizationRequest, session: BrowserSession | None, now: int) -> Freshness:
    """Return what `prompt=login` and `max_age` ask for (OpenID Connect Core section 3.1.2.1).

    To be kept from now on: a second look at a later time could be satisfied by going back in the browser.
    """
    if "login" in request.prompt or request.max_age == 0:
        return authenticate_again(session, now)
    if request.max_age is None:
        return ANY_AUTHENTICATION
    # The clock was ahead and has been put back: how long ago that was is unknown.
    if session is not None and session.auth_time > now + _CLOCK_DIFFERENCE_SECONDS:
        return authenticate_again(session, now)
    return Freshness(now - request.max_age)


def authenticate_again(session: BrowserSession | None, now: int) -> Freshness:
    """Return the freshness that only a new authentication satisfies."""
    return Freshness(now, None if session is None else fingerprint(session))
