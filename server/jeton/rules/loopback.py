"""Where plain http will do: where nobody else can listen (RFC 6749 section 1.6, RFC 8252 section 8.3)."""

from ipaddress import ip_address


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach that host."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
