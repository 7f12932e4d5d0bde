"""The token request of an authenticated client, with a well-formed scope, as grants receive it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from jeton.oauth.clients import Client, Lifetimes
from jeton.oauth.errors import ErrorCode, OAuthError
from jeton.oauth.scope import Scope
from jeton.oauth.sessions import Source


@dataclass(frozen=True, slots=True)
class TokenRequest:
    """`scope` and `idempotency_key` are None if the request has none; `audience` is the client's."""

    client: Client
    parameters: Mapping[str, str] = field(repr=False)
    scope: Scope | None
    audience: tuple[str, ...]
    lifetimes: Lifetimes
    source: Source
    idempotency_key: str | None = field(default=None, repr=False)

    def granted_scope(self) -> Scope:
        """Return the requested scope, or the client's default. Raise OAuthError if the client may not have it."""
        if self.scope is None:
            return self.client.scope_if_omitted & self.client.scope
        if not self.scope <= self.client.scope:
            raise OAuthError(ErrorCode.INVALID_SCOPE, "scope_exceeds_client")
        return self.scope
