"""Origins of browser apps, as browsers serialize them (RFC 6454 section 6.2; URL standard, hosts)."""

import re
from ipaddress import IPv4Address, IPv6Address
from typing import Final

import idna

from jeton.rules.loopback import is_loopback

_URL: Final = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<host>\[[0-9A-Fa-f:.]*\]|[^:/?#@\s]+)(:(?P<port>\d+))?/?"
)
_WEB_HOST: Final = re.compile(r"[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?")
_APP_HOST: Final = re.compile(r"[A-Za-z0-9._-]+")
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
# Not specific to one app, or sent as `null` by browsers.
_SHARED_SCHEMES: Final = frozenset(
    {"about", "blob", "content", "data", "file", "filesystem", "ftp", "javascript", "view-source", "ws", "wss"}
)


def origin_rejection_reason(origin: str) -> str | None:
    """Return why the origin is rejected and what to write instead, or None if it is allowed.

    Allowed are https, schemes of packaged apps, and plain http on loopback.
    """
    if origin == "null":
        return "null is not allowed as an origin: every sandboxed page and local file has it"
    match = _URL.fullmatch(origin)
    if match is None:
        return f"{origin} is not an origin: write scheme://host[:port] without a path, such as https://app.example"
    scheme, port = match["scheme"].lower(), int(match["port"] or 0)
    if scheme in _SHARED_SCHEMES:
        return f"{origin} is not an origin of one app: other apps and pages may have it"
    host = _web_host(match["host"]) if scheme in _DEFAULT_PORTS else _app_host(match["host"])
    if host is None or port > 65535 or match["port"] == "0":
        return f"{origin} is not an origin: its host or port is not valid"
    spelling = f"{scheme}://{host}" + (f":{port}" if port not in (0, _DEFAULT_PORTS.get(scheme)) else "")
    if origin != spelling:
        return f"{origin} is not the form that browsers send: write {spelling}"
    if scheme == "http" and not (is_loopback(host.strip("[]")) or host.endswith(".localhost")):
        return f"{origin} must be https, except on loopback"
    return None


def _web_host(host: str) -> str | None:
    """Return the host as browsers serialize it (lower case, ASCII, canonical addresses), or None if it is not valid."""
    try:
        if host.startswith("["):
            return f"[{IPv6Address(host[1:-1]).compressed}]"
        ascii_host = host.lower() if host.isascii() else idna.encode(host, uts46=True).decode()
        if ascii_host.rpartition(".")[2].isdecimal():
            return str(IPv4Address(ascii_host))
    except ValueError:
        return None
    return ascii_host if _WEB_HOST.fullmatch(ascii_host) else None


def _app_host(host: str) -> str | None:
    """Return the host of a packaged app, which is case-sensitive (safari-web-extension://…)."""
    return host if _APP_HOST.fullmatch(host) else None
