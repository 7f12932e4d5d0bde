"""ID token hints: ID tokens that come back to this server (OpenID Connect Core 3.1.2.1, RP-Initiated Logout 2)."""

from collections.abc import Mapping
from typing import Any

from jeton.endpoints.token_parsing import TokenParser
from jeton.frozen import Frozen
from jeton.oauth.clients import Client


class IdTokenHints(Frozen):
    """Verifies hints, which may have expired: a hint is one for as long as the key that signed it is published."""

    tokens: TokenParser

    async def verify(self, hint: str) -> Mapping[str, Any] | None:
        """Return the claims, or None if this server did not sign it. Raise StorageUnavailableError without keys."""
        token = await self.tokens.verify_id_token(hint)
        return None if token is None else token.claims

    async def subject(self, hint: str, client: Client) -> str | None:
        """Return the user whom the hint names, or None if it is not an ID token of this server for the client."""
        claims = await self.verify(hint)
        return str(claims["sub"]) if claims is not None and claims["aud"] == client.client_id else None
