"""Signing key lifecycle: which keys sign, which are published, and when the next change is allowed."""

from collections.abc import Callable

import pytest

from jeton.frozen import replace
from jeton.rules import key_lifecycle as lifecycle
from jeton.rules.key_lifecycle import CLOCK_SKEW_SECONDS, PROPAGATION_SECONDS, STALE_SECONDS, KeyState, SigningKey
from support.builders import NOW
from support.key_states import (
    ACTIVATED,
    ACTIVE,
    ASKED,
    DAY,
    KEYS,
    LONGEST,
    NEXT,
    RETIRED,
    RETIRING,
    REVOKED,
    TIMES,
    YEAR,
    stored,
)


@pytest.mark.requirement("O14", "O18")
@pytest.mark.parametrize("change", [lifecycle.rotate, lifecycle.rotate_early])
def test_rotation_activates_the_next_key_and_retires_the_active_one_without_private_part(
    change: Callable[..., list[SigningKey]],
) -> None:
    assert change(KEYS, NOW, TIMES, LONGEST) == [RETIRED, ACTIVATED]
    assert "sealed" not in repr(ACTIVE) + repr(stored("it"))
    assert list(KeyState) == ["next", "active", "retiring", "revoked", "gone"]
    assert (CLOCK_SKEW_SECONDS, STALE_SECONDS, PROPAGATION_SECONDS) == (60, 8, 15)


@pytest.mark.parametrize("age", [0, PROPAGATION_SECONDS - 1, PROPAGATION_SECONDS])
def test_early_rotation_is_refused_until_every_server_publishes_the_next_key(age: int) -> None:
    keys = [ACTIVE, replace(NEXT, created_at=NOW - age, ready_at=NOW + DAY)]
    wait = PROPAGATION_SECONDS - age

    if wait:
        with pytest.raises(lifecycle.KeyChangeRefusedError, match=f"try again in {wait} s"):
            lifecycle.rotate_early(keys, NOW, TIMES, LONGEST)
    else:
        assert [it.kid for it in lifecycle.rotate_early(keys, NOW, TIMES, LONGEST)] == ["active", "next"]


@pytest.mark.parametrize(("publish_ahead", "expected"), [(DAY, DAY), (0, 300 + PROPAGATION_SECONDS)])
def test_next_key_is_published_before_it_may_sign_and_never_before_every_cache_has_it(
    publish_ahead: int, expected: int
) -> None:
    new = lifecycle.create_next_key(stored("new"), NOW, replace(TIMES, publish_ahead_seconds=publish_ahead))

    assert (new.state, new.created_at, new.ready_at, new.longest_seconds) == (KeyState.NEXT, NOW, NOW + expected, 0)


def test_first_keys_may_sign_at_once() -> None:
    active, following = lifecycle.create_first_keys(stored("one"), stored("two"), NOW, LONGEST)

    assert (active.kid, active.state, active.activated_at) == ("one", KeyState.ACTIVE, NOW)
    assert (following.kid, following.state, following.ready_at) == ("two", KeyState.NEXT, NOW)


OTHER_ALGORITHM = replace(ACTIVE, algorithm="RS256")


@pytest.mark.parametrize(
    ("active", "ready_at", "expected"),
    [
        pytest.param(ACTIVE, NOW, NOW + 89 * DAY, id="has signed for long enough"),
        pytest.param(ACTIVE, NOW + 100 * DAY, NOW + 100 * DAY, id="never before the next one is ready"),
        pytest.param(ASKED, NOW, NOW, id="requested"),
        pytest.param(ASKED, NOW + 5, NOW + 5, id="requested, next one not ready"),
        pytest.param(replace(ACTIVE, rotation_asked_at=NOW + YEAR), NOW, NOW + 89 * DAY, id="due before requested"),
        pytest.param(OTHER_ALGORITHM, NOW, NOW, id="another algorithm"),
        pytest.param(OTHER_ALGORITHM, NOW + DAY, NOW + DAY, id="another algorithm, next one not ready"),
        pytest.param(replace(ACTIVE, store="elsewhere"), NOW, NOW, id="another store"),
        pytest.param(replace(OTHER_ALGORITHM, activated_at=NOW + 5), NOW, NOW + 5, id="never before it was active"),
    ],
)
def test_rotation_is_due_when_requested_or_scheduled_and_ready(
    active: SigningKey, ready_at: int, expected: int
) -> None:
    following = replace(NEXT, ready_at=ready_at)
    keys = [active, following]

    assert lifecycle.rotation_at(keys, TIMES) == expected
    for seconds in (-1, 0):
        assert bool(lifecycle.rotate_if_due(keys, expected + seconds, TIMES, LONGEST)) is (seconds == 0)


