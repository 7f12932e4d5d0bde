"""Dynamic client registration (RFC 7591) and its management (RFC 7592): the client that comes of it, and the answer.

A public client that registers with nothing but its metadata is the same client for every sender of that metadata: it
holds no secret, so that several instances of one app need not be told apart (RFC 7591 section 1.2), and rows do not
pile up. It has no owner, and cannot be managed.
"""

import json
from collections.abc import Mapping
from typing import Any, Final

from jeton.frozen import asdict
from jeton.oauth.authorization.authorization_request import RESPONSE_TYPES
from jeton.oauth.authorization.redirect_uris import comparable_redirect_uri
from jeton.oauth.clients import NONE, PRIVATE_KEY_JWT, SECRET_METHODS, Client
from jeton.oauth.registration.client_metadata import REGISTRABLE_GRANT_TYPES, ClientMetadata
from jeton.oauth.registration.metadata_members import invalid_metadata
from jeton.oauth.registration_ceiling import RegistrationCeiling, within_ceiling
from jeton.oauth.scope import format_scope

REGISTRATION_PATH: Final = "/oauth/register"
# What programs that do not know the metadata of this server try (MCP before 2025-06-18).
FALLBACK_PATH: Final = "/register"
CLIENT_PATH: Final = "/oauth/register/{client_id}"

# How a client that registers itself may authenticate, and how it does without a choice (RFC 7591 section 2).
AUTH_METHODS: Final = (*SECRET_METHODS, NONE, PRIVATE_KEY_JWT)
DEFAULT_AUTH_METHOD: Final = SECRET_METHODS[0]
# Set by the server: an update must not contain them (RFC 7592 section 2.2).
_SERVER_MEMBERS: Final = (
    *("registration_access_token", "registration_client_uri"),
    *("client_secret_expires_at", "client_id_issued_at"),
)


def canonical_metadata(metadata: ClientMetadata) -> str:
    """Return the same text for metadata that mean the same: without order, and without the ports of loopback URIs."""
    members = asdict(metadata)
    for name in ("redirect_uris", "post_logout_redirect_uris"):
        compared = {comparable_redirect_uri(it, metadata.application_type) for it in members[name]}
        members[name] = sorted(compared)
    members["grant_types"] = sorted(metadata.grant_types)
    members["scope"] = None if metadata.scope is None else sorted(metadata.scope)
    return json.dumps(members, sort_keys=True)


def registered(client: Client, metadata: ClientMetadata, ceiling: RegistrationCeiling) -> Client:
    """Return the client with this metadata. Without a scope in it, it has all that it may request (RFC 7591 2)."""
    wanted = ceiling.scope if metadata.scope is None else metadata.scope
    return within_ceiling(metadata.applied_to(client, wanted), ceiling)


def check_update(document: Mapping[str, Any], client_id: str) -> None:
    """Check what an update must and must not contain beside metadata. Raise OAuthError (invalid_client_metadata)."""
    if document.get("client_id") != client_id:
        raise invalid_metadata("client_id must be that of the registration.")
    for name in _SERVER_MEMBERS:
        if name in document:
            raise invalid_metadata(f"{name} is set by the server: leave it out.")


def check_same_kind(before: Client, metadata: ClientMetadata) -> None:
    """Raise OAuthError if a public client would get a secret, or a key would take the place of a secret."""
    known = _kind(NONE if before.public else min(before.auth_methods))
    if _kind(metadata.auth_method) != known:
        raise invalid_metadata("token_endpoint_auth_method cannot change in this way: register another client.")


def client_information(client: Client, redirect_uris: tuple[str, ...] | None = None) -> dict[str, Any]:
    """Return what is registered of the client (RFC 7591 section 3.2.1), without its credentials.

    `redirect_uris` are those that it sent, which may differ from the stored ones in order and in ports that are free.
    """
    uris = sorted(client.redirect_uris) if redirect_uris is None else list(redirect_uris)
    members: dict[str, Any] = {
        "client_id": client.client_id,
        "client_id_issued_at": client.created_at,
        "redirect_uris": uris,
        "token_endpoint_auth_method": NONE if client.public else min(client.auth_methods),
        "grant_types": [it for it in REGISTRABLE_GRANT_TYPES if it in client.grant_types],
        "response_types": list(RESPONSE_TYPES),
        "application_type": client.application_type,
        "scope": format_scope(client.scope),
        "id_token_signed_response_alg": client.id_token_alg,
        "require_pushed_authorization_requests": client.require_par,
        "dpop_bound_access_tokens": client.require_dpop,
        "client_name": client.name,
        "post_logout_redirect_uris": sorted(client.post_logout_redirect_uris),
        "backchannel_logout_uri": client.backchannel_logout_uri,
        "backchannel_logout_session_required": client.backchannel_logout_session_required or None,
        "jwks": client.jwks,
        "jwks_uri": client.jwks_uri,
        **client.links,
    }
    return {name: value for name, value in members.items() if value not in (None, [], "")}


def _kind(auth_method: str) -> str:
    return auth_method if auth_method in (NONE, PRIVATE_KEY_JWT) else "secret"
