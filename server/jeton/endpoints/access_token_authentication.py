"""Authentication by access token (RFC 6750, RFC 8705, RFC 9068 section 4, RFC 9449): a user, through a client."""

from collections.abc import Mapping
from typing import Final, Literal

from jeton.endpoints.clients.certificate_authentication import ClientCertificates
from jeton.endpoints.dpop_verification import DpopVerification, VerifiedProof
from jeton.endpoints.messages import FormRequest
from jeton.endpoints.token_parsing import TokenParser
from jeton.frozen import Frozen, Hidden, replace
from jeton.oauth.access_token import audience_of
from jeton.oauth.clients import Client
from jeton.oauth.dpop_rules import DPOP_ALGORITHMS, PROOF_REPLAYED
from jeton.oauth.errors import (
    Challenge,
    ErrorCode,
    OAuthError,
    insufficient_scope,
    invalid_access_token,
    invalid_dpop_proof,
    malformed_bearer_request,
    missing_access_token,
)
from jeton.oauth.introspection_rules import introspect_access_token
from jeton.oauth.protected_resource import resource_metadata_url
from jeton.oauth.resources import OPENID_SCOPES
from jeton.oauth.scope import Scope, parse_scope
from jeton.oauth.self_service import ACCOUNT_SCOPE
from jeton.oauth.sender_constraints import BEARER, DPOP, Confirmation, confirmation_of
from jeton.oauth.users import User
from jeton.storage.clock import Clock
from jeton.storage.ledger.replay_store import ReplayStore
from jeton.storage.lookups import Lookups, TokenSubject

_SCHEMES: Final[Mapping[str, Literal["Bearer", "DPoP"]]] = {"bearer": BEARER, "dpop": DPOP}
_PROOF_ERRORS: Final = frozenset({ErrorCode.INVALID_DPOP_PROOF, ErrorCode.USE_DPOP_NONCE})


class AuthenticatedUser(Frozen):
    """A user, and the client and session through which the request comes, as they are now.

    `scope` is that of the access token, as far as the client still has it.
    """

    user: User
    client: Client
    sid: str
    scope: Scope = frozenset()


class _PresentedToken(Frozen):
    scheme: Literal["Bearer", "DPoP"]
    text: Hidden[str]


class AccessTokenAuthentication(Frozen):
    """Authenticates the user of a request to an API of this server, for which the token needs `required_scope`.

    `path` is that of the API, which may have the request's parameters in braces. `form_token` says that the token may
    be sent in the form instead of the header (RFC 6750 section 2.2).
    """

    issuer: str
    path: str
    tokens: TokenParser
    dpop: DpopVerification
    replay_store: ReplayStore
    certificates: ClientCertificates
    lookups: Lookups
    clock: Clock
    required_scope: str = ACCOUNT_SCOPE
    form_token: bool = False

    async def __call__(self, request: FormRequest) -> AuthenticatedUser:
        """Return the user. Raise OAuthError unless the access token is one that introspection calls active.

        It must also name this server in its audience, belong to a user's session and hold the scope. The challenge of
        every refusal says where the metadata of this API are (RFC 9728 section 5.1).
        """
        presented = None
        try:
            presented = self._presented(request)
            return await self._authenticated(request, presented)
        except OAuthError as refused:
            self._complete_challenge(refused, BEARER if presented is None else presented.scheme)
            raise

    def _complete_challenge(self, refused: OAuthError, scheme: Literal["Bearer", "DPoP"]) -> None:
        """Let a refusal that has a challenge, or is about a proof, say all that lets a request in."""
        if refused.code in _PROOF_ERRORS:
            refused.status = 401
        elif refused.challenge is None:
            return
        refused.challenge = replace(
            refused.challenge or Challenge(scheme),
            scheme=scheme,
            resource_metadata=resource_metadata_url(self.issuer),
            dpop_algorithms=DPOP_ALGORITHMS,
        )

    async def _authenticated(self, request: FormRequest, presented: _PresentedToken) -> AuthenticatedUser:
        token = await self.tokens.verify_access_token(presented.text)
        if token is None:
            raise invalid_access_token("access_token_unknown")
        claims = token.claims
        # A service that is shown tokens of its own users must not be able to use them here.
        if self.issuer not in audience_of(claims):
            raise invalid_access_token("access_token_for_others")
        confirmation = confirmation_of(claims)
        proof = self._proof(request, presented, confirmation)
        if confirmation.x5t_s256 not in (None, self.certificates.thumbprint(request)):
            raise invalid_access_token("access_token_bound_to_other_certificate")
        subject = TokenSubject(claims["client_id"], claims["sub"], claims.get("sid"), claims["jti"], token.kid)
        facts = await self.lookups.token_context(subject)
        if facts.client is None or facts.user is None or facts.family is None:
            raise invalid_access_token("access_token_not_a_users")
        # With the scope openid, a token for others is for userinfo here as well, but for nothing else.
        if self.required_scope not in OPENID_SCOPES and self.issuer not in facts.family.audience:
            raise invalid_access_token("access_token_for_others")
        active = introspect_access_token(claims, facts, facts.client, (), self.clock.now(), self.issuer)
        if not active["active"]:
            raise invalid_access_token("access_token_not_active")
        scope = parse_scope(active["scope"]) if "scope" in active else frozenset[str]()
        if self.required_scope not in scope:
            raise insufficient_scope(f"scope_without_{self.required_scope}", self.required_scope)
        # Last, because it is written: nothing is stored for a request that is refused.
        if proof is not None and not await self.replay_store.use(proof.single_use):
            raise PROOF_REPLAYED.to_error()
        return AuthenticatedUser(facts.user, facts.client, facts.family.sid, scope)

    def _proof(
        self, request: FormRequest, presented: _PresentedToken, confirmation: Confirmation
    ) -> VerifiedProof | None:
        """Return the proof by the key that the token is bound to, None if it is bound to none (RFC 9449 section 7).

        Raise OAuthError if a bound token comes as Bearer, or another one as DPoP, or the proof is missing or not valid.
        """
        if confirmation.token_type != presented.scheme:
            raise invalid_access_token("access_token_of_other_scheme")
        if confirmation.jkt is None:
            return None
        path = self.path.format_map(request.parameters)
        proof = self.dpop.verify(request, path, presented.text)
        if proof is None:
            raise invalid_dpop_proof("proof_missing")
        if proof.jkt != confirmation.jkt:
            raise invalid_access_token("access_token_bound_to_other_key")
        return proof

    def _presented(self, request: FormRequest) -> _PresentedToken:
        """Return the token. It must be sent in one way only (RFC 6750 section 2)."""
        in_form = request.parameters.get("access_token")
        if in_form is not None:
            if not self.form_token or request.authorization is not None:
                raise malformed_bearer_request("Send the access token in the Authorization header only.")
            return _PresentedToken(BEARER, in_form)
        scheme, _, token = (request.authorization or "").partition(" ")
        if scheme.lower() not in _SCHEMES:
            raise missing_access_token()
        return _PresentedToken(_SCHEMES[scheme.lower()], token.strip(" "))
