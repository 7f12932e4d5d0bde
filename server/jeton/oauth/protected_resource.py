"""Metadata of this server's own API, `/account` and userinfo, as a protected resource (RFC 9728)."""

from typing import Any, Final
from urllib.parse import urlsplit

from jeton.oauth.dpop_rules import DPOP_ALGORITHMS
from jeton.oauth.id_token import OPENID
from jeton.oauth.scope import Scope
from jeton.oauth.self_service import ACCOUNT_SCOPE
from jeton.oauth.userinfo import CLAIMS_BY_SCOPE

PROTECTED_RESOURCE_PATH: Final = "/.well-known/oauth-protected-resource"
_SCOPES: Final = (ACCOUNT_SCOPE, OPENID, *CLAIMS_BY_SCOPE)


def protected_resource_metadata(issuer: str, name: str, scope: Scope) -> dict[str, Any]:
    """Return the document (RFC 9728 section 2). The API's identifier is the issuer, which its tokens have in `aud`.

    `scope` is that of all clients: what none of them may request is not announced. Members without a value are absent.
    """
    scopes = [it for it in _SCOPES if it in scope]
    return {
        "resource": issuer,
        "authorization_servers": [issuer],
        **({"scopes_supported": scopes} if scopes else {}),
        "bearer_methods_supported": ["header"],
        "dpop_signing_alg_values_supported": [*DPOP_ALGORITHMS],
        "resource_name": name,
    }


def resource_metadata_url(issuer: str) -> str:
    """Return the address of the document: the path is inserted before the issuer's own (RFC 9728 section 3.1)."""
    parts = urlsplit(issuer)
    path = "" if parts.path == "/" else parts.path
    return f"{parts.scheme}://{parts.netloc}{PROTECTED_RESOURCE_PATH}{path}"
