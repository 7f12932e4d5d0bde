"""Rate limits that each process counts for itself, in memory: they protect a server, and need not be exact."""

from typing import Final, TypeAlias

from jeton.oauth.errors import rate_limited
from jeton.rules.rate_limit_policies import Blocked, Bucket, Rate
from jeton.storage.clock import Clock

MAX_BUCKETS: Final = 65_536

# What is counted, such as "client", and the words that tell which one.
Key: TypeAlias = tuple[str | None, ...]


class MemoryLimits:
    """Counted events, by key."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._buckets: dict[Key, Bucket] = {}

    def count(self, refusal: str, *limits: tuple[Key, Rate | None]) -> None:
        """Count one event under each key; a rate of None is no limit.

        If one of them has had too many, count none, and raise OAuthError with the reason `refusal`_by_ and what is
        counted.
        """
        if not any(rate for _, rate in limits):
            return
        now, after = self._clock.now(), dict[Key, Bucket]()
        for key, rate in limits:
            if rate is not None:
                bucket = rate.reserve(self._buckets.get(key, Bucket()), now)
                if isinstance(bucket, Blocked):
                    raise rate_limited(f"{refusal}_by_{key[0]}", bucket.opens_at - now)
                after[key] = bucket
        if len(self._buckets) >= MAX_BUCKETS:
            self._buckets = {key: bucket for key, bucket in self._buckets.items() if bucket.expires_at > now}
        if len(self._buckets) >= MAX_BUCKETS:
            self._buckets.clear()
        self._buckets |= after
