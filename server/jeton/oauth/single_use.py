"""What may be used only once: a DPoP proof (RFC 9449 section 11.1), a client assertion, a pushed request."""

from jeton.frozen import Frozen, Hidden


class SingleUse(Frozen):
    """Something that was used: a digest of what identifies it, and from when it is invalid by itself.

    `expires_at` is in seconds since the epoch. It must be later than the last moment at which any node accepts it.
    """

    digest: Hidden[bytes]
    expires_at: int
