"""Rate limit policies and attempts (NIST SP 800-63B-4 section 3.2.2, OWASP ASVS 6.1.1)."""

from dataclasses import replace

import pytest

from jeton.rules.attempts import Attempt, Limit, RateLimited, Reservation, WhenFull, fail, release, reserve, succeed
from jeton.rules.rate_limit_policies import HOUR, PENDING_SECONDS, BackoffPolicy, Blocked, Bucket, BucketPolicy, Rate

NOW = 1_800_000_000
ACCOUNT = Limit("account", b"account", BackoffPolicy(3, 30, HOUR, limit=100))
ADDRESS = Limit("address", b"address", Rate(100, HOUR))
CLIENT = Limit("client", b"client", Rate(1000, HOUR))
KNOWN = Limit("known", b"known", BackoffPolicy(3, 30, 300))
SUCCESSES = Limit("successes", b"successes", Rate(2, HOUR))
LOGIN = Attempt((ADDRESS, CLIENT, ACCOUNT), (KNOWN,), b"source", 1000, (b"account", b"known"), SUCCESSES)


def let_in(policy: BucketPolicy, times: int, *, bucket: Bucket | None = None, now: int = NOW) -> Bucket:
    """The bucket after so many attempts, all of which had a place."""
    bucket = bucket or Bucket()
    for _ in range(times):
        after = policy.reserve(bucket, now)
        assert isinstance(after, Bucket)
        bucket = after
    return bucket


def wait_of(policy: BucketPolicy, bucket: Bucket, now: int = NOW) -> int | None:
    """For how many seconds the bucket is shut."""
    after = policy.reserve(bucket, now)
    return after.opens_at - now if isinstance(after, Blocked) else None


