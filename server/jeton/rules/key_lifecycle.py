"""The law of signing keys: which sign, which are published, and when the next change may come.

    next (published, not signing) -> active -> retiring (published, not signing) -> gone
    any of these -> revoked (no longer published, still known) -> gone

One `next` is always published, so that an emergency needs no announcement. All times are the database's. Why nobody
who honours `max-age` ever misses a key (ADR 0011 has the whole argument):

- What is changed at T is in effect everywhere by T + SETTLE_SECONDS. The change is committed within 2 seconds or not
  at all; every process looks every 2 seconds, and one that has not looked for STALE_SECONDS does not sign; a request
  signs within 5 seconds of having been given its signer.
- So a key that was published at T is in every key set handed out after that, and in every cache `max-age` later. It
  does not sign before (`ready_at`), and in an emergency not before every server of ours publishes it.
- A key that stopped signing at T has signed its last token by then; it stays until that token has expired, wherever
  the clock is a little slow, and every cache is past (`gone_at`).
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final, Self

CLOCK_SKEW_SECONDS: Final = 60
STALE_SECONDS: Final = 8
SETTLE_SECONDS: Final = 2 + STALE_SECONDS + 5


class KeyState(StrEnum):
    NEXT = "next"
    ACTIVE = "active"
    RETIRING = "retiring"
    REVOKED = "revoked"
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class KeyTimings:
    """The settings that bound a key's life, in seconds."""

    publish_ahead_seconds: int
    jwks_max_age_seconds: int
    rotate_seconds: int

    @property
    def ready_after_seconds(self) -> int:
        """How long a new key is published before it signs: as long as a cache may lack it, at the least."""
        return max(self.publish_ahead_seconds, self.jwks_max_age_seconds + SETTLE_SECONDS)


@dataclass(frozen=True, slots=True)
class KeyType:
    """What sort of key, and where it lives. `rsa_bits` is None for all but RSA keys."""

    algorithm: str
    rsa_bits: int | None
    store: str


