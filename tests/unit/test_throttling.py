"""The law of throttling (NIST SP 800-63B-4 section 3.2.2, OWASP ASVS 6.1.1)."""

import pytest

from jeton.oauth.throttling import (
    HOUR,
    Attempt,
    Bucket,
    Claim,
    Law,
    Patience,
    Rate,
    Refusal,
    Reserved,
    Shut,
    give_back,
    reserve,
    succeed,
)

NOW = 1_800_000_000
ACCOUNT = Claim("account", b"account", Patience(3, 30, HOUR, most=100))
ADDRESS = Claim("address", b"address", Rate(100, HOUR))
CLIENT = Claim("client", b"client", Rate(1000, HOUR))
KNOWN = Claim("known", b"known", Patience(3, 30, 300))
LOGIN = Attempt((ADDRESS, CLIENT), ACCOUNT, KNOWN, known_seconds=1000)


def let_in(law: Law, times: int, *, bucket: Bucket | None = None, now: int = NOW) -> Bucket:
    """The bucket after so many attempts, all of which had a place."""
    bucket = bucket or Bucket()
    for _ in range(times):
        after = law.reserve(bucket, now)
        assert isinstance(after, Bucket)
        bucket = after
    return bucket


def wait_of(law: Law, bucket: Bucket, now: int = NOW) -> int | None:
    """For how many seconds the bucket is shut."""
    after = law.reserve(bucket, now)
    return after.opens_at - now if isinstance(after, Shut) else None


@pytest.mark.parametrize(("count", "seconds"), [(1, 1), (1, HOUR), (7, HOUR), (100, HOUR), (10_000, HOUR), (600, 60)])
def test_a_rate_lets_exactly_so_many_in_at_once(count: int, seconds: int) -> None:
    law = Rate(count, seconds)

    assert wait_of(law, let_in(law, count)) == -(-seconds // count)


def test_a_rate_then_lets_one_in_for_each_part_of_the_time() -> None:
    law = Rate(100, HOUR)
    full = let_in(law, 100)

    assert wait_of(law, full, NOW + 35) == 1
    one_more = let_in(law, 1, bucket=full, now=NOW + 36)
    assert wait_of(law, one_more, NOW + 36) == 36
    assert wait_of(law, let_in(law, 2, bucket=one_more, now=NOW + 108), NOW + 108) == 36


def test_a_full_rate_is_forgotten_when_it_is_empty_again() -> None:
    law = Rate(100, HOUR)
    full = let_in(law, 100)

    assert full.expires_at == NOW + HOUR
    assert let_in(law, 100, bucket=full, now=NOW + HOUR) == let_in(law, 100, now=NOW + HOUR)


def test_what_is_given_back_to_a_rate_may_be_taken_again() -> None:
    law = Rate(2, HOUR)
    full = let_in(law, 2)

    assert wait_of(law, let_in(law, 1, bucket=law.give_back(full, NOW))) is not None


@pytest.mark.requirement("N10")
def test_waits_grow_until_the_longest_one_and_a_hundred_failures_are_the_end() -> None:
    law = Patience(10, 30, HOUR, most=100)
    bucket, now, waits = Bucket(), NOW, []
    for _ in range(100):
        wait = wait_of(law, bucket, now) or 0
        waits.append(wait)
        now += wait
        bucket = let_in(law, 1, bucket=bucket, now=now)

    assert waits[:19] == [0] * 10 + [30, 60, 120, 240, 480, 960, 1920, 3600, 3600]
    assert set(waits[17:]) == {3600}
    assert wait_of(law, bucket, now + 300 * 86400) is not None


def test_without_an_end_the_longest_wait_goes_on() -> None:
    law = Patience(10, 30, 300)

    assert wait_of(law, Bucket(due=NOW * 10**6, failures=10**6), NOW) is None


def test_failures_are_kept_for_a_year() -> None:
    assert let_in(Patience(10, 30, HOUR), 1).expires_at == NOW + 366 * 86400


def test_an_attempt_that_was_not_made_lets_another_one_try_in_its_stead() -> None:
    law = Patience(3, 30, HOUR)
    after = law.give_back(let_in(law, 3), NOW)

    assert after.failures == 2
    assert wait_of(law, let_in(law, 1, bucket=after)) == 30


def test_an_attempt_needs_a_place_in_each_bucket() -> None:
    buckets: dict[bytes, Bucket] = {}

    outcomes = [reserve(buckets, LOGIN, NOW, known=False) for _ in range(4)]

    assert [type(it) for it in outcomes] == [Reserved, Reserved, Reserved, Refusal]
    assert buckets.keys() == {b"address", b"client", b"account"}


def test_who_is_refused_counts_in_the_buckets_asked_before_and_not_in_those_after() -> None:
    buckets = {b"client": let_in(CLIENT.law, 1000)}

    refused = reserve(buckets, LOGIN, NOW, known=False)

    assert isinstance(refused, Refusal)
    assert (refused.by, refused.opens_at) == ("client", NOW + 4)
    assert buckets.keys() == {b"address", b"client"}


@pytest.mark.requirement("N14")
def test_a_known_source_has_a_bucket_of_its_own_and_stays_known() -> None:
    shut = {it.key: let_in(it.law, 3) for it in (ACCOUNT,)} | {b"address": let_in(ADDRESS.law, 100)}
    buckets = shut | {b"known": Bucket(expires_at=NOW + 500)}

    outcomes = [reserve(buckets, LOGIN, NOW, known=True) for _ in range(4)]

    assert [type(it) for it in outcomes] == [Reserved, Reserved, Reserved, Refusal]
    assert buckets == shut | {b"known": Bucket((NOW + 30) * 10**6, 3, NOW + 500)}


@pytest.mark.requirement("N10")
@pytest.mark.parametrize("known", [False, True])
def test_success_begins_anew_counts_nowhere_and_makes_the_source_known(known: bool) -> None:
    buckets = {b"account": let_in(ACCOUNT.law, 2), b"address": let_in(ADDRESS.law, 5), b"known": Bucket()}
    reserved = reserve(buckets, LOGIN, NOW, known=known)
    assert isinstance(reserved, Reserved)

    succeed(buckets, reserved, NOW)

    assert (buckets[b"account"].failures, buckets[b"known"].failures) == (0, 0)
    assert buckets[b"address"].due == let_in(ADDRESS.law, 5).due
    assert buckets[b"known"].expires_at == NOW + 1000


def test_what_is_given_back_leaves_every_bucket_as_it_was() -> None:
    buckets = {it.key: let_in(it.law, 2) for it in (ADDRESS, CLIENT)}
    before = {key: bucket.due for key, bucket in buckets.items()}
    reserved = reserve(buckets, LOGIN, NOW, known=False)
    assert isinstance(reserved, Reserved)

    give_back(buckets, reserved, NOW)

    assert {key: buckets[key].due for key in before} == before
    assert buckets[b"account"].failures == 0


@pytest.mark.parametrize("law", [Rate(3, HOUR), Patience(3, 30, HOUR)])
@pytest.mark.parametrize("ahead", [HOUR, 400 * 86400])
def test_a_bucket_that_was_filled_by_a_clock_ahead_shuts_nobody_out_when_that_is_put_back(law: Law, ahead: int) -> None:
    full = let_in(law, 3, now=NOW + ahead)
    assert wait_of(law, full, NOW + ahead)

    assert wait_of(law, full) is None
