"""Attempts and rate limits: which limits apply to an attempt, and how its outcome changes them (ADR 0018).

1. An attempt is counted under each limit before anything is checked. Until its outcome is known it is pending.
2. A refused attempt is not counted under the limit that refuses it, and stays counted under the limits before it.
3. A source from which the account was logged in recently has separate limits, which other attempts do not fill.
"""

from collections.abc import Mapping, MutableMapping
from enum import Enum, auto
from typing import Final

from jeton.frozen import Frozen, replace
from jeton.rules.rate_limit_policies import Blocked, Bucket, BucketPolicy

DELAY_SECONDS: Final = 1

Buckets = MutableMapping[bytes, Bucket]


class WhenFull(Enum):
    """What a limit that is reached does with an attempt."""

    REFUSE = auto()
    # Allow the attempt after a delay.
    DELAY = auto()
    # Allow the attempt; if it fails, answer as if the limit had refused it.
    REFUSE_IF_WRONG = auto()


class Limit(Frozen):
    """One limit: `name` is what it counts by, `key` its bucket. If not `counted`, the bucket is only read."""

    name: str
    key: bytes
    policy: BucketPolicy
    when_full: WhenFull = WhenFull.REFUSE
    counted: bool = True


class Attempt(Frozen):
    """The limits of an attempt, in order, and the effects of its success.

    `known_limits` apply instead of `limits` if the bucket `source` exists, which marks a known source. A success is
    counted under `successes`, clears the failures of the buckets `reset`, and makes the source known for
    `known_seconds`. An attempt without an outcome (`checked` is False) is never pending.
    """

    limits: tuple[Limit, ...]
    known_limits: tuple[Limit, ...] = ()
    source: bytes | None = None
    known_seconds: int = 0
    reset: tuple[bytes, ...] = ()
    successes: Limit | None = None
    checked: bool = True

    def applicable_limits(self, *, known: bool) -> tuple[Limit, ...]:
        """Return the limits that apply, given whether the source is known."""
        return self.known_limits if known else self.limits

    @property
    def read_only_keys(self) -> tuple[bytes, ...]:
        """Return the keys of the buckets that are read and not locked."""
        keys = tuple(limit.key for limit in self.limits if not limit.counted)
        return keys if self.source is None else (self.source, *keys)


class RateLimited(Frozen):
    """The limit that refused an attempt, and when it allows the next one.

    If `pending`, earlier attempts have no outcome yet, and waiting for them may help. `delay` is in seconds. `if_wrong`
    is the refusal that a failed attempt would get here; the answer must not differ from it.
    """

    limit: str
    key: bytes
    opens_at: int
    pending: bool = False
    delay: int = 0
    if_wrong: "RateLimited | None" = None


class Reservation(Frozen):
    """A counted attempt: its limits, the delay before it is made in seconds, and the refusal if it fails."""

    attempt: Attempt
    limits: tuple[Limit, ...]
    delay: int = 0
    if_wrong: RateLimited | None = None


def reserve(
    buckets: Buckets, attempt: Attempt, now: int, *, known: bool, seen: Mapping[bytes, Bucket]
) -> Reservation | RateLimited:
    """Count the attempt under each limit, up to the first that refuses. `seen` are the buckets that are only read.

    An attempt that is refused while others are pending is not counted at all: the caller may retry it.
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
    """Uncount the attempt: it was never made."""
    for limit in reservation.limits:
        bucket = buckets.get(limit.key, Bucket())
        buckets[limit.key] = limit.policy.release(bucket, now).settled()


def fail(buckets: Buckets, reservation: Reservation, now: int) -> None:
    """Keep the attempt counted: it failed."""
    for limit in reservation.limits:
        buckets[limit.key] = buckets.get(limit.key, Bucket()).settled()


def succeed(buckets: Buckets, reservation: Reservation, now: int) -> RateLimited | None:
    """Uncount the successful attempt and clear the failures. Return a refusal if there were too many successes."""
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
