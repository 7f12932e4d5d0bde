"""Client metadata (RFC 7591 section 2): what a client says of itself, at registration or in a metadata document.

Nothing of it is verified. Members that this server does not know are ignored, and values that it does not offer are
left out; the answer says what is registered (section 3.2.1). Nothing gives a client more than that it may send users to
the authorization endpoint, and learn when they have signed out: no other grant, no introspection. What this server
requests at addresses of such a client goes to public addresses only (ADR 0029).
"""

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlsplit

from jeton.frozen import Frozen, replace
from jeton.oauth.authorization.authorization_request import GRANT_TYPE, RESPONSE_TYPES
from jeton.oauth.authorization.redirect_uris import is_loopback_redirect_uri, redirect_uri_rejection_reason
from jeton.oauth.client_keys import MAX_KEYS, ClientKeysError, parse_client_keys
from jeton.oauth.clients import ID_TOKEN_ALGORITHMS, NONE, PRIVATE_KEY_JWT, Client
from jeton.oauth.errors import ErrorCode, OAuthError
from jeton.oauth.registration.metadata_members import (
    invalid_metadata,
    parse_choice,
    parse_flag,
    parse_strings,
    parse_text,
)
from jeton.oauth.registration.redirection_rules import MAX_NAME_CHARACTERS
from jeton.oauth.registration.registration_rules import MAX_SCOPE_BYTES
from jeton.oauth.scope import Scope, is_scope_token

REGISTRABLE_GRANT_TYPES: Final = (GRANT_TYPE, "refresh_token")
_MAX_REDIRECT_URIS: Final = 20
LINKS: Final = ("client_uri", "policy_uri", "tos_uri")
_APPLICATION_TYPES: Final = ("web", "native")
_WEB_PAGE: Final = re.compile(r"https://(?P<host>[A-Za-z0-9._:\[\]-]+)([/?#][\x21-\x7E]{0,500})?")
_REDIRECT_URI_RULE: Final = (
    "must be https, or http on 127.0.0.1, [::1] or localhost, or of a private scheme such as com.example.app, without"
    " fragment, wildcard, user name and parameters of the response (RFC 8252, RFC 9700)."
)


class ClientMetadata(Frozen):
    """What is registered of a client's metadata.

    `redirect_uris` are in the order of the client, `auth_method` is its token_endpoint_auth_method, `scope` is None if
    it names none. `links` has those of LINKS that may be shown; `jwks` or `jwks_uri` are the keys of a client with
    PRIVATE_KEY_JWT. The other fields are those of `Client`.
    """

    redirect_uris: tuple[str, ...]
    auth_method: str
    grant_types: frozenset[str]
    application_type: str
    scope: Scope | None
    name: str | None
    links: Mapping[str, str]
    post_logout_redirect_uris: tuple[str, ...]
    backchannel_logout_uri: str | None
    backchannel_logout_session_required: bool
    id_token_alg: str
    jwks: Mapping[str, Any] | None
    jwks_uri: str | None
    require_par: bool
    require_dpop: bool

    @property
    def public(self) -> bool:
        """Whether the client does not authenticate."""
        return self.auth_method == NONE

    def applied_to(self, client: Client, scope: Scope) -> Client:
        """Return the client with this metadata and this scope in place of its own. What is not metadata is kept.

        So is what makes requests safer: an administrator may have demanded it.
        """
        return replace(
            client,
            public=self.public,
            auth_methods=frozenset() if self.public else frozenset({self.auth_method}),
            grant_types=self.grant_types,
            scope=scope,
            name=self.name,
            redirect_uris=frozenset(self.redirect_uris),
            post_logout_redirect_uris=frozenset(self.post_logout_redirect_uris),
            backchannel_logout_uri=self.backchannel_logout_uri,
            backchannel_logout_session_required=self.backchannel_logout_session_required,
            application_type=self.application_type,
            links=self.links,
            id_token_alg=self.id_token_alg,
            jwks=self.jwks,
            jwks_uri=self.jwks_uri,
            require_par=client.require_par or self.require_par,
            require_dpop=client.require_dpop or self.require_dpop,
        )


def parse_client_metadata(
    metadata: Mapping[str, Any],
    auth_methods: Collection[str],
    default_auth_method: str,
    id_token_algorithms: Sequence[str] = ID_TOKEN_ALGORITHMS,
) -> ClientMetadata:
    """Return what is registered of this JSON object.

    `auth_methods` are the values of token_endpoint_auth_method that the client may choose from. A native app that
    chooses none is public: a secret in an app proves nothing (RFC 8252 section 8.5). `id_token_algorithms` are those of
    ID tokens. A client that chooses none gets RS256, or else the first.

    Raise OAuthError (invalid_redirect_uri or invalid_client_metadata) if the client could not work, or be unsafe.
    """
    redirect_uris = parse_strings(metadata, "redirect_uris")
    application_type = _application_type(metadata, redirect_uris)
    _check_redirect_uris("redirect_uris", redirect_uris, application_type)
    post_logout = parse_strings(metadata, "post_logout_redirect_uris")
    _check_redirect_uris("post_logout_redirect_uris", post_logout, application_type)
    if not redirect_uris:
        raise OAuthError(ErrorCode.INVALID_REDIRECT_URI, "redirect_uris must hold at least one redirect URI.")
    default = NONE if application_type == "native" and NONE in auth_methods else default_auth_method
    auth_method = parse_choice(metadata, "token_endpoint_auth_method", auth_methods, default)
    logout_uri = _backchannel_logout_uri(metadata)
    jwks, jwks_uri = _keys(metadata) if auth_method == PRIVATE_KEY_JWT else (None, None)
    return ClientMetadata(
        redirect_uris,
        auth_method,
        _grant_types(metadata),
        application_type,
        _scope(metadata),
        _name(metadata),
        _links(metadata, redirect_uris),
        post_logout,
        logout_uri,
        parse_flag(metadata, "backchannel_logout_session_required") and logout_uri is not None,
        parse_choice(
            metadata, "id_token_signed_response_alg", id_token_algorithms, _default_algorithm(id_token_algorithms)
        ),
        jwks,
        jwks_uri,
        parse_flag(metadata, "require_pushed_authorization_requests"),
        parse_flag(metadata, "dpop_bound_access_tokens"),
    )


