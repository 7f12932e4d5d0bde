"""Client registration endpoint: POST /oauth/register (RFC 7591 section 3)."""

from collections.abc import Callable, Sequence
from typing import Any

import structlog

from jeton.crypto.credentials import digest_secret, generate_client_secret
from jeton.crypto.metadata_digest import digest_registered_metadata
from jeton.crypto.registration_credentials import (
    generate_client_id,
    generate_registration_access_token,
    shared_client_id,
)
from jeton.endpoints.messages import FormRequest, Json
from jeton.frozen import Frozen
from jeton.grants.request_limits import RequestLimits
from jeton.oauth.clients import DYNAMIC, SECRET_METHODS, Client
from jeton.oauth.errors import ErrorCode, OAuthError, invalid_registration_token, missing_access_token
from jeton.oauth.registration.client_metadata import ClientMetadata, parse_client_metadata
from jeton.oauth.registration.dynamic_registration import (
    AUTH_METHODS,
    DEFAULT_AUTH_METHOD,
    REGISTRATION_PATH,
    canonical_metadata,
    client_information,
    registered,
)
from jeton.oauth.registration_ceiling import RegistrationCeiling
from jeton.storage.client_registrations import ClientRegistrations
from jeton.storage.clock import Clock
from jeton.storage.lookups import Lookups

Ceiling = Callable[[], RegistrationCeiling]

log = structlog.get_logger("jeton.registration")


class Registrant(Frozen):
    """A program that is about to register. `token_id` is the id of its initial access token, or None without one."""

    token_id: str | None
    client: None = None


class RegistrationAuthentication(Frozen):
    """Authentication by initial access token. If registration is `open`, programs may do without."""

    open: bool
    registrations: ClientRegistrations
    request_limits: RequestLimits

    async def __call__(self, request: FormRequest) -> Registrant:
        """Return the caller. Raise OAuthError if it has no usable token and needs one."""
        if request.authorization is None and self.open:
            return Registrant(None)
        token = await self.registrations.initial_access_token(digest_secret(bearer_token(request)))
        if token is None:
            await self.request_limits.count_unknown_token(request.source)
            raise invalid_registration_token("initial_access_token_not_usable")
        return Registrant(token.token_id)


class RegistrationEndpoint(Frozen):
    """Registers clients."""

    authenticate: RegistrationAuthentication
    issuer: str
    ceiling: Ceiling
    id_token_algorithms: Callable[[], Sequence[str]]
    registrations: ClientRegistrations
    lookups: Lookups
    request_limits: RequestLimits
    clock: Clock

    async def handle(self, request: FormRequest, registrant: Registrant) -> Json:
        """Register the client, and return what is registered, with its credentials.

        A public client without an initial access token is the one client with this metadata.
        """
        metadata = parse_client_metadata(
            request.document, AUTH_METHODS, DEFAULT_AUTH_METHOD, self.id_token_algorithms()
        )
        digest = digest_registered_metadata(canonical_metadata(metadata))
        if metadata.public and registrant.token_id is None:
            return await self._share(request, metadata, digest)
        return await self._register(request, registrant, metadata, digest)

    async def _share(self, request: FormRequest, metadata: ClientMetadata, digest: bytes) -> Json:
        """Return the client with this metadata. If it is not known yet, it is counted and inserted."""
        client = self._client(shared_client_id(digest), metadata, digest, expires=True)
        known = await self.lookups.client(client.client_id)
        if known is None:
            await self.request_limits.count_registration(request.source)
            known = await self.registrations.insert_shared(client)
            _log("client_registered", known, request)
        elif not client.scope <= known.scope:
            known = await self.registrations.insert_shared(client)
        if known.disabled:
            raise OAuthError(ErrorCode.ACCESS_DENIED, "client_disabled", status=403)
        return Json(client_information(known, metadata.redirect_uris), 201)

    async def _register(
        self, request: FormRequest, registrant: Registrant, metadata: ClientMetadata, digest: bytes
    ) -> Json:
        """Insert a client. Return it with its secret, if it has one, and the token by which it manages itself."""
        if registrant.token_id is None:
            await self.request_limits.count_registration(request.source)
        secret = generate_client_secret() if _has_secret(metadata) else None
        token = generate_registration_access_token()
        client = self._client(
            generate_client_id(),
            metadata,
            digest,
            expires=registrant.token_id is None,
            secret_digest=None if secret is None else digest_secret(secret),
            registration_token_digest=digest_secret(token),
        )
        if not await self.registrations.insert(client, registrant.token_id):
            raise invalid_registration_token("initial_access_token_used_up")
        _log("client_registered", client, request, token_id=registrant.token_id)
        credentials = {} if secret is None else {"client_secret": secret, "client_secret_expires_at": 0}
        access = registration_access(self.issuer, client, token)
        return Json({**client_information(client, metadata.redirect_uris), **credentials, **access}, 201)

    def _client(
        self, client_id: str, metadata: ClientMetadata, digest: bytes, *, expires: bool, **fields: Any
    ) -> Client:
        """Return the client, not inserted yet. If it `expires`, it is deleted when it is not used."""
        now = self.clock.now()
        client = Client(
            client_id,
            metadata.public,
            now,
            registration=DYNAMIC,
            metadata_digest=digest,
            last_used_at=now if expires else None,
            **fields,
        )
        return registered(client, metadata, self.ceiling())


def registration_access(issuer: str, client: Client, token: str) -> dict[str, str]:
    """Return how the client manages its registration (RFC 7592 section 3)."""
    uri = f"{issuer.rstrip('/')}{REGISTRATION_PATH}/{client.client_id}"
    return {"registration_client_uri": uri, "registration_access_token": token}


def bearer_token(request: FormRequest) -> str:
    """Return the bearer token of the request. Raise OAuthError if there is none."""
    scheme, _, token = (request.authorization or "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip(" "):
        raise missing_access_token()
    return token.strip(" ")


def _has_secret(metadata: ClientMetadata) -> bool:
    return metadata.auth_method in SECRET_METHODS


def _log(event: str, client: Client, request: FormRequest, **about: str | None) -> None:
    log.info(event, client_id=client.client_id, public=client.public, ip=request.source.ip, **about)
