"""Series of signing keys: which there are, how they begin and end, and what holds for all keys together."""

import pytest

from jeton.frozen import replace
from jeton.rules import key_series as series
from jeton.rules.key_lifecycle import (
    ACCESS_TOKENS,
    CLOCK_SKEW_SECONDS,
    STALE_SECONDS,
    KeyChangeRefusedError,
    KeyState,
    KeyType,
    SigningKey,
    rotate_if_due,
)
from support.builders import NOW
from support.key_states import (
    ACTIVATED,
    ACTIVE,
    ASKED,
    DAY,
    GONE_AT,
    KEYS,
    LONGEST,
    NEXT,
    RETIRED,
    RETIRING,
    REVOKED,
    TIMES,
    YEAR,
    key,
)

RSA_ACTIVE = key("rsa active", KeyState.ACTIVE, algorithm="RS256", series="RS256")
RSA_NEXT = key("rsa next", KeyState.NEXT, algorithm="RS256", series="RS256")
RSA = [RSA_ACTIVE, RSA_NEXT]
RSA_GONE = key("rsa gone", KeyState.RETIRING, algorithm="RS256", series="RS256", gone_at=NOW + 50)
BOTH = [*KEYS, *RSA]


def with_algorithms(active: str, following: str) -> list[SigningKey]:
    """Return the keys of access tokens with these algorithms."""
    return [replace(ACTIVE, algorithm=active), replace(NEXT, algorithm=following)]


def test_series_of_id_tokens_has_the_algorithm_of_its_name() -> None:
    types = [("ES256", ACCESS_TOKENS), ("RS256", ACCESS_TOKENS), ("ES256", "RS256"), ("ES256", "EdDSA")]
    expected = [("ES256", None), ("RS256", 3072), ("RS256", 3072), ("EdDSA", None)]

    found = [series.KeyTypes(algorithm, 3072, "hsm").of(it) for algorithm, it in types]
    assert found == [KeyType(*it, "hsm") for it in expected]


@pytest.mark.requirement("OI24")
@pytest.mark.parametrize(
    ("keys", "planned", "missing"),
    [
        pytest.param(with_algorithms("RS256", "RS256"), None, {"EdDSA"}, id="access tokens have RS256"),
        pytest.param(with_algorithms("RS256", "RS256"), "ES256", {"EdDSA", "RS256"}, id="another is configured"),
        pytest.param(with_algorithms("RS256", "ES256"), None, {"EdDSA", "RS256"}, id="another comes next"),
        pytest.param(with_algorithms("ES256", "RS256"), None, {"EdDSA", "RS256"}, id="RS256 comes next"),
        pytest.param(KEYS, None, {"EdDSA", "RS256"}, id="access tokens have ES256"),
        pytest.param([*KEYS, RSA_GONE], None, {"EdDSA", "RS256"}, id="the series has ended"),
        pytest.param([*KEYS, RSA_NEXT], None, {"EdDSA"}, id="the series has begun"),
        pytest.param(BOTH, None, {"EdDSA"}, id="the series exists"),
    ],
)
def test_series_is_missing_if_no_key_will_sign_id_tokens_of_the_algorithm(
    keys: list[SigningKey], planned: str | None, missing: set[str]
) -> None:
    assert series.missing_series(keys, ["RS256", "EdDSA"], planned) == missing


def test_series_ends_once_access_tokens_have_its_algorithm() -> None:
    def ended(*keys: SigningKey) -> list[tuple[str, KeyState]]:
        return [(it.kid, it.state) for it in series.end_superfluous_series(list(keys), NOW, TIMES, "RS256")]

    of_rs256, of_es256 = with_algorithms("RS256", "RS256"), with_algorithms("ES256", "RS256")
    assert ended(*of_rs256, *RSA) == [("rsa active", KeyState.RETIRING), ("rsa next", KeyState.GONE)]
    assert ended(*of_es256, *RSA) == ended(*of_rs256) == []


def test_each_series_rotates_by_itself() -> None:
    for asked, following in ((ACTIVE, NEXT), (RSA_ACTIVE, RSA_NEXT)):
        keys = [replace(it, rotation_asked_at=NOW) if it == asked else it for it in BOTH]

        changed = series.for_each_series(rotate_if_due, keys, NOW, TIMES, LONGEST)

        assert [it.kid for it in changed] == [asked.kid, following.kid]
        assert series.next_rotation_at(keys, TIMES) == NOW
        assert series.max_age(keys, NOW, TIMES) == 0


def test_active_key_without_a_next_one_lacks_it() -> None:
    assert series.lacking_next(BOTH) == set()
    assert series.lacking_next([*KEYS, RSA_ACTIVE]) == {"RS256"}
    assert series.active_and_next(BOTH) == (ACTIVE, NEXT)


def test_revoking_the_active_key_of_a_series_activates_the_next_one_of_the_same_series() -> None:
    revoked, activated = series.revoke(BOTH, "rsa active", NOW, TIMES, LONGEST)

    assert (revoked.kid, revoked.state) == ("rsa active", KeyState.REVOKED)
    assert activated == RSA_NEXT.activated(NOW, LONGEST)
    with pytest.raises(KeyChangeRefusedError, match="nowhere"):
        series.revoke(BOTH, "nowhere", NOW, TIMES, LONGEST)


def test_active_and_next_key_change_together_and_the_others_become_gone() -> None:
    for active, following in ((ACTIVE, NEXT), (RSA_ACTIVE, RSA_NEXT)):
        assert series.transition(active, BOTH, TIMES) == (KeyState.RETIRING, NOW + 89 * DAY)
        assert series.transition(following, BOTH, TIMES) == (KeyState.ACTIVE, NOW + 89 * DAY)
    for it in (RETIRING, REVOKED):
        assert series.transition(it, KEYS, TIMES) == (KeyState.GONE, it.gone_at)


def test_revoking_a_key_changes_only_it_and_activates_the_next_one_if_needed() -> None:
    revoked = {"state": KeyState.REVOKED, "private_part": ""}
    expected: dict[str, list[SigningKey]] = {
        "active": [replace(RETIRED, state=KeyState.REVOKED), ACTIVATED],
        "next": [replace(NEXT, **revoked, gone_at=GONE_AT - LONGEST)],
        "retiring": [replace(RETIRING, **revoked)],  # keeps its end
        "revoked": [],
    }

    assert {kid: series.revoke(KEYS, kid, NOW, TIMES, LONGEST) for kid in expected} == expected


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
    assert series.max_age(keys, NOW, TIMES, unread) == expected


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

    assert series.correct_timestamps(keys, NOW) == expected