def _application_type(metadata: Mapping[str, Any], redirect_uris: tuple[str, ...]) -> str:
    """Return `application_type` (OpenID Connect Registration section 2); without it, what the redirect URIs tell."""
    on_device = any(is_loopback_redirect_uri(it) or not it.startswith(("https:", "http:")) for it in redirect_uris)
    return parse_choice(metadata, "application_type", _APPLICATION_TYPES, "native" if on_device else "web")


def _check_redirect_uris(name: str, uris: tuple[str, ...], application_type: str) -> None:
    if len(uris) > _MAX_REDIRECT_URIS:
        raise OAuthError(ErrorCode.INVALID_REDIRECT_URI, f"{name} must not hold more than {_MAX_REDIRECT_URIS} URIs.")
    for position, uri in enumerate(uris):
        if redirect_uri_rejection_reason(uri, application_type) is not None:
            raise OAuthError(ErrorCode.INVALID_REDIRECT_URI, f"{name}[{position}] {_REDIRECT_URI_RULE}")


def _backchannel_logout_uri(metadata: Mapping[str, Any]) -> str | None:
    """Return where logout tokens are sent to (OpenID Connect Back-Channel Logout section 2.2)."""
    uri = parse_text(metadata, "backchannel_logout_uri")
    if uri is not None and redirect_uri_rejection_reason(uri, "web") is not None:
        raise invalid_metadata("backchannel_logout_uri must be an https URL without fragment, wildcard and user name.")
    return uri


def _grant_types(metadata: Mapping[str, Any]) -> frozenset[str]:
    """Return the grants. They must fit the response types (RFC 7591 section 2.1), and hold the one that is offered."""
    grant_types = parse_strings(metadata, "grant_types") or (GRANT_TYPE,)
    response_types = parse_strings(metadata, "response_types") or RESPONSE_TYPES
    if GRANT_TYPE not in grant_types or RESPONSE_TYPES[0] not in response_types:
        raise invalid_metadata(f"grant_types must hold {GRANT_TYPE}, and response_types must hold {RESPONSE_TYPES[0]}.")
    return frozenset(REGISTRABLE_GRANT_TYPES) & frozenset(grant_types)


def _scope(metadata: Mapping[str, Any]) -> Scope | None:
    value = parse_text(metadata, "scope")
    if value is None:
        return None
    tokens = value.split()
    if not all(is_scope_token(it) for it in tokens) or sum(len(it) + 3 for it in set(tokens)) > MAX_SCOPE_BYTES:
        raise invalid_metadata(
            f"scope must be scope tokens of less than {MAX_SCOPE_BYTES} characters (RFC 6749 section 3.3)."
        )
    return frozenset(tokens)


def _name(metadata: Mapping[str, Any]) -> str | None:
    name = parse_text(metadata, "client_name")
    if name is not None and not (len(name) <= MAX_NAME_CHARACTERS and name.isprintable()):
        raise invalid_metadata(f"client_name must have at most {MAX_NAME_CHARACTERS} printable characters.")
    return name


def _links(metadata: Mapping[str, Any], redirect_uris: tuple[str, ...]) -> Mapping[str, str]:
    """Return the links to web pages on the host of a redirect URI. Others could lead to another party's pages."""
    hosts = {urlsplit(it).netloc for it in redirect_uris if it.startswith("https:")}
    found = {name: _WEB_PAGE.fullmatch(parse_text(metadata, name) or "") for name in LINKS}
    return {name: link[0] for name, link in found.items() if link is not None and link["host"] in hosts}


def _keys(metadata: Mapping[str, Any]) -> tuple[Mapping[str, Any] | None, str | None]:
    """Return the JWK Set, or the address of one: one of them, and not both (RFC 7591 section 2)."""
    jwks, jwks_uri = metadata.get("jwks"), parse_text(metadata, "jwks_uri")
    if (jwks is None) == (jwks_uri is None):
        raise invalid_metadata(f"{PRIVATE_KEY_JWT} needs jwks or jwks_uri, and not both.")
    if jwks_uri is not None:
        if not _WEB_PAGE.fullmatch(jwks_uri) or "#" in jwks_uri:
            raise invalid_metadata("jwks_uri must be an https URL without fragment and user name.")
        return None, jwks_uri
    try:
        parse_client_keys(jwks)
    except ClientKeysError:
        raise invalid_metadata(
            f"jwks must be a JWK Set of 1 to {MAX_KEYS} public keys: RSA of 2048 bits or more, P-256, or Ed25519."
        ) from None
    return jwks, None


def _default_algorithm(algorithms: Sequence[str]) -> str:
    """Return the algorithm of ID tokens of a client that names none (OpenID Connect Registration section 2)."""
    return "RS256" if "RS256" in algorithms else algorithms[0]
