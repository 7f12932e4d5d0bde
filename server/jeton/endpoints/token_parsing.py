"""Recognition of presented tokens of this server. No hint is needed: the kinds of tokens look different."""

from collections.abc import Awaitable, Callable

from jeton.crypto.refresh_token import PresentedRefreshToken, parse_refresh_token
from jeton.crypto.signed_jwt import VerifiedToken, Verifier
from jeton.frozen import Frozen
from jeton.keys.keyring import Keyring


class TokenParser(Frozen):
    """Recognizes refresh tokens, and verifies access tokens and ID tokens of this issuer.

    `reload_keys` reads the signing keys from the database unless that was done a moment ago.
    """

    issuer: str
    keyring: Keyring
    reload_keys: Callable[[], Awaitable[None]]

    def verify_access_token(self, presented: str) -> Awaitable[VerifiedToken | None]:
        """Return the verified token, or None if this server did not issue it. It may have expired or ended.

        Raise StorageUnavailableError if its key is unknown here, and the stored keys cannot be read.
        """
        return self._verify(presented, lambda: self.keyring.verifier)

    def verify_id_token(self, presented: str) -> Awaitable[VerifiedToken | None]:
        """Return the verified ID token, or None, as `verify_access_token` does."""
        return self._verify(presented, lambda: self.keyring.id_token_verifier)

    async def parse(self, presented: str) -> PresentedRefreshToken | VerifiedToken | None:
        """Return the token, or None if this server never issued it. A refresh token is not known to be genuine yet."""
        return parse_refresh_token(presented) or await self.verify_access_token(presented)

    async def _verify(self, presented: str, verifier: Callable[[], Verifier]) -> VerifiedToken | None:
        """Verify by the keys as they are in memory; if its key is unknown, by the stored ones.

        Another server may have just begun to use a key. `verifier` returns another one after the keys were read.
        """
        token = verifier().verify(presented)
        if token is None and verifier().lacks_key_of(presented):
            await self.reload_keys()
            token = verifier().verify(presented)
        return token if token is not None and token.claims["iss"] == self.issuer else None
