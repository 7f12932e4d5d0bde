"""Sender-constrained tokens: the keys that tokens are bound to (RFC 7800, RFC 8705 section 3, RFC 9449 section 6)."""

from collections.abc import Mapping
from typing import Any, Final, Literal

from jeton.frozen import Frozen
from jeton.oauth.clients import Client
from jeton.oauth.sessions import Family

BEARER: Final[Literal["Bearer"]] = "Bearer"
DPOP: Final[Literal["DPoP"]] = "DPoP"


class Confirmation(Frozen):
    """The keys by which the sender of a request, or the holder of a token, proves itself. None for a way not used.

    `jkt` is the thumbprint of a DPoP key (RFC 7638), `x5t_s256` that of a certificate (RFC 8705 section 3.1): SHA-256
    in base64url, 43 characters.
    """

    jkt: str | None = None
    x5t_s256: str | None = None

    @property
    def token_type(self) -> str:
        """The type of an access token that is bound to these keys (RFC 9449 section 5)."""
        return BEARER if self.jkt is None else DPOP

    @property
    def claim(self) -> dict[str, str]:
        """The value of `cnf` in such a token; empty if it is bound to nothing."""
        members = {"jkt": self.jkt, "x5t#S256": self.x5t_s256}
        return {name: thumbprint for name, thumbprint in members.items() if thumbprint is not None}

    @property
    def fingerprint(self) -> str:
        """Text that is the same for the same keys only."""
        return f"{self.jkt or ''} {self.x5t_s256 or ''}"


UNBOUND: Final = Confirmation()


def confirmation_of(claims: Mapping[str, Any]) -> Confirmation:
    """Return what an access token that was issued here is bound to."""
    confirmation = claims.get("cnf", {})
    return Confirmation(confirmation.get("jkt"), confirmation.get("x5t#S256"))


def bound_family(family: Family, client: Client, confirmation: Confirmation) -> Family:
    """Return a new family whose refresh tokens are bound to these keys, if they must be.

    Only those of a public client: a confidential one proves itself at each refresh, and may change its keys (RFC 9449
    section 5, RFC 8705 section 4).
    """
    if not client.public or confirmation == UNBOUND:
        return family
    return family._replace(dpop_jkt=confirmation.jkt, certificate_thumbprint=confirmation.x5t_s256)


def is_held_by(family: Family, confirmation: Confirmation) -> bool:
    """Return whether these are the keys that the family is bound to. A family that is bound to none is held by all."""
    return (family.dpop_jkt is None or family.dpop_jkt == confirmation.jkt) and (
        family.certificate_thumbprint is None or family.certificate_thumbprint == confirmation.x5t_s256
    )
