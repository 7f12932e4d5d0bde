"""Series of signing keys: which there are, and what holds for all of them together.

The keys of the series ACCESS_TOKENS sign access tokens, status lists, and ID tokens of their algorithm, which
`keys.algorithm` says. ID tokens of another algorithm are signed by a series of its own, named by the algorithm: RS256,
which every client may expect (OpenID Connect Discovery section 3), and what clients are registered for. A series has
a `next` key for as long as it exists, and changes by itself (`rules/key_lifecycle.py`).
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable
from typing import Final

from jeton.frozen import Frozen, replace
from jeton.rules.key_lifecycle import (
    ACCESS_TOKENS,
    CLOCK_SKEW_SECONDS,
    STALE_SECONDS,
    KeyChangeRefusedError,
    KeyState,
    KeyTimings,
    KeyType,
    SigningKey,
    end,
    next_of,
    rotation_at,
)

# Every OpenID provider offers ID tokens of this algorithm.
RS256: Final = "RS256"

# Returns the changed keys of one series, given its keys, the time, the timings, and the longest lifetime of a token.
SeriesRule = Callable[[list[SigningKey], int, KeyTimings, int], list[SigningKey]]


class KeyTypes(Frozen):
    """The configured types of new keys. `algorithm` is that of access tokens."""

    algorithm: str
    rsa_bits: int
    store: str

    def of(self, series: str) -> KeyType:
        algorithm = self.algorithm if series == ACCESS_TOKENS else series
        return KeyType(algorithm, self.rsa_bits if algorithm == RS256 else None, self.store)


def by_series(keys: Iterable[SigningKey]) -> dict[str, list[SigningKey]]:
    """Return the keys of each series that exists: it has a `next` key. Others have only keys that will be gone."""
    found = defaultdict[str, list[SigningKey]](list)
    for key in keys:
        found[key.series].append(key)
    return {series: of_it for series, of_it in found.items() if any(key.state is KeyState.NEXT for key in of_it)}


def active_and_next(keys: Iterable[SigningKey]) -> tuple[SigningKey, SigningKey]:
    """Return the key that signs access tokens and the one that will sign them next. There always is one of each."""
    by_state = {key.state: key for key in keys if key.series == ACCESS_TOKENS}
    return by_state[KeyState.ACTIVE], by_state[KeyState.NEXT]


def active_keys(keys: Iterable[SigningKey]) -> dict[str, SigningKey]:
    """Return the key that signs of each series that has one."""
    return {key.series: key for key in keys if key.state is KeyState.ACTIVE}


def for_each_series(
    rule: SeriesRule, keys: Iterable[SigningKey], now: int, timings: KeyTimings, longest_seconds: int
) -> list[SigningKey]:
    """Return the keys that the rule changes, of all series."""
    return [key for of_it in by_series(keys).values() for key in rule(of_it, now, timings, longest_seconds)]


def missing_series(keys: Collection[SigningKey], algorithms: Collection[str], planned: str | None = None) -> set[str]:
    """Return the algorithms among these that no key signs ID tokens with, now and after the next rotation.

    `planned` is the algorithm that access tokens will have; by default that of the stored `next` key.
    """
    active, following = active_and_next(keys)
    planned = planned or following.algorithm
    lasting = {planned} if active.algorithm == planned else set[str]()
    return set(algorithms) - by_series(keys).keys() - lasting


def lacking_next(keys: Iterable[SigningKey]) -> set[str]:
    """Return the series whose active key has no successor yet."""
    keys = list(keys)
    return active_keys(keys).keys() - {key.series for key in keys if key.state is KeyState.NEXT}


def end_superfluous_series(
    keys: Collection[SigningKey], now: int, timings: KeyTimings, algorithm: str
) -> list[SigningKey]:
    """Return the changed keys: the series of this algorithm ends if access tokens have it, now and as configured."""
    superfluous = by_series(keys).get(algorithm) if active_and_next(keys)[0].algorithm == algorithm else None
    return [] if superfluous is None else end(superfluous, now, timings)


def revoke(
    keys: Collection[SigningKey], kid: str, now: int, timings: KeyTimings, longest_seconds: int
) -> list[SigningKey]:
    """Return the changed keys: the revoked one, and `next` of its series as active if the revoked one was.

    Raise KeyChangeRefusedError if there is no key with this `kid`.
    """
    key = next((key for key in keys if key.kid == kid), None)
    if key is None:
        raise KeyChangeRefusedError(f"there is no key {kid}: see `jeton keys list`")
    match key.state:
        case KeyState.REVOKED:
            return []
        case KeyState.ACTIVE:
            following = next_of(by_series(keys)[key.series])
            return [key.revoked(now, timings), following.activated(now, longest_seconds)]
    return [key.revoked(now, timings)]


def correct_timestamps(keys: Collection[SigningKey], now: int) -> list[SigningKey]:
    """Return the keys with timestamps in the future, corrected to now.

    Such a timestamp was set by a clock that was ahead. Uncorrected, the key would not sign or rotate before that time.
    `gone_at` stays: to keep a key too long does no harm, and it may be the present clock that is wrong.
    """
    timestamps = (it for key in keys for it in (key.created_at, key.activated_at, key.rotation_asked_at))
    if max(it for it in timestamps if it is not None) <= now + CLOCK_SKEW_SECONDS:
        return []
    return [after for key in keys if (after := _correct_timestamps(key, now)) != key]


def _correct_timestamps(key: SigningKey, now: int) -> SigningKey:
    def at_most_now(at: int | None) -> int | None:
        return None if at is None else min(at, now)

    return replace(
        key,
        created_at=min(key.created_at, now),
        ready_at=key.ready_at - max(0, key.created_at - now),
        activated_at=at_most_now(key.activated_at),
        rotation_asked_at=at_most_now(key.rotation_asked_at),
    )


def next_rotation_at(keys: Iterable[SigningKey], timings: KeyTimings) -> int:
    """Return when the next rotation of any series is due."""
    return min(rotation_at(of_it, timings) for of_it in by_series(keys).values())


def transition(key: SigningKey, keys: Iterable[SigningKey], timings: KeyTimings) -> tuple[KeyState, int]:
    """Return the state that the key enters next, and when."""
    match key.state:
        case KeyState.NEXT:
            return KeyState.ACTIVE, rotation_at(by_series(keys)[key.series], timings)
        case KeyState.ACTIVE:
            return KeyState.RETIRING, rotation_at(by_series(keys)[key.series], timings)
    return KeyState.GONE, key.gone_at or 0


def max_age(keys: Iterable[SigningKey], now: int, timings: KeyTimings, seconds_since_read: int = 0) -> int:
    """Return for how many seconds a key set may be cached: never beyond the next planned change.

    `seconds_since_read` is the age of the keys. A server without its database keeps publishing them, for shorter times.
    """
    published = [key for key in keys if key.is_published(now)]
    changes = [key.gone_at for key in published if key.gone_at is not None]
    limit = timings.jwks_max_age_seconds - max(0, seconds_since_read - STALE_SECONDS)
    return max(0, min([limit, *(at - now for at in [*changes, next_rotation_at(published, timings)])]))
