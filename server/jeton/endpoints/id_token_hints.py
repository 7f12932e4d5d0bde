"""ID token hints: ID tokens that come back to this server (OpenID Connect Core 3.1.2.1, RP-Initiated Logout 2)."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from jeton.frozen import Frozen
from jeton.keys.keyring import Keyring
from jeton.oauth.clients import Client


class IdTokenHints(Frozen):
    """Verifies hints. `reload_keys` reads the signing keys from the database unless that was done a moment ago.

    A hint may have expired. It is one for as long as the key that signed it is published.
    """

    issuer: str
    keyring: Keyring
    reload_keys: Callable[[], Awaitable[None]]

    async def verify(self, hint: str) -> Mapping[str, Any] | None:
        """Return the claims, or None if this server did not sign it. Raise StorageUnavailableError without keys."""
        token = self.keyring.id_token_verifier.verify(hint)
        if token is None and self.keyring.id_token_verifier.lacks_key_of(hint):
            await self.reload_keys()
            token = self.keyring.id_token_verifier.verify(hint)
        return token.claims if token is not None and token.claims["iss"] == self.issuer else None

    async def subject(self, hint: str, client: Client) -> str | None:
        """Return the user whom the hint names, or None if it is not an ID token of this server for the client."""
        claims = await self.verify(hint)
        return str(claims["sub"]) if claims is not None and claims["aud"] == client.client_id else None
