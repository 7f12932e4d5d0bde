"""A token that somebody shows: which of ours it is, if any. Hints are not needed: the two kinds look different."""

from jeton.crypto.refresh_token import PresentedRefreshToken, parse_refresh_token
from jeton.crypto.signed_jwt import VerifiedToken
from jeton.grants.services import Services


def recognise(presented: str, services: Services) -> PresentedRefreshToken | VerifiedToken | None:
    """What it is; None for what this server never issued. A refresh token is not known to be genuine yet; an access
    token is ours, but expired or ended perhaps."""
    refresh_token = parse_refresh_token(presented)
    if refresh_token is not None:
        return refresh_token
    access_token = services.keyring.verifier.verify(presented)
    return access_token if access_token is not None and access_token.claims["iss"] == services.issuer else None
