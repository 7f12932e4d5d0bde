"""Browser sessions: a user who is signed in at this server in one browser."""

from jeton.frozen import Frozen, Hidden


class BrowserSession(Frozen):
    """One row while it lasts. Ending it deletes the row.

    `browser_session_id` is public; `secret_digest` is SHA-256 of the cookie's 256 random bits. `auth_time` and `amr`
    say when and how the user signed in (OpenID Connect Core section 2). Times are whole seconds since the epoch.
    """

    browser_session_id: str
    sub: str
    secret_digest: Hidden[bytes]
    auth_time: int
    amr: tuple[str, ...]
    created_at: int
    used_at: int
    idle_expires_at: int
    absolute_expires_at: int
    ip: str | None = None
    user_agent: str | None = None

    @property
    def expires_at(self) -> int:
        """When it ends if it is not used again, in seconds since the epoch."""
        return min(self.idle_expires_at, self.absolute_expires_at)

    def is_live(self, now: int) -> bool:
        """Return whether the session has not expired."""
        return now < self.expires_at
