"""Rate limits: policies, attempts and bucket keys (NIST SP 800-63B-4 section 3.2.2, OWASP ASVS 6.1.1)."""

import pytest

from jeton.crypto.master_key import MasterKeys
from jeton.crypto.rate_limit_keys import RateLimitKeys
from jeton.frozen import replace
from jeton.rules.attempts import (
    Attempt,
    Limit,
    RateLimited,
    Reservation,
    WhenFull,
    fail,
    release,
    reserve,
    settled_keys,
    succeed,
    succeeded_keys,
)
from jeton.rules.rate_limit_policies import (
    HOUR,
    MAX_FAILURES,
    PENDING_SECONDS,
    BackoffPolicy,
    Blocked,
    Bucket,
    BucketPolicy,
    Rate,
)

NOW = 1_800_000_000
DAY = 86400
ACCOUNT = Limit("account", b"account", BackoffPolicy(3, 30, HOUR, limit=100))
ADDRESS = Limit("address", b"address", Rate(100, HOUR))
CLIENT = Limit("client", b"client", Rate(1000, HOUR))
KNOWN = Limit("known", b"known", BackoffPolicy(3, 30, 300))
SUCCESSES = Limit("successes", b"successes", Rate(2, HOUR))
LOGIN = Attempt((ADDRESS, CLIENT, ACCOUNT), (KNOWN,), b"source", 1000, (b"account", b"known"), SUCCESSES)
Buckets = dict[bytes, Bucket]


def filled(policy: BucketPolicy, times: int, bucket: Bucket = Bucket(), now: int = NOW) -> Bucket:  # noqa: B008
    """Return the bucket after this number of attempts, all of which were allowed."""
    for _ in range(times):
        after = policy.reserve(bucket, now)
        assert isinstance(after, Bucket)
        bucket = after
    return bucket


def wait_of(policy: BucketPolicy, bucket: Bucket, now: int = NOW) -> int | None:
    """Return the number of seconds for which the bucket allows no attempt."""
    after = policy.reserve(bucket, now)
    return after.opens_at - now if isinstance(after, Blocked) else None


def made(buckets: Buckets, attempt: Attempt = LOGIN, *, known: bool = False) -> Reservation:
    outcome = reserve(buckets, attempt, NOW, known=known, seen={})
    assert isinstance(outcome, Reservation)
    return outcome


def refused(buckets: Buckets, attempt: Attempt = LOGIN, *, known: bool = False) -> RateLimited:
    outcome = reserve(buckets, attempt, NOW, known=known, seen={})
    assert isinstance(outcome, RateLimited)
    return outcome


