"""Rate limits by network address: an IPv4 address, or the three prefixes of an IPv6 one (ADR 0018)."""

from typing import Final

from jeton.crypto.rate_limit_keys import RateLimitKeys
from jeton.rules.attempts import Limit
from jeton.rules.network_prefix import network_prefixes
from jeton.rules.rate_limit_policies import Rate

ADDRESS: Final = "address"

# Peers without an address, such as on a Unix socket, share one bucket.
_NO_ADDRESS: Final = ("no address",)
# By /64, /56 and /48: a wider prefix may hold many customers, so it allows more.
_FACTORS: Final = (1, 4, 16)
_BUCKETS: Final = (2**18, 2**16, 2**16)


def address_limits(keys: RateLimitKeys, kind: str, rate: Rate | None, ip: str | None) -> tuple[Limit, ...]:
    """Return the limits of this kind for attempts from the address. The number of buckets is bounded."""
    if rate is None:
        return ()
    limits = []
    for prefix, factor, buckets in zip(network_prefixes(ip) or _NO_ADDRESS, _FACTORS, _BUCKETS, strict=False):
        key = keys.shared_key(f"{kind} address x{factor}", prefix, of=buckets)
        limits.append(Limit(ADDRESS, key, rate.times(factor)))
    return tuple(limits)
