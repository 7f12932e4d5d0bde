"""Rate limit policies: when a bucket allows another attempt (NIST SP 800-63B-4 section 3.2.2, ADR 0010, ADR 0018).

`Bucket.due` is in microseconds since the epoch, all other times are whole seconds.
"""

from typing import Final, Protocol, Self

from jeton.frozen import Frozen, replace

MAX_FAILURES: Final = 100
HOUR: Final = 3600
PENDING_SECONDS: Final = 10
_MICROSECONDS: Final = 1_000_000
_FAILURES_KEPT_SECONDS: Final = 366 * 86400
# The last second of the year 9999.
_NEVER: Final = 253_402_300_799


class Bucket(Frozen):
    """Counted attempts: `failures` in a row, and `due`, the time of the next attempt as the policy defines it.

    Of the counted attempts, `pending` have no outcome yet; they count as failures until they are settled. After
    `pending_until` they stay failures: their server has died. The bucket may be deleted from `expires_at` on.
    """

    due: int = 0
    failures: int = 0
    expires_at: int = 0
    pending: int = 0
    pending_until: int = 0

    def at(self, now: int) -> "Bucket":
        """Return the bucket without what has expired."""
        if self.expires_at <= now:
            return Bucket()
        # A later `pending_until` was set by a clock that has been put back since.
        return self if now < self.pending_until <= now + PENDING_SECONDS else replace(self, pending=0)

    def with_pending(self, now: int) -> Self:
        """Return the bucket with its newest attempt marked as pending."""
        return replace(self, pending=self.pending + 1, pending_until=now + PENDING_SECONDS)

    def settled(self) -> Self:
        """Return the bucket with one pending attempt fewer."""
        return replace(self, pending=max(0, self.pending - 1))

    def reset(self, now: int) -> Self:
        """Return the bucket with only the pending attempts as failures."""
        expires_at = self.expires_at if self.pending else now
        return replace(self, due=now * _MICROSECONDS, failures=self.pending, expires_at=expires_at)


class Blocked(Frozen):
    """No attempt is allowed before `opens_at`."""

    opens_at: int


class BucketPolicy(Protocol):
    """When a bucket allows another attempt."""

    def reserve(self, bucket: Bucket, now: int) -> Bucket | Blocked:
        """Return the bucket with one more attempt, or Blocked."""
        ...

    def release(self, bucket: Bucket, now: int) -> Bucket:
        """Return the bucket with one reserved attempt removed."""
        ...


class Rate(Frozen):
    """`count` attempts at once, then one per `seconds / count`: GCRA, a leaky bucket in one number."""

    count: int
    seconds: int

    @property
    def _spacing(self) -> int:
        return -(-self.seconds * _MICROSECONDS // self.count)

    def times(self, factor: int) -> "Rate":
        """Return the rate multiplied by the factor."""
        return Rate(self.count * factor, self.seconds)

    def reserve(self, bucket: Bucket, now: int) -> Bucket | Blocked:
        due = max(self._possible(bucket.due, now), now * _MICROSECONDS) + self._spacing
        early = due - self.count * self._spacing
        if early > now * _MICROSECONDS:
            return Blocked(_seconds(early))
        return replace(bucket, due=due, expires_at=_seconds(due))

    def _possible(self, due: int, now: int) -> int:
        """Return the due time, or 0 if it is one that was set by a clock which has been put back since."""
        return due if due <= now * _MICROSECONDS + self.count * self._spacing else 0

    def release(self, bucket: Bucket, now: int) -> Bucket:
        due = max(0, bucket.due - self._spacing)
        return replace(bucket, due=due, expires_at=_seconds(due))


class BackoffPolicy(Frozen):
    """`free` failures at once; after that, each wait is twice the previous one; at most `limit` in a row, if set.

    Failures are kept for a year after the last one, and for ever once `limit` is reached. Only a success or a new
    password, which has another bucket, ends the block.
    """

    free: int
    first_wait: int
    longest_wait: int
    limit: int | None = None

    def reserve(self, bucket: Bucket, now: int) -> Bucket | Blocked:
        if self.limit is not None and bucket.failures >= self.limit:
            return Blocked(_NEVER)
        # No wait is longer than `longest_wait`: a later time was set by a clock that has been put back since.
        latest = (now + self.longest_wait) * _MICROSECONDS
        if bucket.failures >= self.free and now * _MICROSECONDS < bucket.due <= latest:
            return Blocked(_seconds(bucket.due))
        failures = bucket.failures + 1
        due = (now + self._wait_after(failures)) * _MICROSECONDS
        expires_at = _NEVER if failures == self.limit else max(bucket.expires_at, now + _FAILURES_KEPT_SECONDS)
        return replace(bucket, due=due, failures=failures, expires_at=expires_at)

    def release(self, bucket: Bucket, now: int) -> Bucket:
        # The attempt had waited for its turn: the next one does not wait again.
        expires_at = min(bucket.expires_at, now + _FAILURES_KEPT_SECONDS)
        failures = max(0, bucket.failures - 1)
        return replace(bucket, due=now * _MICROSECONDS, failures=failures, expires_at=expires_at)

    def _wait_after(self, failures: int) -> int:
        if failures < self.free:
            return 0
        # Shifting by more bits than the longest wait has would exceed it: bound the shift.
        doublings = min(failures - self.free, self.longest_wait.bit_length())
        return min(self.first_wait << doublings, self.longest_wait)


def _seconds(microseconds: int) -> int:
    return -(-microseconds // _MICROSECONDS)
