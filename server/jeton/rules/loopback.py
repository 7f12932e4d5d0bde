"""Loopback hosts, for which plain http is allowed (RFC 6749 section 1.6, RFC 8252 section 8.3)."""

from ipaddress import ip_address


def is_loopback(host: str) -> bool:
    """Return whether the host is a loopback address or `localhost`."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
