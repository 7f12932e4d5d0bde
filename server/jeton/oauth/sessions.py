"""Sessions (token families), the source of a request, and revoked access tokens.

A *family* is the refresh tokens and access tokens that descend from one login: one session of one user, on one device,
for one client. Times are whole seconds since the epoch (NumericDate of RFC 7519 section 2).
"""

from typing import NamedTuple, Self

from jeton.frozen import Frozen
from jeton.oauth.scope import Scope


class Family(NamedTuple):
    """One session, a row of `families`. Its refresh tokens are derived from it, one per generation, and not stored.

    `generation` is the newest one issued, at `rotated_at`. `idempotency_digest`, `asked_scope` and `retries` describe
    the request that created it, to tell its repetition from a replay. `access_expires_at` is when the last of the
    access tokens expires, `status_index` their index in the status lists. `last_ip` and `last_user_agent` are the
    source of the last refresh, `moves` the number of detected changes of the source.

    A family that comes from an authorization code begins at generation 0, which has no tokens: redeeming the code until
    `code_expires_at` advances it to generation 1. `code_challenge` is its PKCE challenge (RFC 7636),
    `browser_session_id` the browser session that it comes from. `asked_resource` are the `resource` values of the last
    token request.

    `dpop_jkt` is the thumbprint of the key that a public client's refresh tokens are bound to (RFC 9449 section 5),
    `certificate_thumbprint` that of the certificate (RFC 8705 section 4).
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
    secret: bytes
    generation: int = 0
    access_expires_at: int = 0
    idempotency_digest: bytes | None = None
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
    browser_session_id: str | None = None
    code_challenge: str | None = None
    code_expires_at: int | None = None
    asked_resource: tuple[str, ...] | None = None
    dpop_jkt: str | None = None
    certificate_thumbprint: str | None = None

    def __repr__(self) -> str:
        """Return a short form without the secret."""
        return f"Family(sid={self.sid!r}, sub={self.sub!r}, client_id={self.client_id!r}, generation={self.generation})"

    @property
    def is_redeemed(self) -> bool:
        """Whether tokens were issued: only then it is a session, and not merely an authorization code."""
        return self.code_expires_at is None or self.generation > 0

    def revoked(self, reason: str, now: int) -> Self:
        """Return the family as revoked. A second revocation keeps the first time and reason."""
        return self if self.revoked_at is not None else self._replace(revoked_at=now, revoke_reason=reason)

    def access_end(self, issued_at: int, access_seconds: int) -> int:
        """Return when an access token issued at `issued_at` expires: at the latest with its session."""
        return min(issued_at + access_seconds, self.absolute_expires_at)

    @property
    def expires_at(self) -> int:
        """When it ends if it is not used again, in seconds since the epoch."""
        return min(self.idle_expires_at, self.absolute_expires_at)

    def is_live(self, now: int) -> bool:
        """Return whether the session is neither revoked nor expired."""
        return self.revoked_at is None and now < self.expires_at


class Source(Frozen):
    """Where a request came from, for the list of sessions: address, and the first 256 characters of the user agent."""

    ip: str | None = None
    user_agent: str | None = None


class RevokedAccessToken(Frozen):
    """An access token that was revoked before it expired: its `jti`, and its `exp`, after which the row is deleted."""

    jti: str
    expires_at: int
