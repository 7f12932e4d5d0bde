"""The law of signing keys: which sign, which are published, and when the next change may come.

    next (published, not signing) -> active -> retiring (published, not signing) -> gone

One `next` is always published, so that a switch needs no announcement: every cache already holds it.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final, Self

CLOCK_SKEW_SECONDS: Final = 60


class KeyState(StrEnum):
    NEXT = "next"
    ACTIVE = "active"
    RETIRING = "retiring"


@dataclass(frozen=True, slots=True)
class KeyTimes:
    """The settings that bound a key's life, in seconds."""

    publish_ahead_seconds: int
    jwks_max_age_seconds: int
    longest_access_seconds: int
    rotate_seconds: int = 90 * 86400

    @property
    def publish_after_seconds(self) -> int:
        """How long a key stays published after its last signature: its tokens' life, caches, and skew."""
        return self.longest_access_seconds + self.jwks_max_age_seconds + CLOCK_SKEW_SECONDS


@dataclass(frozen=True, slots=True)
class StoredKey:
    """A key pair as it is stored: the public part in clear; the private part in a way that only its `store` can use."""

    kid: str
    algorithm: str
    public_jwk: str
    store: str
    private_part: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class SigningKey(StoredKey):
    """A stored key and its life. `ready_at`: from when it may sign; `publish_until`: when it leaves the key set."""

    state: KeyState
    created_at: int
    ready_at: int
    activated_at: int | None = None
    publish_until: int | None = None

    def is_published(self, now: int) -> bool:
        return self.publish_until is None or now < self.publish_until

    def activated(self, now: int) -> Self:
        return replace(self, state=KeyState.ACTIVE, activated_at=now)

    def retired(self, now: int, times: KeyTimes) -> Self:
        return replace(self, state=KeyState.RETIRING, publish_until=now + times.publish_after_seconds)


class RotationRefusedError(Exception):
    """The next key may not sign yet. The text says when, and what to do meanwhile."""


def is_rotation_due(keys: Iterable[SigningKey], now: int, times: KeyTimes) -> bool:
    """Whether the active key has signed for long enough, and the next one may sign."""
    by_state = {key.state: key for key in keys if key.state is not KeyState.RETIRING}
    active, following = by_state[KeyState.ACTIVE], by_state[KeyState.NEXT]
    return now >= (active.activated_at or 0) + times.rotate_seconds and now >= following.ready_at


def rotate(keys: Iterable[SigningKey], now: int, times: KeyTimes, *, force: bool) -> list[SigningKey]:
    """The changed keys: `next` signs, the active one retires. Who forces it accepts that caches may miss the key."""
    by_state = {key.state: key for key in keys if key.state is not KeyState.RETIRING}
    following, active = by_state[KeyState.NEXT], by_state[KeyState.ACTIVE]
    if now < following.ready_at and not force:
        raise RotationRefusedError(
            f"key {following.kid} may sign in {following.ready_at - now} seconds, when every cache has seen it: "
            "wait, or rotate with --now where the active key is no longer safe"
        )
    return [following.activated(now), active.retired(now, times)]


def revoke(keys: Iterable[SigningKey], kid: str, now: int) -> list[SigningKey]:
    """The changed keys: the revoked one leaves the key set at once; where it was signing, `next` signs from now on."""
    by_kid = {key.kid: key for key in keys}
    if kid not in by_kid:
        raise RotationRefusedError(f"there is no key {kid}: see `jeton keys list`")
    revoked = replace(by_kid[kid], state=KeyState.RETIRING, publish_until=now)
    if by_kid[kid].state is not KeyState.ACTIVE:
        return [revoked]
    following = next(key for key in by_kid.values() if key.state is KeyState.NEXT)
    return [following.activated(now), revoked]


def max_age(keys: Iterable[SigningKey], now: int, times: KeyTimes) -> int:
    """How long a key set may be cached: never beyond the next planned change."""
    changes = [key.publish_until - now for key in keys if key.publish_until is not None and key.publish_until > now]
    return min([times.jwks_max_age_seconds, *changes])
