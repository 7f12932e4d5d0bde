"""Initial access tokens, which let a program register clients (RFC 7591 section 3)."""

from jeton.frozen import Frozen, Hidden


class InitialAccessToken(Frozen):
    """A token that registers `max_uses` clients until `expires_at`. Only its digest is stored."""

    token_id: str
    digest: Hidden[bytes]
    name: str | None
    created_at: int
    expires_at: int
    max_uses: int
    uses: int = 0

    def is_usable(self, now: int) -> bool:
        """Return whether one more client may be registered with it."""
        return self.uses < self.max_uses and now < self.expires_at
