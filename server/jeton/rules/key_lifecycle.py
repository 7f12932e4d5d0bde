"""Signing key lifecycle: which keys sign, which are published, and when the next change is allowed.

Keys are kept in series (`rules/key_series.py`). These are the rules of one series; functions take the keys of one.

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
from collections.abc import Collection, Iterable
from enum import StrEnum
from typing import Final, Self

from jeton.frozen import Frozen, Hidden, replace

# The series of keys that sign access tokens. Other series are named by the algorithm of the ID tokens that they sign.
ACCESS_TOKENS: Final = "access_token"
CLOCK_SKEW_SECONDS: Final = 60
STALE_SECONDS: Final = 8
PROPAGATION_SECONDS: Final = 2 + STALE_SECONDS + 5


class KeyState(StrEnum):
    NEXT = "next"
    ACTIVE = "active"
    RETIRING = "retiring"
    REVOKED = "revoked"
    GONE = "gone"


class KeyTimings(Frozen):
    """Settings that determine the lifecycle of a key, in seconds."""

    publish_ahead_seconds: int
    jwks_max_age_seconds: int
    rotate_seconds: int

    @property
    def cached_seconds(self) -> int:
        """Return how long a cache that honours `max-age` may lack a new key."""
        return self.jwks_max_age_seconds + PROPAGATION_SECONDS

    @property
    def ready_after_seconds(self) -> int:
        """Return how long a new key is published before it signs: at least as long as a cache may lack it."""
        return max(self.publish_ahead_seconds, self.cached_seconds)


class KeyType(Frozen):
    """Algorithm, size and store of a key. `rsa_bits` is None for all but RSA keys."""

    algorithm: str
    rsa_bits: int | None
    store: str


class StoredKey(Frozen):
    """A stored key pair: the public part in clear, the private part in a form that only its `store` can use."""

    kid: str
    algorithm: str
    public_jwk: str
    store: str
    private_part: Hidden[str]

    @property
    def key_type(self) -> KeyType:
        modulus = json.loads(self.public_jwk).get("n")
        return KeyType(self.algorithm, None if modulus is None else len(modulus) * 3 // 4 * 8, self.store)


class SigningKey(StoredKey):
    """A stored key and its state, in its series.

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
    series: str = ACCESS_TOKENS

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


def create_first_keys(
    active: StoredKey, following: StoredKey, now: int, longest_seconds: int, series: str = ACCESS_TOKENS
) -> list[SigningKey]:
    """Return the keys of a server's first start. Both may sign at once: no cache holds a key set without them."""
    return [_new(active, now, now, series).activated(now, longest_seconds), _new(following, now, now, series)]


def create_next_key(key: StoredKey, now: int, timings: KeyTimings, series: str = ACCESS_TOKENS) -> SigningKey:
    """Return a new `next` key, published from now on."""
    return _new(key, now, now + timings.ready_after_seconds, series)


def begin_series(key: StoredKey, now: int, timings: KeyTimings, series: str) -> SigningKey:
    """Return the first key of a new series, as `next`: it signs as soon as no cache lacks it.

    It is not published longer ahead: no token of this series has been verified before.
    """
    return _new(key, now, now + timings.cached_seconds, series)


def _new(key: StoredKey, now: int, ready_at: int, series: str) -> SigningKey:
    return SigningKey(
        *(key.kid, key.algorithm, key.public_jwk, key.store, key.private_part),
        KeyState.NEXT,
        now,
        ready_at,
        series=series,
    )


def active_of(keys: Iterable[SigningKey]) -> SigningKey | None:
    """Return the key that signs; None if the series has just begun."""
    return next((key for key in keys if key.state is KeyState.ACTIVE), None)


def next_of(keys: Iterable[SigningKey]) -> SigningKey:
    """Return the key that will sign next. Every series has one."""
    return next(key for key in keys if key.state is KeyState.NEXT)


def drop_next_of_other_type(keys: Collection[SigningKey], key_type: KeyType) -> list[SigningKey]:
    """Return the changed keys: a `next` key of another type, which has never signed, becomes `gone`.

    The first key of a series stays: it is needed soon.
    """
    following = next_of(keys)
    return (
        [] if following.key_type == key_type or active_of(keys) is None else [replace(following, state=KeyState.GONE)]
    )


def rotation_at(keys: Collection[SigningKey], timings: KeyTimings) -> int:
    """Return when `next` becomes active: when a rotation is due or requested, and not before the key is ready."""
    active, following = active_of(keys), next_of(keys)
    if active is None:
        return following.ready_at
    wanted_at = (active.activated_at or 0) + timings.rotate_seconds
    if active.rotation_asked_at is not None:
        wanted_at = min(wanted_at, active.rotation_asked_at)
    if active.key_type != following.key_type:
        # Another algorithm, size or store is configured: rotate as soon as possible.
        wanted_at = active.activated_at or 0
    return max(wanted_at, following.ready_at)


def rotate(keys: Collection[SigningKey], now: int, timings: KeyTimings, longest_seconds: int) -> list[SigningKey]:
    """Return the changed keys: the active one retires, `next` signs. Before `rotation_at`, caches may lack the key."""
    active, following = active_of(keys), next_of(keys)
    retired = [] if active is None else [active.retired(now, timings)]
    return [*retired, following.activated(now, longest_seconds)]


def rotate_if_due(
    keys: Collection[SigningKey], now: int, timings: KeyTimings, longest_seconds: int
) -> list[SigningKey]:
    """Return the changed keys, as `rotate` does; none before `rotation_at`."""
    return rotate(keys, now, timings, longest_seconds) if now >= rotation_at(keys, timings) else []


def rotate_early(keys: Collection[SigningKey], now: int, timings: KeyTimings, longest_seconds: int) -> list[SigningKey]:
    """Return the changed keys, as `rotate` does.

    Raise KeyChangeRefusedError while a Jeton server may not publish `next` yet: nothing could be signed until then.
    """
    wait = next_of(keys).effective_at - now
    if wait > 0:
        raise KeyChangeRefusedError(
            f"the next key is new, and not every server publishes it yet: try again in {wait} s;"
            " to end a compromised key at once, use `jeton keys revoke`"
        )
    return rotate(keys, now, timings, longest_seconds)


def request_rotation(
    keys: Collection[SigningKey], now: int, timings: KeyTimings, longest_seconds: int
) -> list[SigningKey]:
    """Return the changed keys, as `rotate` does if `next` is ready; else the active one, with a rotation requested."""
    active, following = active_of(keys), next_of(keys)
    if now >= following.ready_at:
        return rotate(keys, now, timings, longest_seconds)
    if active is None or active.rotation_asked_at is not None:
        return []
    return [replace(active, rotation_asked_at=now)]


def end(keys: Collection[SigningKey], now: int, timings: KeyTimings) -> list[SigningKey]:
    """Return the changed keys: the active one retires, and the series has no further key."""
    active = active_of(keys)
    retired = [] if active is None else [active.retired(now, timings)]
    return [*retired, replace(next_of(keys), state=KeyState.GONE)]
