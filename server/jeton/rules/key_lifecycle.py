"""Signing key lifecycle: which keys sign, which are published, and when the next change is allowed.

    next (published, not signing) -> active -> retiring (published, not signing) -> gone
    any of these -> revoked (no longer published, still known) -> gone

One `next` key is always published, so that an emergency rotation does not have to wait for publication. All times are
the database's. Why no verifier that honours `max-age` ever misses a key (ADR 0011 has the whole argument):

- A change at T is in effect everywhere by T + PROPAGATION_SECONDS. It is committed within 2 seconds or not at all;
  every process reads the keys every 2 seconds, and one that has not read them for STALE_SECONDS does not sign; a
  request signs within 5 seconds of obtaining its signer.
- So a key published at T is in every key set served after T + PROPAGATION_SECONDS, and in every cache `max-age` later.
  It does not sign before that (`ready_at`), and in an emergency not before every Jeton server publishes it.
- A key that stopped signing at T has signed its last token by T + PROPAGATION_SECONDS; it stays published until that
  token has expired, with an allowance for slow clocks and caches (`gone_at`).
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final, Self

CLOCK_SKEW_SECONDS: Final = 60
STALE_SECONDS: Final = 8
PROPAGATION_SECONDS: Final = 2 + STALE_SECONDS + 5


class KeyState(StrEnum):
    NEXT = "next"
    ACTIVE = "active"
    RETIRING = "retiring"
    REVOKED = "revoked"
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class KeyTimings:
    """Settings that determine the lifecycle of a key, in seconds."""

    publish_ahead_seconds: int
    jwks_max_age_seconds: int
    rotate_seconds: int

    @property
    def ready_after_seconds(self) -> int:
        """Return how long a new key is published before it signs: at least as long as a cache may lack it."""
        return max(self.publish_ahead_seconds, self.jwks_max_age_seconds + PROPAGATION_SECONDS)


@dataclass(frozen=True, slots=True)
class KeyType:
    """Algorithm, size and store of a key. `rsa_bits` is None for all but RSA keys."""

    algorithm: str
    rsa_bits: int | None
    store: str


@dataclass(frozen=True, slots=True)
class StoredKey:
    """A stored key pair: the public part in clear, the private part in a form that only its `store` can use."""

    kid: str
    algorithm: str
    public_jwk: str
    store: str
    private_part: str = field(repr=False)

    @property
    def key_type(self) -> KeyType:
        modulus = json.loads(self.public_jwk).get("n")
        return KeyType(self.algorithm, None if modulus is None else len(modulus) * 3 // 4 * 8, self.store)


@dataclass(frozen=True, slots=True)
class SigningKey(StoredKey):
    """A stored key and its state.

    `ready_at`: when it may sign at the earliest. `longest_seconds`: the longest lifetime of any token it may sign; 0
    until it is active. `rotation_asked_at`: when an operator requested a rotation. `gone_at`: when no token or cache
    refers to it any more.
    """

    state: KeyState
    created_at: int
    ready_at: int
    longest_seconds: int = 0
    activated_at: int | None = None
    rotation_asked_at: int | None = None
    gone_at: int | None = None

    def is_published(self, now: int) -> bool:
        """Return whether the key set holds the key."""
        return self.state is not KeyState.REVOKED and (self.gone_at is None or now < self.gone_at)

    @property
    def effective_at(self) -> int:
        """Return the time from which every Jeton server publishes the key. Caches may still lack it."""
        return min(self.ready_at, self.created_at + PROPAGATION_SECONDS)

    def activated(self, now: int, longest_seconds: int) -> Self:
        """Return the key as active. It signs as soon as every Jeton server publishes it."""
        signs_from = max(now, self.effective_at)
        return replace(self, state=KeyState.ACTIVE, activated_at=signs_from, longest_seconds=longest_seconds)

    def retired(self, now: int, timings: KeyTimings) -> Self:
        """Return the key as retiring: without its private part, and published until no token needs it."""
        return replace(self, state=KeyState.RETIRING, private_part="", gone_at=self._gone_at(now, timings))

    def revoked(self, now: int, timings: KeyTimings) -> Self:
        """Return the key as revoked: not published, and stored until its tokens would have expired."""
        gone_at = self._gone_at(now, timings) if self.gone_at is None else self.gone_at
        return replace(self, state=KeyState.REVOKED, private_part="", gone_at=gone_at)

    def _gone_at(self, now: int, timings: KeyTimings) -> int:
        return now + PROPAGATION_SECONDS + self.longest_seconds + timings.jwks_max_age_seconds + CLOCK_SKEW_SECONDS


def is_effective(effective_at: int, now: int) -> bool:
    """Return whether a key that may sign from `effective_at` on may sign now.

    No key waits longer than PROPAGATION_SECONDS: a later time was set by a clock that has been put back since.
    """
    return not 0 < effective_at - now <= PROPAGATION_SECONDS


class KeyChangeRefusedError(Exception):
    """The change of signing keys is not allowed. The message says why, and what to do."""


def create_first_keys(active: StoredKey, following: StoredKey, now: int, longest_seconds: int) -> list[SigningKey]:
    """Return the keys of a server's first start. Both may sign at once: no cache holds a key set without them."""
    return [_new(active, now, now).activated(now, longest_seconds), _new(following, now, now)]


