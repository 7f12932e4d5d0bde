"""Counting attempts: which limits one falls under, and what its outcome does to them (ADR 0018).

1. An attempt takes a place under each limit before anything is checked. Until its outcome is known it is pending.
2. A refused attempt takes no place under the limit that refuses it, and keeps those under the limits before it.
3. A source from which the account was entered lately has limits of its own: attempts from elsewhere do not fill them.
"""

from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import Final

from jeton.rules.rate_limit_policies import Blocked, Bucket, BucketPolicy

DELAY_SECONDS: Final = 1

Buckets = MutableMapping[bytes, Bucket]


class WhenFull(Enum):
    """What a limit does with an attempt for which it has no place."""

    REFUSE = auto()
    # Lets it be made, later.
    DELAY = auto()
    # Lets it be made, and the answer to a wrong one is that of the limit.
    REFUSE_IF_WRONG = auto()


@dataclass(frozen=True, slots=True)
class Limit:
    """One limit: `name` says what it counts, `key` is its bucket. Without `counted` the bucket is only looked at."""

    name: str
    key: bytes
    policy: BucketPolicy
    when_full: WhenFull = WhenFull.REFUSE
    counted: bool = True


@dataclass(frozen=True, slots=True)
class Attempt:
    """The limits of an attempt, in their order, and what its success does.

    `known_limits` hold instead of `limits` if the bucket `source` exists: the source is then known. A success counts
    under `successes`, ends the failures of the buckets `reset`, and makes the source known for `known_seconds`. An
    attempt that is not `checked` after it is counted is never pending.
    """

    limits: tuple[Limit, ...]
    known_limits: tuple[Limit, ...] = ()
    source: bytes | None = None
    known_seconds: int = 0
    reset: tuple[bytes, ...] = ()
    successes: Limit | None = None
    checked: bool = True

    def applicable_limits(self, *, known: bool) -> tuple[Limit, ...]:
        return self.known_limits if known else self.limits

    @property
    def looked_at(self) -> tuple[bytes, ...]:
        """The keys of the buckets that are read and not locked."""
        keys = tuple(limit.key for limit in self.limits if not limit.counted)
        return keys if self.source is None else (self.source, *keys)


@dataclass(frozen=True, slots=True)
class RateLimited:
    """The limit that had no place, and when it has one again.

    With `pending`, the attempts in the way have no outcome yet: it may help to wait for them. `delay` is in seconds.
    `if_wrong` is the refusal that the answer must not differ from.
    """

    limit: str
    key: bytes
    opens_at: int
    pending: bool = False
    delay: int = 0
    if_wrong: "RateLimited | None" = None


@dataclass(frozen=True, slots=True)
class Reservation:
    """The places that an attempt has taken, how much later it is made, and the refusal that answers a wrong one."""

    attempt: Attempt
    limits: tuple[Limit, ...]
    delay: int = 0
    if_wrong: RateLimited | None = None


def reserve(
    buckets: Buckets, attempt: Attempt, now: int, *, known: bool, seen: Mapping[bytes, Bucket]
) -> Reservation | RateLimited:
    """Take a place under each limit, up to the first that refuses. `seen` are the buckets that are only looked at.

    An attempt that is refused while others are pending takes nothing: it may come again.
    """
    taken: dict[bytes, Bucket] = {}
    reservation = Reservation(attempt, ())
    for limit in attempt.applicable_limits(known=known):
        before = (buckets if limit.counted else seen).get(limit.key, Bucket())
        after = limit.policy.reserve(before, now)
        if isinstance(after, Bucket):
            if limit.counted:
                taken[limit.key] = after.with_pending(now) if attempt.checked else after
                reservation = replace(reservation, limits=(*reservation.limits, limit))
            continue
        refusal = RateLimited(limit.name, limit.key, after.opens_at, before.pending > 0, reservation.delay)
        if limit.when_full is WhenFull.REFUSE:
            if not refusal.pending:
                buckets.update(taken)
            return replace(refusal, if_wrong=reservation.if_wrong)
        if limit.when_full is WhenFull.DELAY:
            reservation = replace(reservation, delay=DELAY_SECONDS)
        else:
            reservation = replace(reservation, if_wrong=reservation.if_wrong or refusal)
    buckets.update(taken)
    return reservation


def release(buckets: Buckets, reservation: Reservation, now: int) -> None:
    """Give the places back: the attempt was never made."""
    for limit in reservation.limits:
        bucket = buckets.get(limit.key, Bucket())
        buckets[limit.key] = limit.policy.release(bucket, now).settled()


def fail(buckets: Buckets, reservation: Reservation, now: int) -> None:
    """Keep the places: the attempt was wrong."""
    for limit in reservation.limits:
        buckets[limit.key] = buckets.get(limit.key, Bucket()).settled()


def succeed(buckets: Buckets, reservation: Reservation, now: int) -> RateLimited | None:
    """Give the places back and reset the failures: the attempt was right. Return a refusal if there were too many."""
    release(buckets, reservation, now)
    attempt = reservation.attempt
    if attempt.successes is not None:
        limit = attempt.successes
        after = limit.policy.reserve(buckets.get(limit.key, Bucket()), now)
        if isinstance(after, Blocked):
            return RateLimited(limit.name, limit.key, after.opens_at)
        buckets[limit.key] = after
    for key in attempt.reset:
        buckets[key] = buckets.get(key, Bucket()).reset(now)
    if attempt.source is not None:
        buckets[attempt.source] = Bucket(expires_at=now + attempt.known_seconds)
    return None


def settled_keys(reservation: Reservation) -> set[bytes]:
    """Return the keys of the buckets that `release` and `fail` change."""
    return {limit.key for limit in reservation.limits}


def succeeded_keys(reservation: Reservation) -> set[bytes]:
    """Return the keys of the buckets that `succeed` changes."""
    attempt = reservation.attempt
    keys = settled_keys(reservation) | set(attempt.reset)
    if attempt.successes is not None:
        keys.add(attempt.successes.key)
    return keys if attempt.source is None else keys | {attempt.source}
