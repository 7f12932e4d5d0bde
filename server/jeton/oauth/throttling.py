"""The law of throttling (NIST SP 800-63B-4 section 3.2.2).

1. An attempt reserves its place before anything is checked, and gives it back when it succeeds.
2. Whoever is refused takes nothing from the bucket that refuses, and counts in those asked before it.
3. A source that the owner used lately has a bucket of its own: what others do elsewhere does not shut it.

Times of buckets are microseconds since the epoch, all others whole seconds.
"""

from collections.abc import MutableMapping
from dataclasses import dataclass, replace
from typing import Final, Protocol

MOST_FAILURES: Final = 100
HOUR: Final = 3600
_MICROSECONDS: Final = 1_000_000
_FAILURES_KEPT_SECONDS: Final = 366 * 86400


@dataclass(frozen=True, slots=True)
class Bucket:
    """What is remembered of attempts: how many failed in a row, and when the next one is due, as its law means it.

    It may be forgotten from `expires_at` on.
    """

    due: int = 0
    failures: int = 0
    expires_at: int = 0


@dataclass(frozen=True, slots=True)
class Shut:
    """No attempt before `opens_at`."""

    opens_at: int


class Law(Protocol):
    """What a bucket allows."""

    def reserve(self, bucket: Bucket, now: int) -> Bucket | Shut:
        """The bucket with one attempt more, or until when there is no place for one."""
        ...

    def give_back(self, bucket: Bucket, now: int) -> Bucket:
        """The bucket without one attempt that was reserved, and does not count after all."""
        ...


@dataclass(frozen=True, slots=True)
class Rate:
    """`count` at once, and again one for each `seconds / count` that pass: GCRA, a leaky bucket in one number."""

    count: int
    seconds: int

    @property
    def _spacing(self) -> int:
        return -(-self.seconds * _MICROSECONDS // self.count)

    def reserve(self, bucket: Bucket, now: int) -> Bucket | Shut:
        due = max(self._possible(bucket.due, now), now * _MICROSECONDS) + self._spacing
        early = due - self.count * self._spacing
        if early > now * _MICROSECONDS:
            return Shut(_seconds(early))
        return Bucket(due, expires_at=_seconds(due))

    def _possible(self, due: int, now: int) -> int:
        """Return the due time, or 0 if it is one that was set by a clock which has been put back since."""
        return due if due <= now * _MICROSECONDS + self.count * self._spacing else 0

    def give_back(self, bucket: Bucket, now: int) -> Bucket:
        due = max(0, bucket.due - self._spacing)
        return Bucket(due, expires_at=_seconds(due))


@dataclass(frozen=True, slots=True)
class Patience:
    """`free` failures at once; then each wait is twice the one before; no more than `most` in a row, if any.

    Nothing is forgotten for a year, but by success.
    """

    free: int
    first_wait: int
    longest_wait: int
    most: int | None = None

    def reserve(self, bucket: Bucket, now: int) -> Bucket | Shut:
        if self.most is not None and bucket.failures >= self.most:
            return Shut(bucket.expires_at)
        # No wait is longer than the longest: a later time was set by a clock that has been put back since.
        latest = (now + self.longest_wait) * _MICROSECONDS
        if bucket.failures >= self.free and now * _MICROSECONDS < bucket.due <= latest:
            return Shut(_seconds(bucket.due))
        failures = bucket.failures + 1
        due = (now + self._wait_after(failures)) * _MICROSECONDS
        return Bucket(due, failures, max(bucket.expires_at, now + _FAILURES_KEPT_SECONDS))

    def give_back(self, bucket: Bucket, now: int) -> Bucket:
        # Its wait was served already: the next one may try in its stead.
        return replace(bucket, due=now * _MICROSECONDS, failures=max(0, bucket.failures - 1))

    def _wait_after(self, failures: int) -> int:
        if failures < self.free:
            return 0
        # No power of two is needed that is longer than the longest wait.
        doublings = min(failures - self.free, self.longest_wait.bit_length())
        return min(self.first_wait << doublings, self.longest_wait)


@dataclass(frozen=True, slots=True)
class Claim:
    """A place wanted in one bucket; `by` names what is counted there."""

    by: str
    key: bytes
    law: Law


@dataclass(frozen=True, slots=True)
class Attempt:
    """What an attempt must have a place in: `shared` buckets first, then the `account`'s.

    From a known source, it is the `known` one's alone: a success is remembered there for `known_seconds`.
    """

    shared: tuple[Claim, ...]
    account: Claim | None = None
    known: Claim | None = None
    known_seconds: int = 0

    def claims(self, *, known: bool) -> tuple[Claim, ...]:
        if known and self.known is not None:
            return (self.known,)
        return self.shared if self.account is None else (*self.shared, self.account)


@dataclass(frozen=True, slots=True)
class Reserved:
    """The places that an attempt has."""

    attempt: Attempt
    claims: tuple[Claim, ...]


@dataclass(frozen=True, slots=True)
class Refusal:
    """Which bucket had no place left, and when it has one again."""

    by: str
    key: bytes
    opens_at: int


Buckets = MutableMapping[bytes, Bucket]


def reserve(buckets: Buckets, attempt: Attempt, now: int, *, known: bool) -> Reserved | Refusal:
    """Takes a place in each bucket, in their order, up to the first that has none."""
    claims = attempt.claims(known=known)
    for claim in claims:
        before = buckets.get(claim.key, Bucket())
        after = claim.law.reserve(before, now)
        if isinstance(after, Shut):
            return Refusal(claim.by, claim.key, after.opens_at)
        # A known source stays known for as long as it was.
        buckets[claim.key] = replace(after, expires_at=before.expires_at) if known else after
    return Reserved(attempt, claims)


def give_back(buckets: Buckets, reserved: Reserved, now: int) -> None:
    """The attempt was never made."""
    for claim in reserved.claims:
        buckets[claim.key] = claim.law.give_back(buckets.get(claim.key, Bucket()), now)


def succeed(buckets: Buckets, reserved: Reserved, now: int) -> None:
    """The attempt was right: it counts nowhere, the account begins anew, and its source is known from now on."""
    give_back(buckets, reserved, now)
    attempt = reserved.attempt
    if attempt.account is not None:
        buckets[attempt.account.key] = Bucket(expires_at=now)
    if attempt.known is not None:
        buckets[attempt.known.key] = Bucket(expires_at=now + attempt.known_seconds)


def touched(reserved: Reserved) -> tuple[bytes, ...]:
    """The keys of the buckets that `give_back` and `succeed` may change."""
    attempt = reserved.attempt
    claims = (*reserved.claims, attempt.account, attempt.known)
    return tuple(claim.key for claim in claims if claim is not None)


def _seconds(microseconds: int) -> int:
    return -(-microseconds // _MICROSECONDS)