@pytest.mark.parametrize(("count", "seconds"), [(1, 1), (1, HOUR), (7, HOUR), (100, HOUR), (10_000, HOUR), (600, 60)])
def test_rate_allows_exactly_its_count_at_once(count: int, seconds: int) -> None:
    policy = Rate(count, seconds)

    assert wait_of(policy, let_in(policy, count)) == -(-seconds // count)


def test_rate_then_allows_one_attempt_per_interval() -> None:
    policy = Rate(100, HOUR)
    full = let_in(policy, 100)

    assert wait_of(policy, full, NOW + 35) == 1
    one_more = let_in(policy, 1, bucket=full, now=NOW + 36)
    assert wait_of(policy, one_more, NOW + 36) == 36
    assert wait_of(policy, let_in(policy, 2, bucket=one_more, now=NOW + 108), NOW + 108) == 36


def test_rate_bucket_expires_when_it_is_empty() -> None:
    policy = Rate(100, HOUR)
    full = let_in(policy, 100)

    assert full.expires_at == NOW + HOUR
    assert let_in(policy, 100, bucket=full, now=NOW + HOUR) == let_in(policy, 100, now=NOW + HOUR)


def test_released_attempt_of_a_rate_can_be_reserved_again() -> None:
    policy = Rate(2, HOUR)
    full = let_in(policy, 2)

    assert wait_of(policy, let_in(policy, 1, bucket=policy.release(full, NOW))) is not None


@pytest.mark.requirement("N10")
def test_backoff_grows_to_the_longest_wait_and_blocks_at_the_limit() -> None:
    policy = BackoffPolicy(10, 30, HOUR, limit=100)
    bucket, now, waits = Bucket(), NOW, []
    for _ in range(100):
        wait = wait_of(policy, bucket, now) or 0
        waits.append(wait)
        now += wait
        bucket = let_in(policy, 1, bucket=bucket, now=now)

    assert waits[:19] == [0] * 10 + [30, 60, 120, 240, 480, 960, 1920, 3600, 3600]
    assert set(waits[17:]) == {3600}
    assert wait_of(policy, bucket, now + 300 * 86400) is not None


def test_backoff_without_limit_stays_at_the_longest_wait() -> None:
    policy = BackoffPolicy(10, 30, 300)

    assert wait_of(policy, Bucket(due=NOW * 10**6, failures=10**6), NOW) is None


def test_failures_are_kept_for_a_year_and_for_ever_at_the_limit() -> None:
    policy = BackoffPolicy(10, 0, 0, limit=10)

    assert let_in(policy, 9).expires_at == NOW + 366 * 86400
    assert wait_of(policy, let_in(policy, 10).at(NOW + 100 * 366 * 86400), NOW) is not None
    assert policy.release(let_in(policy, 10), NOW).expires_at == NOW + 366 * 86400


def test_released_failure_allows_another_attempt_at_once() -> None:
    policy = BackoffPolicy(3, 30, HOUR)
    after = policy.release(let_in(policy, 3), NOW)

    assert after.failures == 2
    assert wait_of(policy, let_in(policy, 1, bucket=after)) == 30


def test_attempt_must_be_allowed_by_each_limit() -> None:
    buckets: dict[bytes, Bucket] = {}

    outcomes = [reserve(buckets, LOGIN, NOW, known=False, seen={}) for _ in range(4)]

    assert [type(it) for it in outcomes] == [Reservation, Reservation, Reservation, RateLimited]
    assert buckets.keys() == {b"address", b"client", b"account"}


def test_refused_attempt_counts_only_under_earlier_limits() -> None:
    buckets = {b"client": let_in(CLIENT.policy, 1000)}

    refused = reserve(buckets, LOGIN, NOW, known=False, seen={})

    assert isinstance(refused, RateLimited)
    assert (refused.limit, refused.opens_at) == ("client", NOW + 4)
    assert buckets.keys() == {b"address", b"client"}


def test_limit_that_delays_or_refuses_if_wrong_allows_and_does_not_count() -> None:
    full = let_in(ADDRESS.policy, 100)
    limits = (replace(ADDRESS, when_full=WhenFull.REFUSE_IF_WRONG), replace(ADDRESS, when_full=WhenFull.DELAY), ACCOUNT)
    buckets = {b"address": full}

    made = reserve(buckets, Attempt(limits), NOW, known=False, seen={})

    assert isinstance(made, Reservation)
    assert (made.limits, made.delay, made.if_wrong and made.if_wrong.limit) == ((ACCOUNT,), 1, "address")
    assert buckets[b"address"] == full


@pytest.mark.requirement("N14")
def test_known_source_has_separate_limits() -> None:
    full = {it.key: let_in(it.policy, 3) for it in (ACCOUNT,)} | {b"address": let_in(ADDRESS.policy, 100)}
    buckets = dict(full)

    outcomes = [reserve(buckets, LOGIN, NOW, known=True, seen={}) for _ in range(4)]

    assert [type(it) for it in outcomes] == [Reservation, Reservation, Reservation, RateLimited]
    assert buckets.keys() - full.keys() == {b"known"}


@pytest.mark.requirement("N10")
@pytest.mark.parametrize("known", [False, True])
def test_success_resets_failures_and_makes_the_source_known(known: bool) -> None:
    buckets = {b"account": let_in(ACCOUNT.policy, 2), b"address": let_in(ADDRESS.policy, 5)}
    reservation = reserve(buckets, LOGIN, NOW, known=known, seen={})
    assert isinstance(reservation, Reservation)

    assert succeed(buckets, reservation, NOW) is None

    assert (buckets[b"account"].failures, buckets[b"known"].failures) == (0, 0)
    assert buckets[b"address"].due == let_in(ADDRESS.policy, 5).due
    assert buckets[b"source"] == Bucket(expires_at=NOW + 1000)


def test_success_keeps_pending_attempts_counted() -> None:
    buckets: dict[bytes, Bucket] = {}
    first, *_ = [reserve(buckets, LOGIN, NOW, known=False, seen={}) for _ in range(3)]
    assert isinstance(first, Reservation)

    succeed(buckets, first, NOW)

    assert (buckets[b"account"].failures, buckets[b"account"].pending) == (2, 2)


def test_too_many_successes_are_refused_and_reset_nothing() -> None:
    buckets = {b"account": let_in(ACCOUNT.policy, 1), b"successes": let_in(SUCCESSES.policy, 2)}
    reservation = reserve(buckets, LOGIN, NOW, known=False, seen={})
    assert isinstance(reservation, Reservation)

    refused = succeed(buckets, reservation, NOW)

    assert refused is not None
    assert (refused.limit, refused.opens_at, buckets[b"account"].failures) == ("successes", NOW + HOUR // 2, 1)


def test_release_restores_every_bucket() -> None:
    buckets = {it.key: let_in(it.policy, 2) for it in (ADDRESS, CLIENT)}
    before = dict(buckets)
    reservation = reserve(buckets, LOGIN, NOW, known=False, seen={})
    assert isinstance(reservation, Reservation)

    release(buckets, reservation, NOW)

    assert {key: replace(buckets[key], pending_until=0) for key in before} == before
    assert buckets[b"account"].failures == 0


def test_attempt_blocked_by_pending_ones_is_not_counted() -> None:
    buckets: dict[bytes, Bucket] = {}
    pending = [reserve(buckets, LOGIN, NOW, known=False, seen={}) for _ in range(3)]
    before = dict(buckets)

    waiting = reserve(buckets, LOGIN, NOW, known=False, seen={})

    assert isinstance(waiting, RateLimited)
    assert waiting.pending
    assert buckets == before
    for reservation in pending:
        assert isinstance(reservation, Reservation)
        fail(buckets, reservation, NOW)
    refused = reserve(buckets, LOGIN, NOW, known=False, seen={})
    assert isinstance(refused, RateLimited)
    assert not refused.pending


def test_attempt_of_a_dead_server_becomes_a_failure() -> None:
    buckets: dict[bytes, Bucket] = {}
    reserve(buckets, LOGIN, NOW, known=False, seen={})
    left = buckets[b"account"]

    assert left.at(NOW + PENDING_SECONDS - 1).pending == 1
    assert (left.at(NOW + PENDING_SECONDS).pending, left.at(NOW + PENDING_SECONDS).failures) == (0, 1)
    assert left.at(NOW - PENDING_SECONDS).pending == 0


@pytest.mark.parametrize("policy", [Rate(3, HOUR), BackoffPolicy(3, 30, HOUR)])
@pytest.mark.parametrize("ahead", [HOUR, 400 * 86400])
def test_bucket_filled_by_a_fast_clock_blocks_nothing_after_correction(policy: BucketPolicy, ahead: int) -> None:
    full = let_in(policy, 3, now=NOW + ahead)
    assert wait_of(policy, full, NOW + ahead)

    assert wait_of(policy, full) is None
