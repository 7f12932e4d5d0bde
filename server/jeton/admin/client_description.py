"""What may be shown of a client."""

from typing import Any, Final

from jeton.oauth.clients import Client
from jeton.oauth.registration.metadata_document_urls import authority_of
from jeton.oauth.registration.redirection_rules import registration_warning
from jeton.oauth.registration.unregistered_clients import is_described_by_document

LIFETIMES: Final = ("retry_grace_seconds", "access_seconds", "refresh_idle_seconds", "refresh_absolute_seconds")


def describe(client: Client) -> dict[str, Any]:
    """Return what may be shown of a client, as JSON members. Secrets and their digests are not included."""
    return {
        "client_id": client.client_id,
        "public": client.public,
        "grant_types": sorted(client.grant_types),
        "scope": sorted(client.scope),
        "default_scope": sorted(client.default_scope),
        "audience": list(client.audience),
        "auth_methods": sorted(client.auth_methods),
        "introspect": client.introspect,
        "claims": sorted(client.claims),
        "origins": sorted(client.origins),
        **{name: client.lifetimes.get(name) for name in LIFETIMES},
        "session_binding": client.session_binding,
        "name": client.name,
        "logo": client.logo_type,
        "links": dict(client.links),
        "application_type": client.application_type,
        "redirect_uris": sorted(client.redirect_uris),
        "post_logout_redirect_uris": sorted(client.post_logout_redirect_uris),
        "first_party": client.first_party,
        "require_pkce": client.require_pkce,
        "require_par": client.require_par,
        "resources": list(client.resources),
        "refresh_token": client.refresh_token,
        "backchannel_logout_uri": client.backchannel_logout_uri,
        "backchannel_logout_session_required": client.backchannel_logout_session_required,
        "id_token_alg": client.id_token_alg,
        "registration": client.registration,
        "host": authority_of(client.client_id) if is_described_by_document(client) else None,
        "last_used_at": client.last_used_at,
        "refresh_cookie": client.refresh_cookie,
        "jwks": client.jwks,
        "jwks_uri": client.jwks_uri,
        "assertion_audience": client.assertion_audience,
        "tls_subject": client.tls_subject,
        "require_dpop": client.require_dpop,
        "disabled": client.disabled,
        "created_at": client.created_at,
        "warning": registration_warning(client),
    }
