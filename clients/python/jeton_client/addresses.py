"""Secure URLs: https, or http on loopback."""

import re
from typing import Final
from urllib.parse import SplitResult, urlsplit

from jeton_client.errors import UntrustedServerError

_LOOPBACK: Final = re.compile(r"localhost|127(\.\d{1,3}){3}|::1")
_UNPRINTED: Final = re.compile(r"[^\x21-\x7E]|[\\]")


def require_secure(url: str) -> SplitResult:
    """Return the parts of an absolute URL. Raise UntrustedServerError unless it is https, or http on loopback."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise UntrustedServerError(f"not a valid URL: {_shown(url)}") from None
    if not host or _UNPRINTED.search(url) or parts.username is not None or parts.password is not None or parts.fragment:
        raise UntrustedServerError(f"not a secure absolute URL: {_shown(url)}")
    if parts.scheme == "https" or (parts.scheme == "http" and _LOOPBACK.fullmatch(host)):
        return parts
    raise UntrustedServerError(f"{_shown(url)} is not https; http is allowed on loopback only")


def origin_of(url: str) -> str:
    """Return scheme, host and port without a default port (RFC 6454). Raise UntrustedServerError if not secure."""
    parts = require_secure(url)
    default = {"https": 443, "http": 80}[parts.scheme]
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    port = "" if parts.port in (None, default) else f":{parts.port}"
    return f"{parts.scheme}://{host}{port}"


def _shown(url: str) -> str:
    """Return the URL for a message: without credentials, query and fragment."""
    return repr(re.split("[?#]", url.rpartition("@")[2])[0])
