"""The nouns.

A *family* is everything that descends from one login: one session, on one device, for one client. Times are whole
seconds since the epoch (NumericDate of RFC 7519 section 2), lifetimes are seconds.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final, Self

from jeton.oauth.scope import Scope

# What becomes of a session that is refreshed from another network or device than last time.
SESSION_BINDINGS: Final = ("off", "notice", "strict")


@dataclass(frozen=True, slots=True)
class Lifetimes:
    """How long what is issued lives, and how long the direct parent may be repeated (0: strict).

    Between two refreshes of one session lie `refresh_spacing_seconds` at least.
    """

    access_seconds: int
    refresh_idle_seconds: int
    refresh_absolute_seconds: int
    retry_grace_seconds: int
    refresh_spacing_seconds: int = 0

    def overridden(self, seconds: Mapping[str, int]) -> Self:
        """These, with what a client has of its own."""
        return replace(self, **seconds) if seconds else self


@dataclass(frozen=True, slots=True)
class Client:
    """A registered client (RFC 6749 section 2).

    `status_index` is the place of its own tokens in the status lists, `session_binding` one of SESSION_BINDINGS.
    """

    client_id: str
    public: bool
    created_at: int
    disabled: bool = False
    introspect: bool = False
    auth_methods: frozenset[str] = frozenset()
    grant_types: frozenset[str] = frozenset()
    scope: Scope = frozenset()
    default_scope: Scope = frozenset()
    audience: tuple[str, ...] = ()
    claims: frozenset[str] = frozenset()
    origins: frozenset[str] = frozenset()
    lifetimes: Mapping[str, int] = field(default_factory=dict)
    secret_digest: bytes | None = field(default=None, repr=False)
    previous_secret_digest: bytes | None = field(default=None, repr=False)
    previous_secret_expires_at: int | None = None
    status_index: int | None = None
    session_binding: str = "off"

    def secret_digests(self, now: int) -> tuple[bytes, ...]:
        """The digests that a presented secret may match: two while one is being replaced."""
        previous = self.previous_secret_digest if now < (self.previous_secret_expires_at or 0) else None
        return tuple(digest for digest in (self.secret_digest, previous) if digest is not None)

    @property
    def scope_when_none_is_asked(self) -> Scope:
        """The documented default of RFC 6749 section 3.3: the default scope, else all that is registered."""
        return self.default_scope or self.scope


@dataclass(frozen=True, slots=True)
class User:
    """A resource owner. `sub` is the identifier in tokens; it is never used again for another user."""

    sub: str
    username: str
    email: str | None
    roles: tuple[str, ...]
    disabled: bool
    created_at: int
    password_version: int
    password_hash: str | None = field(default=None, repr=False)


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
