"""A token that somebody shows: which of ours it is, if any. Hints are not needed: the two kinds look different."""

from jeton.crypto.refresh_token import PresentedRefreshToken, parse_refresh_token
from jeton.crypto.signed_jwt import VerifiedToken
from jeton.grants.services import Services


async def parse_presented_token(presented: str, services: Services) -> PresentedRefreshToken | VerifiedToken | None:
    """Return what the token is, or None if this server never issued it.

    A refresh token is not known to be genuine yet; an access token is ours, but may have expired or ended.
    """
    return parse_refresh_token(presented) or await verified_access_token(presented, services)


async def verified_access_token(presented: str, services: Services) -> VerifiedToken | None:
    """Return the claims of an access token of this issuer, or None for anything else.

    A key that is not known here may be one that another server has just begun to use: the stored keys are read again
    before the token is called unknown. Raises StorageUnavailableError if they cannot be read.
    """
    token = services.keyring.verifier.verify(presented)
    if token is None and services.keyring.verifier.lacks_key_of(presented):
        await services.reload_keys()
        token = services.keyring.verifier.verify(presented)
    return token if token is not None and token.claims["iss"] == services.issuer else None
