"""Signing key lifecycle: which keys sign, which are published, and when the next change is allowed."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from jeton.rules import key_lifecycle as lifecycle
from jeton.rules.key_lifecycle import CLOCK_SKEW_SECONDS, PROPAGATION_SECONDS, STALE_SECONDS, KeyState, SigningKey
from support.builders import NOW

DAY = 86400
YEAR = 365 * DAY
LONGEST = 3600
TIMES = lifecycle.KeyTimings(publish_ahead_seconds=DAY, jwks_max_age_seconds=300, rotate_seconds=90 * DAY)
GONE_AT = NOW + PROPAGATION_SECONDS + LONGEST + 300 + CLOCK_SKEW_SECONDS


def stored(kid: str) -> lifecycle.StoredKey:
    return lifecycle.StoredKey(kid, "ES256", "{}", "database", "sealed")


def key(kid: str, state: KeyState, **fields: Any) -> SigningKey:
    default = SigningKey(kid, "ES256", "{}", "database", "sealed", state, NOW - DAY, NOW)
    used = {} if state is KeyState.NEXT else {"longest_seconds": LONGEST, "activated_at": NOW - DAY}
    return replace(default, **(used | fields))


NEXT, ACTIVE = key("next", KeyState.NEXT), key("active", KeyState.ACTIVE)
RETIRING = key("retiring", KeyState.RETIRING, gone_at=NOW + 50)
REVOKED = key("revoked", KeyState.REVOKED, gone_at=NOW + 5000)
KEYS = [RETIRING, REVOKED, ACTIVE, NEXT]
RETIRED = replace(ACTIVE, state=KeyState.RETIRING, private_part="", gone_at=GONE_AT)
ACTIVATED = replace(NEXT, state=KeyState.ACTIVE, activated_at=NOW, longest_seconds=LONGEST)


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


@pytest.mark.parametrize(
    ("publish_ahead", "expected"),
    [
        pytest.param(DAY, DAY, id="as configured"),
        pytest.param(0, 300 + PROPAGATION_SECONDS, id="never before every cache has it"),
    ],
)
def test_next_key_is_published_before_it_may_sign(publish_ahead: int, expected: int) -> None:
    new = lifecycle.create_next_key(stored("new"), NOW, replace(TIMES, publish_ahead_seconds=publish_ahead))

    assert (new.state, new.created_at, new.ready_at, new.longest_seconds) == (KeyState.NEXT, NOW, NOW + expected, 0)


def test_first_keys_may_sign_at_once() -> None:
    active, following = lifecycle.create_first_keys(stored("one"), stored("two"), NOW, LONGEST)

    assert (active.kid, active.state, active.activated_at) == ("one", KeyState.ACTIVE, NOW)
    assert (following.kid, following.state, following.ready_at) == ("two", KeyState.NEXT, NOW)


ASKED = replace(ACTIVE, rotation_asked_at=NOW)
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
    assert lifecycle.transition(active, keys, TIMES) == (KeyState.RETIRING, expected)
    assert lifecycle.transition(following, keys, TIMES) == (KeyState.ACTIVE, expected)


def test_rotation_is_requested_once() -> None:
    assert lifecycle.request_rotation(KEYS, NOW) == [ASKED]
    assert lifecycle.request_rotation([ASKED, NEXT], NOW + 5) == []


@pytest.mark.parametrize("it", [RETIRING, REVOKED], ids=["retiring", "revoked"])
def test_retiring_and_revoked_keys_become_gone(it: SigningKey) -> None:
    assert lifecycle.transition(it, KEYS, TIMES) == (KeyState.GONE, it.gone_at)


@pytest.mark.parametrize(
    ("key_type", "stays"),
    [
        (lifecycle.KeyType("ES256", None, "database"), True),
        (lifecycle.KeyType("RS256", 2048, "database"), False),
        (lifecycle.KeyType("EdDSA", None, "database"), False),
        (lifecycle.KeyType("ES256", None, "hsm"), False),
    ],
)
def test_next_key_of_another_type_is_dropped(key_type: lifecycle.KeyType, stays: bool) -> None:
    assert lifecycle.drop_next_of_other_type(KEYS, key_type) == ([] if stays else [replace(NEXT, state=KeyState.GONE)])


@pytest.mark.parametrize(("characters", "bits"), [(342, 2048), (512, 3072), (683, 4096)])
def test_rsa_size_is_part_of_the_key_type(characters: int, bits: int) -> None:
    rsa = replace(stored("kid"), algorithm="RS256", public_jwk=f'{{"n": "{"A" * characters}"}}')

    assert rsa.key_type == lifecycle.KeyType("RS256", bits, "database")


@pytest.mark.parametrize(
    ("it", "published"),
    [
        pytest.param(ACTIVE, True, id="active"),
        pytest.param(NEXT, True, id="next"),
        pytest.param(replace(RETIRING, gone_at=NOW + 1), True, id="last second"),
        pytest.param(replace(RETIRING, gone_at=NOW), False, id="gone this second"),
        pytest.param(replace(RETIRING, gone_at=NOW - 1), False, id="gone"),
        pytest.param(REVOKED, False, id="revoked"),
    ],
)
def test_key_leaves_the_key_set_at_the_exact_second_or_when_revoked(it: SigningKey, published: bool) -> None:
    assert it.is_published(NOW) is published


@pytest.mark.parametrize(
    ("kid", "expected"),
    [
        pytest.param("active", [replace(RETIRED, state=KeyState.REVOKED), ACTIVATED], id="active: next signs"),
        pytest.param(
            "next", [replace(NEXT, state=KeyState.REVOKED, private_part="", gone_at=GONE_AT - LONGEST)], id="next"
        ),
        pytest.param(
            "retiring", [replace(RETIRING, state=KeyState.REVOKED, private_part="")], id="retiring: keeps its end"
        ),
        pytest.param("revoked", [], id="already revoked"),
    ],
)
def test_revoking_a_key_changes_only_it_and_activates_the_next_one_if_needed(
    kid: str, expected: list[SigningKey]
) -> None:
    assert lifecycle.revoke(KEYS, kid, NOW, TIMES, LONGEST) == expected


def test_revoking_an_unknown_key_is_refused() -> None:
    with pytest.raises(lifecycle.KeyChangeRefusedError, match="nowhere"):
        lifecycle.revoke(KEYS, "nowhere", NOW, TIMES, LONGEST)


@pytest.mark.parametrize(
    ("age", "ready_in", "waits"),
    [
        pytest.param(0, DAY, PROPAGATION_SECONDS, id="published this second"),
        pytest.param(PROPAGATION_SECONDS - 1, DAY, 1, id="published recently"),
        pytest.param(PROPAGATION_SECONDS, DAY, 0, id="published by every server"),
        pytest.param(0, 0, 0, id="of the first start"),
    ],
)
def test_activated_key_signs_only_once_every_server_publishes_it(age: int, ready_in: int, waits: int) -> None:
    following = replace(NEXT, created_at=NOW - age, ready_at=NOW + ready_in)

    assert following.activated(NOW, LONGEST).activated_at == NOW + waits


def leaving(*ends: int) -> list[SigningKey]:
    return [ACTIVE, NEXT, *(key(str(end), KeyState.RETIRING, gone_at=end) for end in ends)]


def rotating(at: int) -> list[SigningKey]:
    return [replace(ACTIVE, rotation_asked_at=at), replace(NEXT, ready_at=at)]


@pytest.mark.parametrize(
    ("keys", "unread", "expected"),
    [
        pytest.param(leaving(), 0, 300, id="no change planned"),
        pytest.param(leaving(NOW + 50), 0, 50, id="a key leaves sooner"),
        pytest.param(leaving(NOW + 500), 0, 300, id="a key leaves later"),
        pytest.param(leaving(NOW + 70, NOW + 50, NOW + 60), 0, 50, id="first of several"),
        pytest.param(leaving(NOW, NOW - 10), 0, 300, id="keys that have left"),
        pytest.param([ACTIVE, NEXT, replace(REVOKED, gone_at=NOW + 10)], 0, 300, id="revoked key"),
        pytest.param(rotating(NOW + 400), 0, 300, id="rotation later"),
        pytest.param(rotating(NOW + 20), 0, 20, id="rotation sooner"),
        pytest.param(rotating(NOW), 0, 0, id="rotation is due"),
        pytest.param(rotating(NOW - 5), 0, 0, id="rotation is overdue"),
        pytest.param(leaving(), STALE_SECONDS, 300, id="keys read just in time"),
        pytest.param(leaving(), STALE_SECONDS + 1, 299, id="keys stale for a second"),
        pytest.param(leaving(), STALE_SECONDS + 300, 0, id="keys stale for max-age"),
        pytest.param(leaving(), DAY, 0, id="keys stale for a day"),
    ],
)
def test_key_set_is_never_cached_beyond_the_next_change(keys: list[SigningKey], unread: int, expected: int) -> None:
    assert lifecycle.max_age(keys, NOW, TIMES, unread) == expected


@pytest.mark.parametrize(
    ("ahead", "effective"),
    [(-1, True), (0, True), (1, False), (PROPAGATION_SECONDS, False), (PROPAGATION_SECONDS + 1, True)],
)
def test_no_key_waits_longer_than_the_propagation_time(ahead: int, effective: bool) -> None:
    assert lifecycle.is_effective(NOW + ahead, NOW) is effective


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        pytest.param(KEYS, [], id="past"),
        pytest.param([ACTIVE, replace(NEXT, created_at=NOW + CLOCK_SKEW_SECONDS)], [], id="within clock skew"),
        pytest.param(
            [ACTIVE, replace(NEXT, created_at=NOW + CLOCK_SKEW_SECONDS + 1)], [replace(NEXT, created_at=NOW,
            ready_at=NOW - CLOCK_SKEW_SECONDS - 1)], id="beyond clock skew",
        ),
        pytest.param(
            [RETIRING, replace(ACTIVE, activated_at=NOW + YEAR, rotation_asked_at=NOW + YEAR),
             replace(NEXT, created_at=NOW + YEAR, ready_at=NOW + YEAR + DAY)],
            [ASKED, replace(NEXT, created_at=NOW, ready_at=NOW + DAY)], id="all of them",
        ),
    ],
)  # fmt: skip
def test_future_timestamps_are_corrected_to_now(keys: list[SigningKey], expected: list[SigningKey]) -> None:
    expected = [replace(it, activated_at=NOW) if it.state is KeyState.ACTIVE else it for it in expected]

    assert lifecycle.correct_timestamps(keys, NOW) == expected
