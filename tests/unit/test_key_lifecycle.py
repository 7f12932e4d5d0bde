"""Signing key lifecycle: which keys sign, which are published, and when the next change is allowed."""

from dataclasses import replace

import pytest

from jeton.rules.key_lifecycle import (
    CLOCK_SKEW_SECONDS,
    PROPAGATION_SECONDS,
    STALE_SECONDS,
    KeyChangeRefusedError,
    KeyState,
    KeyTimings,
    KeyType,
    SigningKey,
    StoredKey,
    correct_timestamps,
    create_first_keys,
    create_next_key,
    drop_next_of_other_type,
    is_effective,
    max_age,
    request_rotation,
    revoke,
    rotate,
    rotation_at,
    transition,
)

NOW = 1_000_000
DAY = 86400
LONGEST = 3600
TIMES = KeyTimings(publish_ahead_seconds=DAY, jwks_max_age_seconds=300, rotate_seconds=90 * DAY)
ES256 = KeyType("ES256", None, "database")
LEAVES = NOW + PROPAGATION_SECONDS + LONGEST + 300 + CLOCK_SKEW_SECONDS


def stored(kid: str, algorithm: str = "ES256") -> StoredKey:
    return StoredKey(kid, algorithm, "{}", "database", "sealed")


def key(kid: str, state: KeyState, *, ready_at: int = NOW, gone_at: int | None = None) -> SigningKey:
    longest = 0 if state is KeyState.NEXT else LONGEST
    activated_at = None if state is KeyState.NEXT else NOW - DAY
    return SigningKey(
        kid, "ES256", "{}", "database", "sealed", state, NOW - DAY, ready_at, longest, activated_at, None, gone_at
    )


NEXT, ACTIVE = key("next", KeyState.NEXT), key("active", KeyState.ACTIVE)
RETIRING = key("retiring", KeyState.RETIRING, gone_at=NOW + 50)
REVOKED = key("revoked", KeyState.REVOKED, gone_at=NOW + 5000)
KEYS = [RETIRING, REVOKED, ACTIVE, NEXT]


@pytest.mark.requirement("O14")
def test_rotation_activates_the_next_key_and_retires_the_active_one() -> None:
    assert rotate(KEYS, NOW, TIMES, LONGEST) == [ACTIVE.retired(NOW, TIMES), NEXT.activated(NOW, LONGEST)]


def test_active_key_has_no_end_and_records_the_longest_token_lifetime() -> None:
    active = NEXT.activated(NOW, LONGEST)

    assert (active.state, active.activated_at, active.gone_at) == (KeyState.ACTIVE, NOW, None)
    assert active.longest_seconds == LONGEST


def test_retired_key_is_published_until_its_tokens_and_caches_have_expired() -> None:
    retired = ACTIVE.retired(NOW, TIMES)

    assert (retired.state, retired.gone_at) == (KeyState.RETIRING, LEAVES)


@pytest.mark.requirement("O14")
def test_retired_and_revoked_keys_have_no_private_part() -> None:
    assert ACTIVE.private_part
    assert (ACTIVE.retired(NOW, TIMES).private_part, ACTIVE.revoked(NOW, TIMES).private_part) == ("", "")


# When it comes.


@pytest.mark.parametrize(
    ("publish_ahead", "jwks_max_age", "expected"),
    [
        pytest.param(DAY, 300, DAY, id="as long as is set"),
        pytest.param(0, 300, 300 + PROPAGATION_SECONDS, id="never before every cache has it"),
    ],
)
def test_next_key_is_published_before_it_may_sign(publish_ahead: int, jwks_max_age: int, expected: int) -> None:
    new = create_next_key(stored("new"), NOW, KeyTimings(publish_ahead, jwks_max_age, 90 * DAY))

    assert (new.state, new.created_at, new.ready_at) == (KeyState.NEXT, NOW, NOW + expected)


def test_the_first_keys_may_sign_at_once() -> None:
    active, following = create_first_keys(stored("one"), stored("two"), NOW, LONGEST)

    assert (active.kid, active.state, active.activated_at) == ("one", KeyState.ACTIVE, NOW)
    assert (following.kid, following.state, following.ready_at) == ("two", KeyState.NEXT, NOW)


