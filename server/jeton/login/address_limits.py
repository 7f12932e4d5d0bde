"""Limits by network address: an IPv4 address, or each of the prefixes that hold an IPv6 one (ADR 0018)."""

from dataclasses import replace
from typing import Final

from jeton.crypto.rate_limit_keys import RateLimitKeys
from jeton.rules.attempts import Limit
from jeton.rules.network_prefix import network_prefixes
from jeton.rules.rate_limit_policies import Rate

ADDRESS: Final = "address"

# Peers without an address, as on a Unix socket, are counted as one.
_NO_ADDRESS: Final = ("no address",)
# A /56 may hold many /64s of one party, or many customers: each wider prefix has more.
_FACTORS: Final = (1, 4, 16)
_BUCKETS: Final = (2**18, 2**16, 2**16)


def address_limits(keys: RateLimitKeys, kind: str, rate: Rate | None, ip: str | None) -> tuple[Limit, ...]:
    """Return the limits of this kind for attempts from the address. Their buckets are bounded in number."""
    if rate is None:
        return ()
    limits = []
    for prefix, factor, buckets in zip(network_prefixes(ip) or _NO_ADDRESS, _FACTORS, _BUCKETS, strict=False):
        key = keys.shared_key(f"{kind} address x{factor}", prefix, of=buckets)
        limits.append(Limit(ADDRESS, key, replace(rate, count=rate.count * factor)))
    return tuple(limits)
