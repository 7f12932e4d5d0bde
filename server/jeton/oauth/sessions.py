"""Sessions, where they are used from, and access tokens that are revoked one by one."""

from dataclasses import dataclass, field, replace
from typing import Self

from jeton.oauth.scope import Scope


@dataclass(frozen=True, slots=True)
class Family:
    """One session. Its refresh tokens are derived from it, one per generation, and stored nowhere.

    `generation` is the newest one issued; `rotated_at` is when. `idempotency_digest`, `asked_scope` and `retries`
    describe the request that made the newest generation, so that its repetition can be told from a replay.
    `access_expires_at` is when the last of its access tokens expires, `status_index` their place in the status lists.
    `last_ip` and `last_user_agent` are where it was last refreshed from, `moves` how often that was noticed to change.
    """

    sid: str
    client_id: str
    sub: str
    scope: Scope
    audience: tuple[str, ...]
    auth_time: int
    amr: tuple[str, ...]
    created_at: int
    rotated_at: int
    idle_expires_at: int
    absolute_expires_at: int
    master_key_id: str
    secret: bytes = field(repr=False)
    generation: int = 0
    access_expires_at: int = 0
    idempotency_digest: bytes | None = field(default=None, repr=False)
    asked_scope: Scope | None = None
    retries: int = 0
    revoked_at: int | None = None
    revoke_reason: str | None = None
    created_ip: str | None = None
    created_user_agent: str | None = None
    last_ip: str | None = None
    last_user_agent: str | None = None
    status_index: int | None = None
    moves: int = 0

    def revoked(self, reason: str, now: int) -> Self:
        """This family, ended. Ending twice keeps the first time and reason."""
        return self if self.revoked_at is not None else replace(self, revoked_at=now, revoke_reason=reason)

    def access_end(self, issued_at: int, access_seconds: int) -> int:
        """When an access token issued then expires: it never outlives its session."""
        return min(issued_at + access_seconds, self.absolute_expires_at)

    def is_live(self, now: int) -> bool:
        return self.revoked_at is None and now < min(self.idle_expires_at, self.absolute_expires_at)


@dataclass(frozen=True, slots=True)
class Source:
    """Where a request came from, as the session list shows it; of the user agent the first 256 characters."""

    ip: str | None = None
    user_agent: str | None = None


@dataclass(frozen=True, slots=True)
class RevokedAccessToken:
    """An access token ended before its time: its `jti`, and the `exp` after which it may be forgotten."""

    jti: str
    expires_at: int
