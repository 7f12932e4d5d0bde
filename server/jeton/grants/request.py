"""The token request of an authenticated client, with a well-formed scope, as grants receive it."""

from collections.abc import Mapping

from jeton.frozen import Frozen, Hidden
from jeton.oauth.clients import Client, Lifetimes
from jeton.oauth.errors import ErrorCode, OAuthError
from jeton.oauth.resources import Resource, applicable_scope
from jeton.oauth.scope import Scope
from jeton.oauth.sender_constraints import UNBOUND, Confirmation
from jeton.oauth.sessions import Source
from jeton.oauth.single_use import SingleUse


class TokenRequest(Frozen):
    """`scope`, `resources` and `idempotency_key` are None if the request has none.

    `target` are the resources that the request names, or the one that it implies; `audience` is that of a token for
    them. Tokens are bound to the keys in `confirmation`. `single_use` is the proof that the request uses.
    """

    client: Client
    parameters: Hidden[Mapping[str, str]]
    scope: Scope | None
    audience: tuple[str, ...]
    lifetimes: Lifetimes
    source: Source
    idempotency_key: Hidden[str | None] = None
    resources: tuple[Resource, ...] | None = None
    target: tuple[Resource, ...] = ()
    confirmation: Confirmation = UNBOUND
    single_use: SingleUse | None = None

    @property
    def repetition_key(self) -> str | None:
        """The idempotency key, for these keys only: tokens that are repeated must be bound as they were."""
        if self.idempotency_key is None or self.confirmation == UNBOUND:
            return self.idempotency_key
        return f"{self.idempotency_key}\0{self.confirmation.fingerprint}"

    def client_now(self, locked: Client | None) -> Client:
        """Return the client, as it is under the locks of its family: it may have changed since it was authenticated.

        `locked` is the client of the family that was locked, which may be another one, or None.
        """
        return locked if locked is not None and locked.client_id == self.client.client_id else self.client

    def granted_scope(self) -> Scope:
        """Return the part of the requested scope, or of the client's default, that means something at the target.

        Raise OAuthError if the client may not have the scope, or none of it means anything there.
        """
        client = self.client
        wanted = client.scope_if_omitted & client.scope if self.scope is None else self.scope
        scope = applicable_scope(wanted, self.target)
        if not wanted <= client.scope or (wanted and not scope):
            raise OAuthError(ErrorCode.INVALID_SCOPE, "scope_exceeds_client")
        return scope
