"""A token that somebody shows: which of ours it is, if any. Hints are not needed: the two kinds look different."""

from dataclasses import dataclass, field
from typing import Any

from jeton.crypto.refresh_token import PresentedRefreshToken, parse_refresh_token
from jeton.grants.services import Services


@dataclass(frozen=True, slots=True)
class PresentedAccessToken:
    """An access token whose signature is ours; expired or ended perhaps."""

    claims: dict[str, Any] = field(repr=False)


def recognise(presented: str, services: Services) -> PresentedRefreshToken | PresentedAccessToken | None:
    """What it is; None for what this server never issued. A refresh token is not known to be genuine yet."""
    refresh_token = parse_refresh_token(presented)
    if refresh_token is not None:
        return refresh_token
    claims = services.keyring.verifier.verified_claims(presented)
    return None if claims is None or claims.get("iss") != services.issuer else PresentedAccessToken(claims)