@pytest.mark.parametrize(
    ("active", "following", "expected"),
    [
        pytest.param(ACTIVE, NEXT, NOW + 89 * DAY, id="it has signed for long enough"),
        pytest.param(replace(ACTIVE, rotation_asked_at=NOW), NEXT, NOW, id="an operator asked"),
        pytest.param(
            replace(ACTIVE, rotation_asked_at=NOW),
            key("next", KeyState.NEXT, ready_at=NOW + 5),
            NOW + 5,
            id="an operator asked, and the next one is not ready",
        ),
        pytest.param(replace(ACTIVE, algorithm="RS256"), NEXT, NOW, id="another algorithm was set"),
        pytest.param(replace(ACTIVE, store="elsewhere"), NEXT, NOW, id="another store was set"),
        pytest.param(
            replace(ACTIVE, algorithm="RS256"),
            key("next", KeyState.NEXT, ready_at=NOW + DAY),
            NOW + DAY,
            id="another algorithm was set, and the next one is not ready",
        ),
        pytest.param(
            ACTIVE, key("next", KeyState.NEXT, ready_at=NOW + 100 * DAY), NOW + 100 * DAY, id="never before it is ready"
        ),
    ],
)
def test_rotation_is_due_when_requested_or_scheduled_and_ready(
    active: SigningKey, following: SigningKey, expected: int
) -> None:
    keys = [active, following]

    assert rotation_at(keys, TIMES) == expected
    assert transition(active, keys, TIMES) == (KeyState.RETIRING, expected)
    assert transition(following, keys, TIMES) == (KeyState.ACTIVE, expected)


def test_rotation_is_requested_once() -> None:
    (asked,) = request_rotation(KEYS, NOW)

    assert asked == replace(ACTIVE, rotation_asked_at=NOW)
    assert request_rotation([asked, NEXT], NOW + 5) == []


@pytest.mark.parametrize("it", [RETIRING, REVOKED], ids=["retiring", "revoked"])
def test_retiring_and_revoked_keys_become_gone(it: SigningKey) -> None:
    assert transition(it, KEYS, TIMES) == (KeyState.GONE, it.gone_at)


# Another kind.


def test_next_key_of_the_configured_type_stays() -> None:
    assert drop_next_of_other_type(KEYS, ES256) == []


@pytest.mark.parametrize(
    "kind", [KeyType("RS256", 2048, "database"), KeyType("EdDSA", None, "database"), KeyType("ES256", None, "hsm")]
)
def test_next_key_of_another_type_is_dropped(kind: KeyType) -> None:
    assert drop_next_of_other_type(KEYS, kind) == [replace(NEXT, state=KeyState.GONE)]


@pytest.mark.parametrize(("characters", "bits"), [(342, 2048), (512, 3072), (683, 4096)])
def test_rsa_size_is_part_of_the_key_type(characters: int, bits: int) -> None:
    rsa = StoredKey("kid", "RS256", f'{{"n": "{"A" * characters}"}}', "database", "sealed")

    assert rsa.key_type == KeyType("RS256", bits, "database")


# What is published.


@pytest.mark.parametrize(("gone_at", "published"), [(None, True), (NOW + 1, True), (NOW, False), (NOW - 1, False)])
def test_key_leaves_the_key_set_at_the_exact_second(gone_at: int | None, published: bool) -> None:
    assert key("it", KeyState.RETIRING, gone_at=gone_at).is_published(NOW) is published


def test_a_revoked_key_is_not_published() -> None:
    assert not REVOKED.is_published(NOW)


# In an emergency.


def test_revoking_the_active_key_activates_the_next_one() -> None:
    revoked, following = revoke([ACTIVE, key("next", KeyState.NEXT, ready_at=NOW + DAY)], "active", NOW, TIMES, LONGEST)

    assert (following.kid, following.state, following.activated_at) == ("next", KeyState.ACTIVE, NOW)
    assert (revoked.kid, revoked.state, revoked.gone_at) == ("active", KeyState.REVOKED, LEAVES)


