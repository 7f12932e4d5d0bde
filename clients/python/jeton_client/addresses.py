"""Addresses that secrets and trust may travel to: https, or http on this very machine."""

import re
from typing import Final
from urllib.parse import SplitResult, urlsplit

from jeton_client.errors import UntrustedServerError

_LOOPBACK: Final = re.compile(r"localhost|127(\.\d{1,3}){3}|::1")
_UNPRINTED: Final = re.compile(r"[^\x21-\x7E]|[\\]")


def require_secure(url: str) -> SplitResult:
    """The parts of an absolute https URL, or http on loopback; UntrustedServerError for any other."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise UntrustedServerError(f"not an address: {url!r}") from None
    if not host or _UNPRINTED.search(url) or parts.username is not None or parts.password is not None or parts.fragment:
        raise UntrustedServerError(f"not an address that is safe to use: {url!r}")
    if parts.scheme == "https" or (parts.scheme == "http" and _LOOPBACK.fullmatch(host)):
        return parts
    raise UntrustedServerError(f"{url!r} is not https; http is for loopback only")


def origin_of(url: str) -> str:
    """Scheme, host and port (RFC 6454), the default port left out; UntrustedServerError where `url` is not secure."""
    parts = require_secure(url)
    default = {"https": 443, "http": 80}[parts.scheme]
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    port = "" if parts.port in (None, default) else f":{parts.port}"
    return f"{parts.scheme}://{host}{port}"
