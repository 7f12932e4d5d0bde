"""Recognition of presented tokens. Hints are not needed: refresh tokens and access tokens look different."""

from collections.abc import Awaitable, Callable

from jeton.crypto.refresh_token import PresentedRefreshToken, parse_refresh_token
from jeton.crypto.signed_jwt import VerifiedToken
from jeton.frozen import Frozen
from jeton.keys.keyring import Keyring


class TokenParser(Frozen):
    """Recognizes refresh tokens and verifies access tokens of this issuer.

    `reload_keys` reads the signing keys from the database unless that was done a moment ago.
    """

    issuer: str
    keyring: Keyring
    reload_keys: Callable[[], Awaitable[None]]

    async def verify_access_token(self, presented: str) -> VerifiedToken | None:
        """Return the verified token, or None if this server did not issue it. It may have expired or ended.

        A key that is unknown here may be one that another server has just begun to use: the stored keys are read again
        before the token is rejected. Raise StorageUnavailableError if they cannot be read.
        """
        token = self.keyring.verifier.verify(presented)
        if token is None and self.keyring.verifier.lacks_key_of(presented):
            await self.reload_keys()
            token = self.keyring.verifier.verify(presented)
        return token if token is not None and token.claims["iss"] == self.issuer else None

    async def parse(self, presented: str) -> PresentedRefreshToken | VerifiedToken | None:
        """Return the token, or None if this server never issued it. A refresh token is not known to be genuine yet."""
        return parse_refresh_token(presented) or await self.verify_access_token(presented)
