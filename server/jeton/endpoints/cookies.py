"""Cookies in requests and responses (RFC 6265bis)."""

from typing import Final, Literal

from jeton.frozen import Frozen, Hidden

# Browsers keep up to 180 for a registrable domain, which may have set most of them for all its hosts.
_MAX_COOKIES: Final = 200


class Cookie(Frozen):
    """A cookie to set; `max_age` in seconds, None: until the browser closes, 0: to be deleted."""

    name: str
    value: Hidden[str]
    max_age: int | None = None
    same_site: Literal["Lax", "Strict"] = "Lax"


def parse_cookies(header: str) -> dict[str, str]:
    """Return the cookies of a Cookie header field. Of two with one name the first counts: it has the longer path."""
    found: dict[str, str] = {}
    for pair in header.split(";")[:_MAX_COOKIES]:
        name, _, value = pair.strip().partition("=")
        found.setdefault(name, value)
    return found


def set_cookie(cookie: Cookie) -> str:
    """Return the value of Set-Cookie for a cookie of this host alone (RFC 6265bis section 4.1.3).

    With the prefix `__Host-`, which names have if the issuer is https, browsers require `Secure`.
    """
    secure = "; Secure" if cookie.name.startswith("__Host-") else ""
    max_age = "" if cookie.max_age is None else f"; Max-Age={cookie.max_age}"
    attributes = f"Path=/; HttpOnly; SameSite={cookie.same_site}{secure}{max_age}"
    return f"{cookie.name}={cookie.value}; {attributes}"
