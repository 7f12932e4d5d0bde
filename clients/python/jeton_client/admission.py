"""Which requests a service admits: with a valid token of enough scope and, if the token is bound to a key, a proof."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from jeton_client.access_token import AccessToken
from jeton_client.challenges import Challenges, Refusal, Scheme, accepted_schemes, presented_token
from jeton_client.dpop_proof import ProvenRequest
from jeton_client.errors import ClientError, InvalidTokenError
from jeton_client.protected_resource import ProtectedResource


class TokenVerifier(Protocol):
    """An AsyncVerifier or an AsyncIntrospector."""

    async def verify(self, token: str) -> AccessToken: ...


@dataclass(frozen=True, slots=True)
class PresentedRequest:
    """What of a request matters here: its Authorization and DPoP headers, its method, and the path as it was sent."""

    authorization: Sequence[str] = field(default=(), repr=False)
    proofs: Sequence[str] = field(default=(), repr=False)
    method: str = "GET"
    path: str = "/"


@dataclass(frozen=True, slots=True)
class Requirements:
    """What a service requires of requests. `report` is called with the reason of a refusal, which contains no token."""

    verifier: TokenVerifier
    scope: tuple[str, ...] = ()
    realm: str = "api"
    resource: ProtectedResource | None = None
    report: Callable[[ClientError], None] | None = None

    async def admit(self, request: PresentedRequest) -> AccessToken | Refusal:
        """Return the token of the request if it is admitted, otherwise the refusal."""
        scheme: Scheme = "Bearer"
        why: ClientError | None = None
        try:
            presented = presented_token(request.authorization, accepted_schemes(self.resource))
            if presented is not None:
                scheme, token = presented
                return await self._verified(request, scheme, token)
        except ClientError as error:
            why = error
            if self.report is not None:
                self.report(why)
        refused = Challenges(self.realm, self.scope, self.resource).refusal(why, scheme)
        return Refusal(refused.status, refused.error, {**refused.headers, **self.headers()})

    def headers(self) -> dict[str, str]:
        """Return what every response has: with nonces, the next one."""
        return {} if self.resource is None or self.resource.dpop is None else self.resource.dpop.headers()

    async def _verified(self, request: PresentedRequest, scheme: Scheme, token: str) -> AccessToken:
        verified = await self.verifier.verify(token)
        if scheme == "Bearer":
            if "cnf" in verified.claims:  # RFC 9449 section 7.2, RFC 8705 section 3: nothing proves the binding
                raise InvalidTokenError("cnf")
        else:
            await self._check_proof(request, token, verified)
        verified.require_scope(*self.scope)
        return verified

    async def _check_proof(self, request: PresentedRequest, token: str, verified: AccessToken) -> None:
        assert self.resource is not None
        assert self.resource.dpop is not None, "the scheme is accepted with it only"
        binding = verified.claims.get("cnf")
        # A token that is also bound in another way is refused, because the other binding is not checked.
        if not isinstance(binding, dict) or binding.keys() != {"jkt"} or not isinstance(binding["jkt"], str):
            raise InvalidTokenError("cnf")
        # The origin is the one that clients know, because anyone can write any Host.
        url = self.resource.origin + request.path
        await self.resource.dpop.check(request.proofs, ProvenRequest(request.method, url, token, binding["jkt"]))
