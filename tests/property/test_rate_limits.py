"""No order of attempts, waits and successes allows more failures than the rate limit policies."""

from hypothesis import given
from hypothesis import strategies as st

from jeton.rules.attempts import Attempt, Limit, Reservation, release, reserve
from jeton.rules.rate_limit_policies import BackoffPolicy, Bucket, Rate

NOW = 1_800_000_000
STEPS = st.lists(
    st.one_of(
        st.just("try"), st.tuples(st.just("wait"), st.integers(0, 5000)), st.tuples(st.just("untried"), st.integers(0))
    ),
    max_size=200,
)


@given(st.integers(1, 30), st.integers(1, 4000), st.lists(st.integers(0, 500), max_size=120))
def test_rate_never_exceeds_its_count_in_any_period(count: int, seconds: int, waits: list[int]) -> None:
    policy, bucket, now, allowed = Rate(count, seconds), Bucket(), NOW, list[int]()
    for wait in waits:
        now += wait
        after = policy.reserve(bucket, now)
        if isinstance(after, Bucket):
            bucket = after
            allowed.append(now)

    for first, begin in enumerate(allowed):
        for last in range(first, len(allowed)):
            assert last - first + 1 <= count + (allowed[last] - begin) * count / seconds


@given(st.integers(1, 20), STEPS)
def test_at_most_a_hundred_failures_between_two_successes(free: int, steps: list[str | tuple[str, int]]) -> None:
    attempt = Attempt((Limit("account", b"account", BackoffPolicy(free, 30, 3600, limit=100)),), reset=(b"account",))
    buckets: dict[bytes, Bucket] = {}
    now, pending, attempts = NOW, list[Reservation](), list[int]()
    for step in steps:
        if step == "try":
            outcome = reserve(buckets, attempt, now, known=False, seen={})
            if isinstance(outcome, Reservation):
                pending.append(outcome)
                attempts.append(now)
        elif step[0] == "wait":
            now += int(step[1])
        elif pending:
            release(buckets, pending.pop(), now)
            attempts.pop()
        assert len(attempts) <= 100
        # After the free attempts, two attempts are at least thirty seconds apart.
        assert len(attempts) <= free + (now - NOW) // 30