@dataclass(frozen=True, slots=True)
class StoredKey:
    """A key pair as it is stored: the public part in clear; the private part in a way that only its `store` can use."""

    kid: str
    algorithm: str
    public_jwk: str
    store: str
    private_part: str = field(repr=False)

    @property
    def kind(self) -> KeyType:
        modulus = json.loads(self.public_jwk).get("n")
        return KeyType(self.algorithm, None if modulus is None else len(modulus) * 3 // 4 * 8, self.store)


@dataclass(frozen=True, slots=True)
class SigningKey(StoredKey):
    """A stored key and its life.

    `ready_at`: from when it may sign. `longest_seconds`: the longest life of any token it may sign; 0 until it is
    active. `rotation_asked_at`: when an operator asked for the next key. `gone_at`: from when nothing refers to it.
    """

    state: KeyState
    created_at: int
    ready_at: int
    longest_seconds: int = 0
    activated_at: int | None = None
    rotation_asked_at: int | None = None
    gone_at: int | None = None

    def is_published(self, now: int) -> bool:
        return self.state is not KeyState.REVOKED and (self.gone_at is None or now < self.gone_at)

    @property
    def effective_at(self) -> int:
        """From when every server of ours publishes it, whatever caches hold."""
        return min(self.ready_at, self.created_at + SETTLE_SECONDS)

    def activated(self, now: int, longest_seconds: int) -> Self:
        """Signing, from the moment when at least every server of ours publishes it."""
        signs_from = max(now, self.effective_at)
        return replace(self, state=KeyState.ACTIVE, activated_at=signs_from, longest_seconds=longest_seconds)

    def retired(self, now: int, times: KeyTimings) -> Self:
        """Published until nobody can need it. Its private part is forgotten now: it never signs again."""
        return replace(self, state=KeyState.RETIRING, private_part="", gone_at=self._gone_at(now, times))

    def revoked(self, now: int, times: KeyTimings) -> Self:
        """Not published from now on; known until its tokens would have expired."""
        gone_at = self._gone_at(now, times) if self.gone_at is None else self.gone_at
        return replace(self, state=KeyState.REVOKED, private_part="", gone_at=gone_at)

    def _gone_at(self, now: int, times: KeyTimings) -> int:
        return now + SETTLE_SECONDS + self.longest_seconds + times.jwks_max_age_seconds + CLOCK_SKEW_SECONDS


def is_settled(signs_from: int, now: int) -> bool:
    """Return whether a key that signs from then on may sign now.

    No key waits longer than SETTLE_SECONDS: a time further ahead was set by a clock that has been put back since.
    """
    return not 0 < signs_from - now <= SETTLE_SECONDS


class KeyChangeRefusedError(Exception):
    """That change of signing keys cannot be made. The text says why, and what to do."""


def first_keys(active: StoredKey, following: StoredKey, now: int, longest_seconds: int) -> list[SigningKey]:
    """The keys of a server's first start. Both may sign at once: no cache can hold a key set without them."""
    return [_new(active, now, now).activated(now, longest_seconds), _new(following, now, now)]


def announced(key: StoredKey, now: int, times: KeyTimings) -> SigningKey:
    """A new `next`: published from now on."""
    return _new(key, now, now + times.ready_after_seconds)


def _new(key: StoredKey, now: int, ready_at: int) -> SigningKey:
    return SigningKey(key.kid, key.algorithm, key.public_jwk, key.store, key.private_part, KeyState.NEXT, now, ready_at)


def corrected(keys: Iterable[SigningKey], now: int) -> list[SigningKey]:
    """Return the changed keys: none if nothing is stamped with a time to come.

    Such a stamp is of a clock that was ahead. Left alone, the key would wait for that time to sign or to rotate. When
    it leaves is not touched: too late does no harm, and it is this clock that may be wrong.
    """
    keys = list(keys)
    stamps = (it for key in keys for it in (key.created_at, key.activated_at, key.rotation_asked_at))
    if max(it for it in stamps if it is not None) <= now + CLOCK_SKEW_SECONDS:
        return []
    return [after for key in keys if (after := _corrected(key, now)) != key]


def _corrected(key: SigningKey, now: int) -> SigningKey:
    def past(at: int | None) -> int | None:
        return None if at is None else min(at, now)

    return replace(
        key,
        created_at=min(key.created_at, now),
        ready_at=key.ready_at - max(0, key.created_at - now),
        activated_at=past(key.activated_at),
        rotation_asked_at=past(key.rotation_asked_at),
    )


def active_and_next(keys: Iterable[SigningKey]) -> tuple[SigningKey, SigningKey]:
    """The key that signs and the one that will. There is always one of each; the database holds nobody to less."""
    by_state = {key.state: key for key in keys}
    return by_state[KeyState.ACTIVE], by_state[KeyState.NEXT]


def prefer(keys: Iterable[SigningKey], kind: KeyType) -> list[SigningKey]:
    """The changed keys: a `next` of another kind, which has never signed, makes way for one of this kind."""
    _, following = active_and_next(keys)
    return [] if following.kind == kind else [replace(following, state=KeyState.GONE)]


def rotation_at(keys: Iterable[SigningKey], times: KeyTimings) -> int:
    """When `next` becomes active: when that is wanted, and not before it is ready."""
    active, following = active_and_next(keys)
    wanted_at = (active.activated_at or 0) + times.rotate_seconds
    if active.rotation_asked_at is not None:
        wanted_at = min(wanted_at, active.rotation_asked_at)
    if active.kind != following.kind:
        # Another algorithm, size or store was set: it is wanted as soon as may be.
        wanted_at = active.activated_at or 0
    return max(wanted_at, following.ready_at)


def rotate(keys: Iterable[SigningKey], now: int, times: KeyTimings, longest_seconds: int) -> list[SigningKey]:
    """The changed keys: the active one retires, `next` signs. Before `rotation_at`, some caches may miss the key."""
    active, following = active_and_next(keys)
    return [active.retired(now, times), following.activated(now, longest_seconds)]


def rotate_unready(keys: Iterable[SigningKey], now: int, times: KeyTimings, longest_seconds: int) -> list[SigningKey]:
    """The changed keys, as `rotate` gives them. Refused while a server of ours may not publish `next`: nothing would
    be signed until then, for no need."""
    keys = list(keys)
    wait = active_and_next(keys)[1].effective_at - now
    if wait > 0:
        raise KeyChangeRefusedError(
            f"the next key was announced just now, and not every server publishes it yet: try again in {wait} s;"
            " a key that was compromised is ended at once by `jeton keys revoke`"
        )
    return rotate(keys, now, times, longest_seconds)


def ask_for_rotation(keys: Iterable[SigningKey], now: int) -> list[SigningKey]:
    """The changed keys: the active one, to be followed as soon as `next` is ready."""
    active, _ = active_and_next(keys)
    return [replace(active, rotation_asked_at=now)] if active.rotation_asked_at is None else []


def revoke(keys: Iterable[SigningKey], kid: str, now: int, times: KeyTimings, longest_seconds: int) -> list[SigningKey]:
    """The changed keys: the revoked one is published no longer; where it was signing, `next` signs from now on."""
    by_kid = {key.kid: key for key in keys}
    if kid not in by_kid:
        raise KeyChangeRefusedError(f"there is no key {kid}: see `jeton keys list`")
    state, revoked = by_kid[kid].state, by_kid[kid].revoked(now, times)
    if state is KeyState.REVOKED:
        return []
    if state is not KeyState.ACTIVE:
        return [revoked]
    _, following = active_and_next(by_kid.values())
    return [revoked, following.activated(now, longest_seconds)]


def transition(key: SigningKey, keys: Iterable[SigningKey], times: KeyTimings) -> tuple[KeyState, int]:
    """The state that the key enters next, and when."""
    match key.state:
        case KeyState.NEXT:
            return KeyState.ACTIVE, rotation_at(keys, times)
        case KeyState.ACTIVE:
            return KeyState.RETIRING, rotation_at(keys, times)
    return KeyState.GONE, key.gone_at or 0


def max_age(keys: Iterable[SigningKey], now: int, times: KeyTimings, unseen_seconds: int = 0) -> int:
    """How long a key set may be cached: never beyond the next planned change.

    `unseen_seconds` ago the database was seen last. Who is cut off from it goes on publishing, and promises less.
    """
    published = [key for key in keys if key.is_published(now)]
    changes = [key.gone_at for key in published if key.gone_at is not None]
    promise = times.jwks_max_age_seconds - max(0, unseen_seconds - STALE_SECONDS)
    return max(0, min([promise, *(at - now for at in [*changes, rotation_at(published, times)])]))
