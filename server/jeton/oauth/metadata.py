"""Authorization server metadata (RFC 8414 section 2) and the paths of the endpoints."""

from collections.abc import Iterable
from typing import Any, Final

TOKEN_PATH: Final = "/oauth/token"
REVOCATION_PATH: Final = "/oauth/revoke"
INTROSPECTION_PATH: Final = "/oauth/introspect"
STATUS_LISTS_PATH: Final = "/oauth/status"
JWKS_PATH: Final = "/.well-known/jwks.json"
METADATA_PATH: Final = "/.well-known/oauth-authorization-server"
# RFC 8414 section 5: clients of OpenID Connect Discovery use the second path.
METADATA_PATHS: Final = (METADATA_PATH, "/.well-known/openid-configuration")

SECRET_METHODS: Final = ("client_secret_basic", "client_secret_post")


def server_metadata(issuer: str, grant_types: Iterable[str], *, status_lists: bool = False) -> dict[str, Any]:
    """Return the document for this issuer. `grant_types` are those that at least one client may use.

    `response_types_supported` is required and must not be empty. It is "none": there is no authorization endpoint.
    """
    url = issuer.rstrip("/")
    metadata: dict[str, Any] = {
        "issuer": issuer,
        "token_endpoint": url + TOKEN_PATH,
        "revocation_endpoint": url + REVOCATION_PATH,
        "introspection_endpoint": url + INTROSPECTION_PATH,
        "jwks_uri": url + JWKS_PATH,
        "response_types_supported": ["none"],
        "grant_types_supported": sorted(grant_types),
        "token_endpoint_auth_methods_supported": [*SECRET_METHODS, "none"],
        "revocation_endpoint_auth_methods_supported": [*SECRET_METHODS, "none"],
        "introspection_endpoint_auth_methods_supported": [*SECRET_METHODS],
    }
    if status_lists:
        metadata["status_list_aggregation_endpoint"] = url + STATUS_LISTS_PATH
    return metadata
