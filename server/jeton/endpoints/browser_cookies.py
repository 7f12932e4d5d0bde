"""The two cookies of the pages: the browser session, and what binds a sealed value to a browser (RFC 6265bis)."""

import hashlib
import re
from typing import Final

from jeton.crypto.credentials import generate_cookie_secret
from jeton.crypto.sealed_request import browser_digest
from jeton.endpoints.cookies import Cookie
from jeton.endpoints.page_messages import PageRequest

_SECRET: Final = re.compile(r"[A-Za-z0-9_-]{43}")


class BrowserCookies:
    """Names and values of the cookies of one server."""

    def __init__(self, issuer: str, absolute_seconds: int) -> None:
        """Two servers may share a host: the names hold a digest of the issuer.

        With the prefix `__Host-`, browsers take them from this host over https only.
        """
        prefix = "__Host-" if issuer.startswith("https:") else ""
        name = f"{prefix}jeton-{hashlib.sha256(issuer.encode()).hexdigest()[:12]}"
        self._session, self._browser = f"{name}-session", f"{name}-browser"
        self._absolute_seconds = absolute_seconds

    def session_secret(self, request: PageRequest) -> str | None:
        """Return the secret of the browser session that the browser claims to have."""
        return _value(request, self._session)

    def digest(self, request: PageRequest) -> str | None:
        """Return the digest that binds sealed values to this browser, or None if it has no such cookie yet."""
        secret = _value(request, self._browser)
        return None if secret is None else browser_digest(secret)

    def bind(self, request: PageRequest) -> tuple[str, tuple[Cookie, ...]]:
        """Return the digest that binds sealed values to this browser, and the cookie to set if it has none yet."""
        known = self.digest(request)
        if known is not None:
            return known, ()
        secret = generate_cookie_secret()
        return browser_digest(secret), (Cookie(self._browser, secret),)

    def signed_in(self, secret: str) -> Cookie:
        """Return the cookie of a browser session."""
        return Cookie(self._session, secret, self._absolute_seconds)

    def signed_out(self) -> Cookie:
        """Return the cookie that deletes the one of a browser session."""
        return Cookie(self._session, "", 0)


def _value(request: PageRequest, name: str) -> str | None:
    value = request.cookies.get(name, "")
    return value if _SECRET.fullmatch(value) else None