def create_next_key(key: StoredKey, now: int, timings: KeyTimings) -> SigningKey:
    """Return a new `next` key, published from now on."""
    return _new(key, now, now + timings.ready_after_seconds)


def _new(key: StoredKey, now: int, ready_at: int) -> SigningKey:
    return SigningKey(key.kid, key.algorithm, key.public_jwk, key.store, key.private_part, KeyState.NEXT, now, ready_at)


def correct_timestamps(keys: Iterable[SigningKey], now: int) -> list[SigningKey]:
    """Return the keys with timestamps in the future, corrected to now.

    Such a timestamp was set by a clock that was ahead. Uncorrected, the key would not sign or rotate before that time.
    `gone_at` stays: to keep a key too long does no harm, and it may be the present clock that is wrong.
    """
    keys = list(keys)
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


def active_and_next(keys: Iterable[SigningKey]) -> tuple[SigningKey, SigningKey]:
    """Return the key that signs and the one that will sign next. The database always holds one of each."""
    by_state = {key.state: key for key in keys}
    return by_state[KeyState.ACTIVE], by_state[KeyState.NEXT]


def drop_next_of_other_type(keys: Iterable[SigningKey], key_type: KeyType) -> list[SigningKey]:
    """Return the changed keys: a `next` key of another type, which has never signed, becomes `gone`."""
    _, following = active_and_next(keys)
    return [] if following.key_type == key_type else [replace(following, state=KeyState.GONE)]


def rotation_at(keys: Iterable[SigningKey], timings: KeyTimings) -> int:
    """Return when `next` becomes active: when a rotation is due or requested, and not before the key is ready."""
    active, following = active_and_next(keys)
    wanted_at = (active.activated_at or 0) + timings.rotate_seconds
    if active.rotation_asked_at is not None:
        wanted_at = min(wanted_at, active.rotation_asked_at)
    if active.key_type != following.key_type:
        # Another algorithm, size or store is configured: rotate as soon as possible.
        wanted_at = active.activated_at or 0
    return max(wanted_at, following.ready_at)


def rotate(keys: Iterable[SigningKey], now: int, timings: KeyTimings, longest_seconds: int) -> list[SigningKey]:
    """Return the changed keys: the active one retires, `next` signs. Before `rotation_at`, caches may lack the key."""
    active, following = active_and_next(keys)
    return [active.retired(now, timings), following.activated(now, longest_seconds)]


def rotate_early(keys: Iterable[SigningKey], now: int, timings: KeyTimings, longest_seconds: int) -> list[SigningKey]:
    """Return the changed keys, as `rotate` does.

    Raise KeyChangeRefusedError while a Jeton server may not publish `next` yet: nothing could be signed until then.
    """
    keys = list(keys)
    wait = active_and_next(keys)[1].effective_at - now
    if wait > 0:
        raise KeyChangeRefusedError(
            f"the next key is new, and not every server publishes it yet: try again in {wait} s;"
            " to end a compromised key at once, use `jeton keys revoke`"
        )
    return rotate(keys, now, timings, longest_seconds)


def request_rotation(keys: Iterable[SigningKey], now: int) -> list[SigningKey]:
    """Return the changed keys: the active one, with a rotation requested for when `next` is ready."""
    active, _ = active_and_next(keys)
    return [replace(active, rotation_asked_at=now)] if active.rotation_asked_at is None else []


def revoke(
    keys: Iterable[SigningKey], kid: str, now: int, timings: KeyTimings, longest_seconds: int
) -> list[SigningKey]:
    """Return the changed keys: the revoked one, and `next` as active if the revoked one was.

    Raise KeyChangeRefusedError if there is no key with this `kid`.
    """
    by_kid = {key.kid: key for key in keys}
    if kid not in by_kid:
        raise KeyChangeRefusedError(f"there is no key {kid}: see `jeton keys list`")
    state, revoked = by_kid[kid].state, by_kid[kid].revoked(now, timings)
    if state is KeyState.REVOKED:
        return []
    if state is not KeyState.ACTIVE:
        return [revoked]
    _, following = active_and_next(by_kid.values())
    return [revoked, following.activated(now, longest_seconds)]


def transition(key: SigningKey, keys: Iterable[SigningKey], timings: KeyTimings) -> tuple[KeyState, int]:
    """Return the state that the key enters next, and when."""
    match key.state:
        case KeyState.NEXT:
            return KeyState.ACTIVE, rotation_at(keys, timings)
        case KeyState.ACTIVE:
            return KeyState.RETIRING, rotation_at(keys, timings)
    return KeyState.GONE, key.gone_at or 0


def max_age(keys: Iterable[SigningKey], now: int, timings: KeyTimings, seconds_since_read: int = 0) -> int:
    """Return for how many seconds a key set may be cached: never beyond the next planned change.

    `seconds_since_read` is the age of the keys. A server without its database keeps publishing them, for shorter times.
    """
    published = [key for key in keys if key.is_published(now)]
    changes = [key.gone_at for key in published if key.gone_at is not None]
    limit = timings.jwks_max_age_seconds - max(0, seconds_since_read - STALE_SECONDS)
    return max(0, min([limit, *(at - now for at in [*changes, rotation_at(published, timings)])]))
