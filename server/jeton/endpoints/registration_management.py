"""Client configuration endpoint: GET, PUT and DELETE /oauth/register/{client_id} (RFC 7592 section 2)."""

from collections.abc import Awaitable, Callable, Sequence

import structlog

from jeton.crypto.credentials import matches
from jeton.crypto.metadata_digest import digest_registered_metadata
from jeton.crypto.registration_credentials import is_dynamic_client_id
from jeton.endpoints.clients.client_authentication import AuthenticatedClient
from jeton.endpoints.messages import Empty, FormRequest, Json
from jeton.endpoints.registration import Ceiling, bearer_token, registration_access
from jeton.frozen import Frozen, replace
from jeton.grants.request_limits import RequestLimits
from jeton.oauth.clients import Client
from jeton.oauth.errors import ErrorCode, OAuthError, invalid_registration_token
from jeton.oauth.registration.client_metadata import parse_client_metadata
from jeton.oauth.registration.dynamic_registration import (
    AUTH_METHODS,
    DEFAULT_AUTH_METHOD,
    canonical_metadata,
    check_same_kind,
    check_update,
    client_information,
    registered,
)
from jeton.storage.client_registrations import ClientRegistrations
from jeton.storage.clock import Clock
from jeton.storage.lookups import Lookups

log = structlog.get_logger("jeton.registration")


class ManagementAuthentication(Frozen):
    """Authentication of a client by its registration access token."""

    lookups: Lookups
    request_limits: RequestLimits

    async def __call__(self, request: FormRequest) -> AuthenticatedClient:
        """Return the client. Raise the same OAuthError (401) whether the client or only the token is wrong."""
        client_id, token = request.parameters["client_id"], bearer_token(request)
        client = await self.lookups.client(client_id, fresh=True) if is_dynamic_client_id(client_id) else None
        digest = None if client is None else client.registration_token_digest
        if not matches(token, () if digest is None else (digest,)) or client is None:
            await self.request_limits.count_unknown_token(request.source)
            raise invalid_registration_token("registration_access_token_wrong")
        require_enabled(client)
        return AuthenticatedClient(client)


class ReadRegistration(Frozen):
    """GET /oauth/register/{client_id}."""

    authenticate: Callable[[FormRequest], Awaitable[AuthenticatedClient]]
    issuer: str

    async def handle(self, request: FormRequest, caller: AuthenticatedClient) -> Json:
        """Return what is registered. A secret is stored as a digest only, and cannot be returned again."""
        return _answer(self.issuer, request, caller.client)


class UpdateRegistration(Frozen):
    """PUT /oauth/register/{client_id}."""

    authenticate: Callable[[FormRequest], Awaitable[AuthenticatedClient]]
    issuer: str
    ceiling: Ceiling
    id_token_algorithms: Callable[[], Sequence[str]]
    registrations: ClientRegistrations
    clock: Clock

    async def handle(self, request: FormRequest, caller: AuthenticatedClient) -> Json:
        """Replace all metadata: members that are left out are deleted, or get their default."""
        client_id, document = caller.client.client_id, request.document
        check_update(document, client_id)
        metadata = parse_client_metadata(document, AUTH_METHODS, DEFAULT_AUTH_METHOD, self.id_token_algorithms())
        digest = digest_registered_metadata(canonical_metadata(metadata))
        ceiling = self.ceiling()

        def change(before: Client) -> Client:
            require_enabled(before)
            secret = document.get("client_secret")
            if secret is not None and not _is_secret(secret, before, self.clock.now()):
                raise OAuthError(
                    ErrorCode.INVALID_CLIENT_METADATA, "client_secret must be the current one, or left out."
                )
            check_same_kind(before, metadata)
            return replace(registered(before, metadata, ceiling), metadata_digest=digest)

        changed = await self.registrations.change(client_id, change)
        if changed is None:
            raise invalid_registration_token("client_deleted_meanwhile")
        log.info("client_registration_changed", client_id=client_id, ip=request.source.ip)
        return _answer(self.issuer, request, changed, metadata.redirect_uris)


class DeleteRegistration(Frozen):
    """DELETE /oauth/register/{client_id}."""

    authenticate: Callable[[FormRequest], Awaitable[AuthenticatedClient]]
    registrations: ClientRegistrations

    async def handle(self, request: FormRequest, caller: AuthenticatedClient) -> Empty:
        """Delete the client with its secret, its registration access token, and the sessions of its users."""
        await self.registrations.delete(caller.client.client_id, require_enabled)
        log.info("client_deregistered", client_id=caller.client.client_id, ip=request.source.ip)
        return Empty()


def require_enabled(client: Client) -> None:
    """Raise OAuthError (403) if an administrator has disabled the client."""
    if client.disabled:
        raise OAuthError(ErrorCode.ACCESS_DENIED, "client_disabled", status=403)


def _answer(issuer: str, request: FormRequest, client: Client, redirect_uris: tuple[str, ...] | None = None) -> Json:
    """Return the registration with the access token that was presented, which remains valid."""
    access = registration_access(issuer, client, bearer_token(request))
    return Json({**client_information(client, redirect_uris), **access})


def _is_secret(presented: object, client: Client, now: int) -> bool:
    return isinstance(presented, str) and matches(presented, client.secret_digests(now))
