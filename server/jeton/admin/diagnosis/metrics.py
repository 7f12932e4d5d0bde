"""Check of `metrics.listen`: the metrics say how busy the server is, and are not public."""

from ipaddress import ip_address
from typing import Final

from jeton.admin.diagnosis.findings import Finding, ok, warn
from jeton.rules.loopback import is_loopback

_CHECK: Final = "metrics"


def check_metrics(host: str, port: int) -> Finding:
    """Return whether the address is one that only this machine or its own network can reach."""
    try:
        address = ip_address(host)
        is_private = address.is_private and not address.is_unspecified
    except ValueError:
        is_private = is_loopback(host)
    if is_private:
        return ok(_CHECK, f"listen on {host} port {port}")
    return warn(
        _CHECK,
        f"metrics.listen {host} may be reached from other networks, at port {port}",
        "name a loopback address or one of your own network, or keep others out with a firewall",
    )
