"""Token endpoint: POST /oauth/token (RFC 6749 section 3.2)."""

from collections.abc import Awaitable, Callable, Mapping

import structlog

from jeton.endpoints.clients.certificate_authentication import ClientCertificates
from jeton.endpoints.clients.client_authentication import AuthenticatedClient
from jeton.endpoints.dpop_verification import DpopVerification, VerifiedProof
from jeton.endpoints.messages import FormRequest, Json
from jeton.endpoints.refresh_cookies import RefreshCookies
from jeton.endpoints.token_issuing import TokenIssuer
from jeton.frozen import Frozen
from jeton.grants.description import Grant, Redeem
from jeton.grants.request import TokenRequest
from jeton.grants.request_limits import RequestLimits
from jeton.oauth.clients import Client, Lifetimes
from jeton.oauth.decisions import Deny, Issue
from jeton.oauth.dpop_rules import PROOF_REQUIRED
from jeton.oauth.errors import ErrorCode, OAuthError
from jeton.oauth.metadata import TOKEN_PATH
from jeton.oauth.parameters import require
from jeton.oauth.resources import (
    Resource,
    names_default_target,
    resources_if_omitted,
    select_resources,
    uris_of,
)
from jeton.oauth.scope import parse_scope
from jeton.oauth.sender_constraints import Confirmation
from jeton.observability.metrics import grants_with
from jeton.storage.ledger.replay_store import ReplayStore
from jeton.storage.lookups import Lookups

log = structlog.get_logger("jeton.token")


class EnabledGrant(Frozen):
    """A grant that this server offers, ready to be redeemed."""

    grant: Grant
    redeem: Redeem


class TokenEndpoint(Frozen):
    """Redeems grants. `grants` holds those that this server offers, by grant type."""

    authenticate: Callable[[FormRequest], Awaitable[AuthenticatedClient]]
    grants: Mapping[str, EnabledGrant]
    default_audience: str
    lifetimes: Lifetimes
    tokens: TokenIssuer
    request_limits: RequestLimits
    lookups: Lookups
    refresh_cookies: RefreshCookies
    dpop: DpopVerification
    replay_store: ReplayStore
    certificates: ClientCertificates

    async def handle(self, request: FormRequest, caller: AuthenticatedClient) -> Json:
        """Count the request, check that the client may use the grant, redeem it, and return the tokens.

        Nothing expensive happens for a client that may not use the grant. Raise OAuthError if the request is refused.
        """
        client = caller.client
        if client.refresh_cookie:
            request = self.refresh_cookies.token_request(request, client)
        self.request_limits.count_request(client, request.source)
        grant_type = require(request.parameters, "grant_type")
        redeem = self._find(grant_type, client)
        # Before anything is spent, make sure that its tokens can be signed.
        signers = self.tokens.signers(client, grant_type)
        proof = self._proof(request, client)
        token_request = await self._token_request(request, client, proof)
        decision = await redeem(token_request)
        grants_with(grant_type, decision.reason).inc()
        if isinstance(decision, Deny):
            raise decision.to_error()
        _log(decision, grant_type, request)
        access_seconds, confirmation = token_request.lifetimes.access_seconds, token_request.confirmation
        content = await self.tokens.issue(decision, signers, access_seconds, confirmation)
        return (
            self.refresh_cookies.token_response(content, decision, request) if client.refresh_cookie else Json(content)
        )

    def _proof(self, request: FormRequest, client: Client) -> VerifiedProof | None:
        """Return the DPoP proof of the request, if it has one. Raise OAuthError if it is not valid, or required."""
        proof = self.dpop.verify(request, TOKEN_PATH)
        if proof is not None:
            self.replay_store.require_room()
        elif client.require_dpop:
            raise PROOF_REQUIRED.to_error()
        return proof

    async def _token_request(self, request: FormRequest, client: Client, proof: VerifiedProof | None) -> TokenRequest:
        """Return the request with what its scope and `resource` mean. Raise OAuthError if either is not valid."""
        scope = parse_scope(request.parameters["scope"]) if "scope" in request.parameters else None
        requested = request.lists.get("resource")
        resources: tuple[Resource, ...] | None = None
        target: tuple[Resource, ...] = ()
        if requested or client.resources:
            allowed, issuer = await self.lookups.resources(client.resources), self.tokens.issuer
            if requested and names_default_target(requested, client, allowed, self.default_audience, issuer):
                resources = (Resource(issuer, issuer),)
            else:
                resources = select_resources(requested, allowed) if requested else None
                target = resources or resources_if_omitted(client, allowed)
        return TokenRequest(
            client,
            request.parameters,
            scope,
            uris_of(target) or client.audience or (self.default_audience,),
            self.lifetimes.with_overrides(client.lifetimes),
            request.source,
            request.idempotency_key,
            resources,
            target,
            Confirmation(None if proof is None else proof.jkt, self.certificates.thumbprint(request)),
            None if proof is None else proof.single_use,
        )

    def _find(self, grant_type: str, client: Client) -> Redeem:
        """Return how the grant is redeemed. Raise OAuthError if this client may not use it."""
        enabled = self.grants.get(grant_type)
        if enabled is None:
            raise OAuthError(ErrorCode.UNSUPPORTED_GRANT_TYPE, "grant_type_unknown")
        if grant_type not in client.grant_types:
            raise OAuthError(ErrorCode.UNAUTHORIZED_CLIENT, "grant_type_not_given_to_client")
        if enabled.grant.confidential and client.public:
            raise OAuthError(ErrorCode.UNAUTHORIZED_CLIENT, "public_client")
        return enabled.redeem


def _log(issue: Issue, grant_type: str, request: FormRequest) -> None:
    """Log the issued tokens, a session that is used from elsewhere, and the sessions that ended for a new one."""
    family, client_id, ip = issue.family, issue.client.client_id, request.source.ip
    about = {} if family is None else {"sub": family.sub, "sid": family.sid, "generation": family.generation}
    if issue.moved and family is not None:
        log.warning("session_moved", client_id=client_id, ip=ip, moves=family.moves, **about)
    for ended in issue.ended:
        log.info("session_ended", reason=ended.revoke_reason, sub=ended.sub, sid=ended.sid)
    log.info("token_issued", reason=issue.reason, grant_type=grant_type, client_id=client_id, ip=ip, **about)
