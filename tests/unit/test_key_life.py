"""The law of signing keys: who signs, who is published, when the next change may come."""

from dataclasses import replace

import pytest

from jeton.oauth.key_life import (
    CLOCK_SKEW_SECONDS,
    KeyState,
    KeyTimes,
    RotationRefusedError,
    SigningKey,
    max_age,
    revoke,
    rotate,
)

NOW = 1_000_000
TIMES = KeyTimes(publish_ahead_seconds=86400, jwks_max_age_seconds=300, longest_access_seconds=3600)


def key(kid: str, state: KeyState, *, ready_at: int = NOW, publish_until: int | None = None) -> SigningKey:
    return SigningKey(kid, "RS256", "{}", "database", "sealed", state, NOW - 1000, ready_at, None, publish_until)


NEXT, ACTIVE = key("next", KeyState.NEXT), key("active", KeyState.ACTIVE)
RETIRING = key("retiring", KeyState.RETIRING, publish_until=NOW + 50)
KEYS = [RETIRING, ACTIVE, NEXT]


@pytest.mark.requirement("O14")
def test_rotation_lets_the_next_key_sign_and_retires_the_active_one() -> None:
    assert rotate(KEYS, NOW, TIMES, force=False) == [NEXT.activated(NOW), ACTIVE.retired(NOW, TIMES)]


def test_a_key_that_signs_has_no_end_yet() -> None:
    active = NEXT.activated(NOW)

    assert (active.state, active.activated_at, active.publish_until) == (KeyState.ACTIVE, NOW, None)


def test_a_retired_key_is_published_until_its_last_token_and_every_cache_are_past() -> None:
    retired = ACTIVE.retired(NOW, TIMES)

    assert retired.state is KeyState.RETIRING
    assert retired.publish_until == NOW + 3600 + 300 + CLOCK_SKEW_SECONDS


@pytest.mark.parametrize("ready_at", [NOW - 1, NOW])
def test_a_key_signs_once_every_cache_has_seen_it(ready_at: int) -> None:
    keys = [ACTIVE, key("next", KeyState.NEXT, ready_at=ready_at)]

    assert [it.kid for it in rotate(keys, NOW, TIMES, force=False)] == ["next", "active"]


def test_a_key_does_not_sign_a_second_earlier() -> None:
    keys = [ACTIVE, key("next", KeyState.NEXT, ready_at=NOW + 1)]

    with pytest.raises(RotationRefusedError, match="may sign in 1 seconds"):
        rotate(keys, NOW, TIMES, force=False)


def test_force_does_not_wait() -> None:
    keys = [ACTIVE, key("next", KeyState.NEXT, ready_at=NOW + 86400)]

    assert [it.state for it in rotate(keys, NOW, TIMES, force=True)] == [KeyState.ACTIVE, KeyState.RETIRING]


def test_a_retiring_key_is_left_alone_by_rotation() -> None:
    assert "retiring" not in [it.kid for it in rotate(KEYS, NOW, TIMES, force=True)]


@pytest.mark.parametrize(
    ("publish_until", "published"), [(None, True), (NOW + 1, True), (NOW, False), (NOW - 1, False)]
)
def test_a_key_leaves_the_key_set_at_the_exact_second(publish_until: int | None, published: bool) -> None:
    assert key("it", KeyState.RETIRING, publish_until=publish_until).is_published(NOW) is published


def test_revoking_the_active_key_lets_the_next_one_sign_at_once() -> None:
    following, revoked = revoke([ACTIVE, key("next", KeyState.NEXT, ready_at=NOW + 86400)], "active", NOW)

    assert (following.kid, following.state, following.activated_at) == ("next", KeyState.ACTIVE, NOW)
    assert (revoked.kid, revoked.state) == ("active", KeyState.RETIRING)
    assert not revoked.is_published(NOW)


@pytest.mark.parametrize("kid", ["next", "retiring"])
def test_revoking_another_key_changes_that_one_only(kid: str) -> None:
    [revoked] = revoke(KEYS, kid, NOW)

    assert (revoked.kid, revoked.state, revoked.publish_until) == (kid, KeyState.RETIRING, NOW)


def test_revoking_an_unknown_key_is_refused() -> None:
    with pytest.raises(RotationRefusedError, match="there is no key nowhere"):
        revoke(KEYS, "nowhere", NOW)


@pytest.mark.parametrize(
    ("ends", "expected"),
    [
        pytest.param([], 300, id="no change planned"),
        pytest.param([NOW + 50], 50, id="a key leaves sooner"),
        pytest.param([NOW + 500], 300, id="a key leaves later"),
        pytest.param([NOW + 70, NOW + 50, NOW + 60], 50, id="the first of several"),
        pytest.param([NOW, NOW - 10], 300, id="keys that have left"),
    ],
)
def test_the_key_set_is_never_cached_beyond_the_next_planned_change(ends: list[int], expected: int) -> None:
    keys = [ACTIVE, NEXT, *(key(str(end), KeyState.RETIRING, publish_until=end) for end in ends)]

    assert max_age(keys, NOW, TIMES) == expected


@pytest.mark.requirement("O18")
def test_the_private_part_never_shows_in_a_repr() -> None:
    assert "sealed" not in repr(replace(ACTIVE, private_part="sealed"))
