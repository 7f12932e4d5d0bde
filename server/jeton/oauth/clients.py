"""Clients (RFC 6749 section 2), and the lifetimes of what is issued to them."""

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

    def with_overrides(self, seconds: Mapping[str, int]) -> Self:
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
    def scope_if_omitted(self) -> Scope:
        """The documented default of RFC 6749 section 3.3: the default scope, else all that is registered."""
        return self.default_scope or self.scope
