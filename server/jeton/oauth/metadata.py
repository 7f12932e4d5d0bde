"""Authorization server metadata (RFC 8414 section 2) and the paths of the endpoints."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from jeton.oauth.authorization.authorization_request import GRANT_TYPE, RESPONSE_MODES, RESPONSE_TYPES
from jeton.oauth.authorization.pkce import CHALLENGE_METHODS
from jeton.oauth.client_keys import ASSERTION_ALGORITHMS
from jeton.oauth.clients import NONE, PRIVATE_KEY_JWT, SECRET_METHODS
from jeton.oauth.discovery import SignInCapabilities, announced_scopes, openid_metadata
from jeton.oauth.dpop_rules import DPOP_ALGORITHMS
from jeton.oauth.openid_parameters import PROMPTS
from jeton.oauth.registration.dynamic_registration import REGISTRATION_PATH

AUTHORIZATION_PATH: Final = "/oauth/authorize"
PAR_PATH: Final = "/oauth/par"
TOKEN_PATH: Final = "/oauth/token"
REVOCATION_PATH: Final = "/oauth/revoke"
INTROSPECTION_PATH: Final = "/oauth/introspect"
STATUS_LISTS_PATH: Final = "/oauth/status"
JWKS_PATH: Final = "/.well-known/jwks.json"
METADATA_PATH: Final = "/.well-known/oauth-authorization-server"
# RFC 8414 section 5: clients of OpenID Connect Discovery use the second path.
METADATA_PATHS: Final = (METADATA_PATH, "/.well-known/openid-configuration")


def server_metadata(
    issuer: str,
    grant_types: Iterable[str],
    sign_in: SignInCapabilities,
    tls_methods: Sequence[str] = (),
    *,
    status_lists: bool = False,
    registration: bool = False,
    protected_resources: Iterable[str] = (),
) -> dict[str, Any]:
    """Return the document for this issuer. `grant_types` are those that at least one client may use.

    `protected_resources` are the resources that are announced (RFC 9728 section 4); others may exist.
    `response_types_supported` is required and must not be empty. It is "none" if no client may use the authorization
    endpoint.
    """
    grant_types = sorted(grant_types)
    url = issuer.rstrip("/")
    metadata: dict[str, Any] = {
        "issuer": issuer,
        "token_endpoint": url + TOKEN_PATH,
        "revocation_endpoint": url + REVOCATION_PATH,
        "introspection_endpoint": url + INTROSPECTION_PATH,
        "jwks_uri": url + JWKS_PATH,
        "response_types_supported": ["none"],
        "grant_types_supported": grant_types,
        **_authentication_metadata(tls_methods),
        "dpop_signing_alg_values_supported": [*DPOP_ALGORITHMS],
    }
    if protected_resources:
        metadata["protected_resources"] = list(protected_resources)
    if GRANT_TYPE in grant_types:
        metadata |= _authorization_metadata(url, sign_in)
    if registration:
        metadata["registration_endpoint"] = url + REGISTRATION_PATH
    if status_lists:
        metadata["status_list_aggregation_endpoint"] = url + STATUS_LISTS_PATH
    return metadata


def _authentication_metadata(tls_methods: Sequence[str]) -> dict[str, Any]:
    """Return how clients authenticate. Introspection is not for public clients.

    Tokens of every request with a certificate are bound to it (RFC 8705 section 3.3).
    """
    methods, algorithms = [*SECRET_METHODS, PRIVATE_KEY_JWT, *tls_methods], list(ASSERTION_ALGORITHMS)
    by_endpoint = {"token": [*methods, NONE], "revocation": [*methods, NONE], "introspection": methods}
    return {
        **{f"{it}_endpoint_auth_methods_supported": methods for it, methods in by_endpoint.items()},
        **{f"{it}_endpoint_auth_signing_alg_values_supported": algorithms for it in by_endpoint},
        **({"tls_client_certificate_bound_access_tokens": True} if tls_methods else {}),
    }


def _authorization_metadata(url: str, sign_in: SignInCapabilities) -> dict[str, Any]:
    """Return what is said of authorization requests (RFC 8414, 7636, 9126, 9207, OpenID Connect Discovery)."""
    locales = {"ui_locales_supported": list(sign_in.ui_locales)} if sign_in.ui_locales else {}
    scopes = announced_scopes(sign_in)
    return {
        "authorization_endpoint": url + AUTHORIZATION_PATH,
        "pushed_authorization_request_endpoint": url + PAR_PATH,
        "require_pushed_authorization_requests": sign_in.require_par,
        "response_types_supported": list(RESPONSE_TYPES),
        "response_modes_supported": list(RESPONSE_MODES),
        "code_challenge_methods_supported": list(CHALLENGE_METHODS),
        "authorization_response_iss_parameter_supported": True,
        "prompt_values_supported": list(PROMPTS),
        "claims_parameter_supported": False,
        "request_parameter_supported": False,
        # Without this member, OpenID Connect clients take it for true. It is not about pushed requests.
        "request_uri_parameter_supported": False,
        **locales,
        **({"scopes_supported": scopes} if scopes else {}),
        **({"client_id_metadata_document_supported": True} if sign_in.metadata_documents else {}),
        **openid_metadata(url, sign_in),
    }