@pytest.mark.parametrize(("count", "seconds"), [(1, 1), (1, HOUR), (7, HOUR), (100, HOUR), (10_000, HOUR), (600, 60)])
def test_rate_allows_exactly_its_count_at_once_and_is_empty_after_its_period(count: int, seconds: int) -> None:
    policy = Rate(count, seconds)
    full = filled(policy, count)

    assert wait_of(policy, full) == -(-seconds // count)
    assert abs(full.expires_at - (NOW + seconds)) <= 1
    assert filled(policy, count, full, full.expires_at).expires_at == full.expires_at + (full.expires_at - NOW)
    assert wait_of(policy, filled(policy, 1, policy.release(full, NOW))) is not None
    assert policy.times(2) == Rate(2 * count, seconds)


def test_rate_then_allows_one_attempt_per_interval() -> None:
    policy = Rate(100, HOUR)
    full = filled(policy, 100)

    assert wait_of(policy, full, NOW + 35) == 1
    one_more = filled(policy, 1, full, NOW + 36)
    assert wait_of(policy, one_more, NOW + 36) == 36
    assert wait_of(policy, filled(policy, 2, one_more, NOW + 108), NOW + 108) == 36


@pytest.mark.requirement("N10")
def test_backoff_grows_to_the_longest_wait_and_blocks_at_the_limit_for_ever() -> None:
    policy = BackoffPolicy(10, 30, HOUR, limit=100)
    bucket, now, waits = Bucket(), NOW, []
    for _ in range(100):
        wait = wait_of(policy, bucket, now) or 0
        waits.append(wait)
        now += wait
        bucket = filled(policy, 1, bucket, now)

    assert waits[:19] == [0] * 10 + [30, 60, 120, 240, 480, 960, 1920, 3600, 3600]
    assert set(waits[17:]) == {3600}
    assert wait_of(policy, bucket.at(now + 36600 * DAY), now + 36600 * DAY) is not None
    assert wait_of(BackoffPolicy(10, 30, 300), Bucket(due=NOW * 10**6, failures=10**6)) is None
    assert (MAX_FAILURES, PENDING_SECONDS) == (100, 10)


def test_failures_are_kept_for_a_year_and_a_released_one_allows_another_attempt_at_once() -> None:
    policy = BackoffPolicy(3, 30, HOUR, limit=4)
    blocked = filled(policy, 1, filled(policy, 3), NOW + 30)

    assert filled(policy, 3).expires_at == policy.release(blocked, NOW).expires_at == NOW + 366 * DAY
    after = policy.release(filled(policy, 3), NOW)
    assert (after.failures, wait_of(policy, after)) == (2, None)
    assert wait_of(policy, filled(policy, 1, after)) == 30


@pytest.mark.parametrize(("policy", "wait"), [(Rate(3, HOUR), 2 * HOUR // 3), (BackoffPolicy(3, 30, HOUR), 0)])
def test_bucket_is_empty_when_it_expires_and_a_fast_clock_blocks_nothing_after_correction(
    policy: BucketPolicy, wait: int
) -> None:
    full = filled(policy, 3)
    assert (full.at(full.expires_at - 1), full.at(full.expires_at)) == (full, Bucket())
    assert policy.release(full, NOW).due == (NOW + wait) * 10**6
    assert policy.release(Bucket(), NOW).failures == 0

    for ahead in (HOUR, 400 * DAY):
        early = filled(policy, 3, now=NOW + ahead)
        assert wait_of(policy, early, NOW + ahead)
        assert wait_of(policy, early) is None


def test_reset_keeps_only_pending_attempts() -> None:
    bucket = Bucket(due=5, failures=3, expires_at=NOW + 9, pending=1, pending_until=NOW + 5)

    assert bucket.reset(NOW) == replace(bucket, due=NOW * 10**6, failures=1)
    without = replace(bucket, pending=0)
    assert without.reset(NOW) == replace(without, due=NOW * 10**6, failures=0, expires_at=NOW)


def test_attempt_must_be_allowed_by_each_limit_and_a_refused_one_counts_only_under_earlier_ones() -> None:
    buckets: Buckets = {}
    for _ in range(3):
        made(buckets)
    assert refused(buckets).limit == "account"
    assert buckets.keys() == {b"address", b"client", b"account"}

    buckets = {b"client": filled(CLIENT.policy, 1000)}
    refusal = refused(buckets)
    assert (refusal.limit, refusal.key, refusal.opens_at) == ("client", b"client", NOW + 4)
    assert buckets == {b"client": filled(CLIENT.policy, 1000), b"address": buckets[b"address"]}


def test_limit_that_delays_or_refuses_if_wrong_allows_and_does_not_count() -> None:
    full = filled(ADDRESS.policy, 100)
    if_wrong, delays = replace(ADDRESS, when_full=WhenFull.REFUSE_IF_WRONG), replace(ADDRESS, when_full=WhenFull.DELAY)
    buckets = {b"address": full}

    reservation = made(buckets, Attempt((if_wrong, delays, ACCOUNT)))

    assert (reservation.limits, reservation.delay) == ((ACCOUNT,), 1)
    assert reservation.if_wrong is not None
    assert (reservation.if_wrong.limit, reservation.if_wrong.delay, buckets[b"address"]) == ("address", 0, full)
    by_client = refused(buckets | {b"client": filled(CLIENT.policy, 1000)}, Attempt((if_wrong, delays, CLIENT)))
    assert (by_client.limit, by_client.delay, by_client.if_wrong) == ("client", 1, reservation.if_wrong)


def test_limit_that_is_not_counted_is_only_read() -> None:
    attempt, buckets = Attempt((replace(ADDRESS, counted=False), ACCOUNT), source=b"source"), Buckets()

    assert attempt.read_only_keys == (b"source", b"address")
    assert made(buckets, attempt).limits == (ACCOUNT,)
    assert buckets.keys() == {b"account"}
    seen = {b"address": filled(ADDRESS.policy, 100)}
    assert isinstance(reserve({}, attempt, NOW, known=False, seen=seen), RateLimited)


@pytest.mark.requirement("N14")
def test_known_source_has_separate_limits() -> None:
    full = {b"account": filled(ACCOUNT.policy, 3), b"address": filled(ADDRESS.policy, 100)}
    buckets = dict(full)

    for _ in range(3):
        made(buckets, known=True)

    assert refused(buckets, known=True).limit == "known"
    assert buckets.keys() - full.keys() == {b"known"}


@pytest.mark.requirement("N10")
@pytest.mark.parametrize("known", [False, True])
def test_success_resets_failures_and_makes_the_source_known(known: bool) -> None:
    buckets = {b"account": filled(ACCOUNT.policy, 2), b"address": filled(ADDRESS.policy, 5)}
    reservation = made(buckets, known=known)

    assert succeed(buckets, reservation, NOW) is None

    assert (buckets[b"account"].failures, buckets[b"known"].failures) == (0, 0)
    assert buckets[b"address"].due == filled(ADDRESS.policy, 5).due
    assert buckets[b"source"] == Bucket(expires_at=NOW + 1000)
    assert buckets[b"successes"] == filled(SUCCESSES.policy, 1)
    assert settled_keys(reservation) == ({b"known"} if known else {b"address", b"client", b"account"})
    reset = {b"account", b"known", b"successes", b"source"}
    assert succeeded_keys(reservation) == settled_keys(reservation) | reset


def test_success_keeps_pending_attempts_counted() -> None:
    buckets: Buckets = {}
    first, *_ = [made(buckets) for _ in range(3)]

    succeed(buckets, first, NOW)

    assert (buckets[b"account"].failures, buckets[b"account"].pending) == (2, 2)


def test_too_many_successes_are_refused_and_reset_nothing() -> None:
    buckets = {b"account": filled(ACCOUNT.policy, 1), b"successes": filled(SUCCESSES.policy, 2)}

    refusal = succeed(buckets, made(buckets), NOW)

    assert refusal is not None
    assert (refusal.limit, refusal.opens_at, buckets[b"account"].failures) == ("successes", NOW + HOUR // 2, 1)
    assert (refusal.pending, refusal.delay) == (False, 0)


def test_attempt_without_source_and_success_limit_changes_only_its_own_buckets() -> None:
    attempt, buckets = Attempt((ACCOUNT,)), Buckets()
    reservation = made(buckets, attempt)

    assert (attempt.read_only_keys, reservation.delay, reservation.if_wrong) == ((), 0, None)
    assert succeeded_keys(reservation) == {b"account"}
    assert succeed(buckets, reservation, NOW) is None
    assert buckets.keys() == {b"account"}


def test_release_restores_every_bucket() -> None:
    buckets = {it.key: filled(it.policy, 2) for it in (ADDRESS, CLIENT)}
    before = dict(buckets)

    release(buckets, made(buckets), NOW)

    assert {key: replace(buckets[key], pending_until=0) for key in before} == before
    assert buckets[b"account"].failures == 0


def test_attempt_blocked_by_pending_ones_is_not_counted() -> None:
    buckets: Buckets = {}
    pending = [made(buckets) for _ in range(3)]
    before = dict(buckets)

    assert refused(buckets).pending
    assert buckets == before
    for reservation in pending:
        fail(buckets, reservation, NOW)
    assert not refused(buckets).pending


def test_attempt_of_a_dead_server_becomes_a_failure_and_an_unchecked_one_is_never_pending() -> None:
    buckets: Buckets = {}
    made(buckets)
    left = buckets[b"account"]

    assert left.at(NOW + PENDING_SECONDS - 1).pending == 1
    assert (left.at(NOW + PENDING_SECONDS).pending, left.at(NOW + PENDING_SECONDS).failures) == (0, 1)
    assert left.at(NOW - PENDING_SECONDS).pending == 0
    made(buckets := {}, Attempt((ACCOUNT,), checked=False))
    assert (buckets[b"account"].pending, buckets[b"account"].failures) == (0, 1)


OLD, NEW = MasterKeys([b"o" * 32]), MasterKeys([b"n" * 32])


def test_bucket_key_reveals_nothing_and_each_list_of_words_has_its_own() -> None:
    keys = RateLimitKeys(OLD)
    named = [("a", "bc"), ("ab", "c"), ("abc",), ("a", "b", "c"), ("b", "ac"), ("a", "bc", ""), ("name", "\ud800")]

    assert {len(keys.key(*words)) for words in named} == {16}
    assert len({keys.key(*words) for words in named}) == len(named)
    assert b"alice" not in keys.key("account", "alice", "198.51.100.7")
    assert repr(keys) == "RateLimitKeys()"
    # Names without a limit share buckets.
    assert len({keys.shared_key("unknown name", f"user{number}", of=256) for number in range(4000)}) == 256
    # Nodes use the same buckets while a master key is added.
    during, after = RateLimitKeys(MasterKeys([b"n" * 32, b"o" * 32])), RateLimitKeys(NEW)
    assert keys.key("account", "a") == during.key("account", "a") != after.key("account", "a")
