"""What the metadata say of OpenID Connect (Discovery section 3)."""

from collections.abc import Collection
from typing import Any, Final

from jeton.frozen import Frozen
from jeton.oauth.id_token import OPENID
from jeton.oauth.scope import Scope
from jeton.oauth.userinfo import CLAIMS_BY_SCOPE

USERINFO_PATH: Final = "/oauth/userinfo"
END_SESSION_PATH: Final = "/oauth/logout"
# Of the scopes that clients may request, only those with a public meaning are announced: others may be internal.
_ANNOUNCED_SCOPES: Final = (OPENID, *CLAIMS_BY_SCOPE, "offline_access")
_ID_TOKEN_CLAIMS: Final = ("iss", "sub", "aud", "exp", "iat", "auth_time", "amr", "nonce", "at_hash", "sid")


class SignInCapabilities(Frozen):
    """What is announced of signing in: scopes of all clients, algorithms of ID tokens, languages of the pages.

    `require_par` says that every request must be pushed (RFC 9126). `open_scope` is what every client may request at
    open resources. `metadata_documents` says that a client_id may be the URL of a metadata document.
    """

    scope: Scope = frozenset()
    id_token_algorithms: tuple[str, ...] = ("RS256",)
    ui_locales: tuple[str, ...] = ()
    require_par: bool = False
    open_scope: Scope = frozenset()
    metadata_documents: bool = False


def announced_scopes(capabilities: SignInCapabilities) -> list[str]:
    """Return `scopes_supported`. Unconfigured clients request all of it, so that it has nothing internal."""
    standard = [it for it in _ANNOUNCED_SCOPES if it in capabilities.scope] if OPENID in capabilities.scope else []
    return [*standard, *sorted(capabilities.open_scope.difference(standard))]


def openid_metadata(url: str, capabilities: SignInCapabilities) -> dict[str, Any]:
    """Return the members for the issuer at `url`; none if no client has the scope `openid`."""
    if OPENID not in capabilities.scope:
        return {}
    return {
        "userinfo_endpoint": url + USERINFO_PATH,
        "end_session_endpoint": url + END_SESSION_PATH,
        "backchannel_logout_supported": True,
        "backchannel_logout_session_supported": True,
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": list(capabilities.id_token_algorithms),
        "claims_supported": [*_ID_TOKEN_CLAIMS, *_claims_of(capabilities.scope)],
        "claim_types_supported": ["normal"],
    }


def _claims_of(scope: Collection[str]) -> list[str]:
    return [name for it, names in CLAIMS_BY_SCOPE.items() if it in scope for name in names]