@pytest.mark.parametrize(
    ("age", "ready_in", "waits"),
    [
        pytest.param(0, DAY, PROPAGATION_SECONDS, id="published this moment"),
        pytest.param(PROPAGATION_SECONDS - 1, DAY, 1, id="published a moment ago"),
        pytest.param(PROPAGATION_SECONDS, DAY, 0, id="published by every server"),
        pytest.param(0, 0, 0, id="of the first start"),
    ],
)
def test_activated_key_signs_only_once_every_server_publishes_it(age: int, ready_in: int, waits: int) -> None:
    following = replace(NEXT, created_at=NOW - age, ready_at=NOW + ready_in)

    assert following.activated(NOW, LONGEST).activated_at == NOW + waits


@pytest.mark.parametrize("kid", ["next", "retiring"])
def test_revoking_another_key_changes_that_one_only(kid: str) -> None:
    [revoked] = revoke(KEYS, kid, NOW, TIMES, LONGEST)

    assert (revoked.kid, revoked.state) == (kid, KeyState.REVOKED)


def test_revoking_a_retiring_key_keeps_its_end() -> None:
    [revoked] = revoke(KEYS, "retiring", NOW, TIMES, LONGEST)

    assert revoked.gone_at == RETIRING.gone_at


def test_revoking_a_revoked_key_changes_nothing() -> None:
    assert revoke(KEYS, "revoked", NOW, TIMES, LONGEST) == []


def test_revoking_an_unknown_key_is_refused() -> None:
    with pytest.raises(KeyChangeRefusedError, match="there is no key nowhere"):
        revoke(KEYS, "nowhere", NOW, TIMES, LONGEST)


# How long it may be cached.


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
def test_key_set_is_never_cached_beyond_the_end_of_a_key(ends: list[int], expected: int) -> None:
    keys = [ACTIVE, NEXT, *(key(str(end), KeyState.RETIRING, gone_at=end) for end in ends)]

    assert max_age(keys, NOW, TIMES) == expected


def test_a_revoked_key_plans_no_change() -> None:
    assert max_age([ACTIVE, NEXT, replace(REVOKED, gone_at=NOW + 10)], NOW, TIMES) == 300


@pytest.mark.parametrize(("asked_at", "expected"), [(NOW + 400, 300), (NOW + 20, 20), (NOW, 0), (NOW - 5, 0)])
def test_the_key_set_is_never_cached_beyond_the_next_rotation(asked_at: int, expected: int) -> None:
    following = replace(NEXT, ready_at=asked_at)

    assert max_age([replace(ACTIVE, rotation_asked_at=asked_at), following], NOW, TIMES) == expected


@pytest.mark.parametrize(
    ("unseen", "expected"),
    [(0, 300), (STALE_SECONDS, 300), (STALE_SECONDS + 1, 299), (STALE_SECONDS + 300, 0), (DAY, 0)],
)
def test_stale_keys_shorten_max_age(unseen: int, expected: int) -> None:
    assert max_age([ACTIVE, NEXT], NOW, TIMES, unseen) == expected


@pytest.mark.requirement("O18")
def test_repr_never_contains_the_private_part() -> None:
    assert "sealed" not in repr(ACTIVE)
    assert "sealed" not in repr(stored("it"))


@pytest.mark.parametrize(
    ("ahead", "effective"),
    [(-1, True), (0, True), (1, False), (PROPAGATION_SECONDS, False), (PROPAGATION_SECONDS + 1, True)],
)
def test_no_key_waits_longer_than_the_propagation_time(ahead: int, effective: bool) -> None:
    assert is_effective(NOW + ahead, NOW) is effective


def test_past_timestamps_are_not_changed() -> None:
    assert correct_timestamps(KEYS, NOW) == []


def test_future_timestamps_are_corrected_to_now() -> None:
    year = 365 * DAY
    made = replace(NEXT, created_at=NOW + year, ready_at=NOW + year + DAY)
    signing = replace(ACTIVE, activated_at=NOW + year, rotation_asked_at=NOW + year)

    assert correct_timestamps([RETIRING, signing, made], NOW) == [
        replace(ACTIVE, activated_at=NOW, rotation_asked_at=NOW),
        replace(NEXT, created_at=NOW, ready_at=NOW + DAY),
    ]