def test_rotation_is_requested_once() -> None:
    later = replace(NEXT, ready_at=NOW + DAY)

    assert lifecycle.request_rotation([ACTIVE, later], NOW, TIMES, LONGEST) == [ASKED]
    assert lifecycle.request_rotation([ASKED, later], NOW + 5, TIMES, LONGEST) == []
    assert lifecycle.request_rotation(KEYS, NOW, TIMES, LONGEST) == [RETIRED, ACTIVATED]


def test_next_key_of_another_type_is_dropped() -> None:
    others = [("RS256", 2048, "database"), ("EdDSA", None, "database"), ("ES256", None, "hsm")]
    dropped = [replace(NEXT, state=KeyState.GONE)]

    assert lifecycle.drop_next_of_other_type(KEYS, lifecycle.KeyType("ES256", None, "database")) == []
    assert [lifecycle.drop_next_of_other_type(KEYS, lifecycle.KeyType(*it)) for it in others] == [dropped] * 3


def test_rsa_size_is_part_of_the_key_type() -> None:
    for characters, bits in ((342, 2048), (512, 3072), (683, 4096)):
        rsa = replace(stored("kid"), algorithm="RS256", public_jwk=f'{{"n": "{"A" * characters}"}}')
        assert rsa.key_type == lifecycle.KeyType("RS256", bits, "database")


def test_key_leaves_the_key_set_at_the_exact_second_or_when_revoked() -> None:
    leaving = [replace(RETIRING, gone_at=NOW + it) for it in (1, 0, -1)]

    assert [it.is_published(NOW) for it in leaving] == [True, False, False]
    assert [it.is_published(NOW) for it in (ACTIVE, NEXT, REVOKED)] == [True, True, False]


def test_activated_key_signs_only_once_every_server_publishes_it() -> None:
    ages = (0, PROPAGATION_SECONDS - 1, PROPAGATION_SECONDS)
    following = [replace(NEXT, created_at=NOW - it, ready_at=NOW + DAY) for it in ages]
    of_the_first_start = replace(NEXT, created_at=NOW, ready_at=NOW)

    signing = [it.activated(NOW, LONGEST).activated_at for it in (*following, of_the_first_start)]
    assert signing == [NOW + PROPAGATION_SECONDS, NOW + 1, NOW, NOW]


def test_no_key_waits_longer_than_the_propagation_time() -> None:
    effective = {-1: True, 0: True, 1: False, PROPAGATION_SECONDS: False, PROPAGATION_SECONDS + 1: True}

    assert {ahead: lifecycle.is_effective(NOW + ahead, NOW) for ahead in effective} == effective


FIRST = replace(NEXT, ready_at=NOW + 315)


def test_first_key_of_a_series_signs_as_soon_as_no_cache_lacks_it() -> None:
    begun = lifecycle.begin_series(stored("first"), NOW, TIMES, "ES256")

    assert (begun.state, begun.created_at, begun.series) == (KeyState.NEXT, NOW, "ES256")
    assert begun.ready_at == NOW + 300 + PROPAGATION_SECONDS
    assert lifecycle.rotation_at([begun], TIMES) == begun.ready_at
    assert lifecycle.rotate([begun], NOW + 315, TIMES, LONGEST) == [begun.activated(NOW + 315, LONGEST)]


def test_first_key_of_a_series_is_neither_dropped_nor_asked_to_rotate() -> None:
    assert lifecycle.drop_next_of_other_type([FIRST], lifecycle.KeyType("ES256", None, "hsm")) == []
    assert lifecycle.request_rotation([FIRST], NOW, TIMES, LONGEST) == []


@pytest.mark.parametrize(("keys", "retired"), [([ACTIVE, NEXT], [RETIRED]), ([FIRST], [])], ids=["both", "just begun"])
def test_series_ends_with_a_retiring_key(keys: list[SigningKey], retired: list[SigningKey]) -> None:
    *others, dropped = lifecycle.end(keys, NOW, TIMES)

    assert (others, dropped.state) == (retired, KeyState.GONE)
