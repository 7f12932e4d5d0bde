"""Cookie mode: the refresh token of a page is kept in a cookie that no script can read (RFC 10017 sections 6.1, 6.2).

The browser sends the cookie with every request to this server, whichever page causes it. SameSite does not suffice: the
pages of sibling domains are of the same site. Therefore each request carries a header field that makes the browser ask
first, by a preflight, and comes from an origin of the client.
"""

from collections.abc import Collection
from typing import Final
from urllib.parse import urlsplit

from jeton.frozen import Frozen
from jeton.oauth.clients import Client
from jeton.oauth.refresh_rotation import IDEMPOTENCY_SECONDS, has_refresh_tokens
from jeton.oauth.sessions import Family
from jeton.oauth.users import User
from jeton.rules.loopback import is_loopback

# The header field, and its only value.
HEADER: Final = "X-Jeton"
HEADER_VALUE: Final = "1"
# Set by a web server that uses forward authentication, over what the page sends: the page is to have no token at all.
FORWARD_AUTH_HEADER: Final = "X-Jeton-Forward-Auth"
COOKIE_SESSION_PATH: Final = "/oauth/session"
COOKIE_LOGOUT_PATH: Final = "/oauth/session/logout"
FORWARD_AUTH_PATH: Final = "/oauth/forward-auth"


class Initiator(Frozen):
    """What a browser says of the page that sends a request; None for what it does not say.

    `header` is the value of X-Jeton, `site` that of Sec-Fetch-Site, `mode` that of Sec-Fetch-Mode (Fetch Metadata).
    """

    header: str | None = None
    origin: str | None = None
    site: str | None = None
    mode: str | None = None

    @property
    def navigates(self) -> bool:
        """Whether the browser opens the answer as a page, which no page can read."""
        return self.mode == "navigate" and self.header is None


def initiator_rejection_reason(initiator: Initiator, origins: Collection[str]) -> str | None:
    """Return why the request may not use the client's cookie and what to do, or None if it may.

    `origins` are those of the client. A request without Origin is one that a page of this same host sends by GET.
    """
    if initiator.header != HEADER_VALUE:
        return f"Send the header field {HEADER}: {HEADER_VALUE} with each request of a client in cookie mode."
    if initiator.origin is None and initiator.site != "same-origin":
        return "The request has neither an Origin nor Sec-Fetch-Site: same-origin. Send it from a page of the client."
    if initiator.origin is not None and initiator.origin not in origins:
        return "The page that sends the request is of another origin than those of the client."
    if initiator.site == "cross-site":
        return "The page that sends the request is of another site than this server: browsers send it no cookie."
    return None


def has_live_session(
    family: Family, user: User, client: Client, generation: int, *, genuine: bool | None, now: int
) -> bool:
    """Return whether the user is signed in by a refresh token of this generation, which is in the client's cookie.

    `genuine` is as in `refresh_rotation.decide`. The response to the last refresh may be lost: a page that still has
    the token before it can repeat that refresh.
    """
    if not genuine or user.disabled or family.client_id != client.client_id or not family.is_live(now):
        return False
    if not has_refresh_tokens(family, client):
        return False
    is_repeatable = generation == family.generation - 1 and now - family.rotated_at <= IDEMPOTENCY_SECONDS
    return generation == family.generation or is_repeatable


def cookie_mode_rejection_reason(client: Client) -> str | None:
    """Return why the client cannot be in cookie mode, or None if it can or is not."""
    if not client.refresh_cookie:
        return None
    if not client.public:
        return "--refresh-cookie is for pages in a browser, which have no secret: register the client with --public"
    if not client.origins or "refresh_token" not in client.grant_types:
        return "--refresh-cookie needs --grant refresh_token and the --origin of the pages that use it"
    if not all(it.startswith(("https:", "http:")) for it in client.origins):
        return "--refresh-cookie is for pages of https origins (http on loopback): others keep no cookies"
    return None


def cross_site_origins(client: Client, issuer: str) -> list[str]:
    """Return the origins of a client in cookie mode that are certainly of another site than the issuer.

    Browsers send the cookie only to their own site: the same scheme and registrable domain, which has at least two
    labels. Whether it has more depends on the public suffix list, which only browsers know.
    """
    site = _broadest_site(issuer)
    return [it for it in sorted(client.origins) if client.refresh_cookie and _broadest_site(it) != site]


def _broadest_site(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    host = parts.hostname or ""
    is_name = not is_loopback(host) and not host.replace(".", "").isdecimal() and ":" not in host
    return parts.scheme, ".".join(host.split(".")[-2:]) if is_name else host
