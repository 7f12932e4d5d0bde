"""The authorization request (RFC 6749 section 4.1.1, OpenID Connect Core section 3.1.2.1)."""

from collections.abc import Mapping, Sequence
from typing import Final

from jeton.frozen import Frozen, Hidden, field
from jeton.oauth.authorization.authorization_errors import (
    AuthorizationErrorResponse,
    AuthorizationRefusedError,
    AuthorizationRequestError,
)
from jeton.oauth.authorization.pkce import may_omit_challenge, parse_code_challenge
from jeton.oauth.authorization.redirect_uris import is_registered_redirect_uri
from jeton.oauth.clients import Client
from jeton.oauth.consents import NO_RESOURCE, Access
from jeton.oauth.dpop_rules import parse_dpop_jkt
from jeton.oauth.errors import ErrorCode, OAuthError
from jeton.oauth.openid_parameters import (
    parse_login_hint,
    parse_max_age,
    parse_nonce,
    parse_prompt,
    parse_ui_locales,
)
from jeton.oauth.parameters import require
from jeton.oauth.registration_ceiling import scope_without_resource
from jeton.oauth.resources import (
    OPENID_SCOPES,
    Resource,
    applicable_scope,
    resources_if_omitted,
    select_resources,
    uris_of,
)
from jeton.oauth.scope import Scope, parse_scope

GRANT_TYPE: Final = "authorization_code"
RESPONSE_TYPES: Final = ("code",)
RESPONSE_MODES: Final = ("query", "form_post")

_NOT_GIVEN_TO_CLIENT: Final = "This client may not use the authorization code grant."
# Not to be ignored: with them a request means something else (OpenID Connect Core section 6, RFC 9101 section 10.5).
_UNSUPPORTED: Final = {
    "request": ErrorCode.REQUEST_NOT_SUPPORTED,
    "request_uri": ErrorCode.REQUEST_URI_NOT_SUPPORTED,
    "registration": ErrorCode.REGISTRATION_NOT_SUPPORTED,
}


class ResponseTarget(Frozen):
    """Where the answer to an authorization request goes, and how: known to be right.

    `redirect_uri_sent` is False if the request left the redirect URI to the only registered one. `pushed_id` identifies
    a pushed request (RFC 9126), which is answered once; None for any other.
    """

    redirect_uri: str
    redirect_uri_sent: bool
    state: Hidden[str | None]
    response_mode: str
    pushed_id: str | None = None


class AuthorizationRequest(Frozen):
    """A request that was found to be valid.

    `redirect_uri` is where the answer goes; `redirect_uri_sent` is False if the request left it to the only registered
    one. `response_mode` is "query" or "form_post". `scope` is what may be granted, `resources` the registered spelling
    of the `resource` values. `code_challenge` is an S256 challenge (RFC 7636), or None if the client may go without.
    `max_age` is in seconds. `id_token_hint_sub` is the subject of the `id_token_hint`, empty if that is no ID token of
    this server for the client. `resource_scopes` is the part of the scope that counts at a resource, by URI; at a
    resource that is not in it, all of the scope does. `pushed_id` is that of ResponseTarget. `dpop_jkt` is the
    thumbprint of the key that the code is bound to (RFC 9449 section 10).
    """

    client_id: str
    redirect_uri: str
    redirect_uri_sent: bool
    state: Hidden[str | None]
    response_mode: str
    scope: Scope
    resources: tuple[str, ...]
    code_challenge: str | None
    nonce: Hidden[str | None]
    prompt: frozenset[str]
    max_age: int | None
    login_hint: str | None
    ui_locales: tuple[str, ...]
    id_token_hint_sub: str | None
    resource_scopes: Mapping[str, Scope] = field(default_factory=dict)
    pushed_id: str | None = None
    dpop_jkt: str | None = None

    def access(self, scope: Scope) -> Access:
        """Return this part of the requested scope by the resources where it counts."""
        if not self.resources:
            return {NO_RESOURCE: scope}
        own, api_scope = scope & OPENID_SCOPES, scope - OPENID_SCOPES
        at_resources = {uri: self.resource_scopes.get(uri, scope) & api_scope for uri in self.resources}
        return {NO_RESOURCE: own, **at_resources} if own else at_resources


def error_response(
    target: ResponseTarget | AuthorizationRequest, error: ErrorCode, description: str
) -> AuthorizationErrorResponse:
    """Return the error response to a request whose client and redirect URI are right."""
    return AuthorizationErrorResponse(
        target.redirect_uri, target.state, target.response_mode, error, description, target.pushed_id
    )


def parse_client_and_redirect_uri(
    parameters: Mapping[str, str], client: Client | None, pushed_id: str | None = None
) -> ResponseTarget:
    """Return where the answer goes. `client` is the one of `client_id`, or None if there is none.

    Raise AuthorizationRequestError for everything that must not be answered by a redirect, `response_mode` included
    (OpenID Connect Core section 3.1.2.6).
    """
    if "client_id" not in parameters:
        raise AuthorizationRequestError(ErrorCode.INVALID_REQUEST, "client_id_missing")
    if client is None:
        raise AuthorizationRequestError(ErrorCode.INVALID_CLIENT, "client_unknown")
    if client.disabled:
        raise AuthorizationRequestError(ErrorCode.INVALID_CLIENT, "client_disabled", client.client_id)
    sent = parameters.get("redirect_uri")
    if sent is None:
        redirect_uri = _only_redirect_uri(client, parameters.get("scope", ""))
    elif is_registered_redirect_uri(sent, client):
        redirect_uri = sent
    else:
        raise AuthorizationRequestError(ErrorCode.INVALID_REQUEST, "redirect_uri_not_registered", client.client_id)
    response_mode = parameters.get("response_mode", "query")
    if response_mode not in RESPONSE_MODES:
        raise AuthorizationRequestError(ErrorCode.INVALID_REQUEST, "response_mode_unsupported", client.client_id)
    return ResponseTarget(redirect_uri, sent is not None, parameters.get("state"), response_mode, pushed_id)


def parse_authorization_request(
    parameters: Mapping[str, str],
    lists: Mapping[str, Sequence[str]],
    client: Client,
    target: ResponseTarget,
    resources: Sequence[Resource],
    id_token_hint_sub: str | None = None,
) -> AuthorizationRequest:
    """Return the request. `resources` are those that the client may use, as they are registered now.

    Raise AuthorizationRefusedError if it is not valid or exceeds what the client may request.
    """
    try:
        return _parse(parameters, lists, client, target, resources, id_token_hint_sub)
    except OAuthError as error:
        raise AuthorizationRefusedError(error_response(target, error.code, error.description), error.reason) from None


def _parse(
    parameters: Mapping[str, str],
    lists: Mapping[str, Sequence[str]],
    client: Client,
    target: ResponseTarget,
    resources: Sequence[Resource],
    id_token_hint_sub: str | None,
) -> AuthorizationRequest:
    for name, code in _UNSUPPORTED.items():
        if name in parameters:
            raise OAuthError(code, f"{name}_sent")
    if require(parameters, "response_type") not in RESPONSE_TYPES:
        raise OAuthError(ErrorCode.UNSUPPORTED_RESPONSE_TYPE, "response_type_unsupported")
    if GRANT_TYPE not in client.grant_types:
        raise OAuthError(
            ErrorCode.UNAUTHORIZED_CLIENT, "grant_type_not_given_to_client", description=_NOT_GIVEN_TO_CLIENT
        )
    requested = parse_scope(parameters["scope"]) if "scope" in parameters else None
    prompt = parse_prompt(parameters)
    permitted = _permitted_scope(requested, client, prompt)
    code_challenge = parse_code_challenge(parameters, required=not may_omit_challenge(client, permitted))
    asked = lists.get("resource", ())
    chosen = select_resources(asked, resources) if asked else resources_if_omitted(client, resources)
    scope = applicable_scope(permitted, chosen) if chosen else scope_without_resource(client, permitted)
    if (requested or permitted) and not scope:
        raise OAuthError(ErrorCode.INVALID_SCOPE, "scope_exceeds_client")
    return AuthorizationRequest(
        client_id=client.client_id,
        redirect_uri=target.redirect_uri,
        redirect_uri_sent=target.redirect_uri_sent,
        state=target.state,
        response_mode=target.response_mode,
        scope=scope,
        resources=uris_of(chosen),
        code_challenge=code_challenge,
        nonce=parse_nonce(parameters),
        prompt=prompt,
        max_age=parse_max_age(parameters),
        login_hint=parse_login_hint(parameters),
        ui_locales=parse_ui_locales(parameters),
        id_token_hint_sub=id_token_hint_sub,
        resource_scopes={it.uri: it.scope & scope for it in chosen if it.scope},
        pushed_id=target.pushed_id,
        dpop_jkt=parse_dpop_jkt(parameters),
    )


def _only_redirect_uri(client: Client, scope: str) -> str:
    """Return the redirect URI of a request without one (OAuth 2.1 section 4.1.1, OpenID Connect Core 3.1.2.1)."""
    if len(client.redirect_uris) != 1 or "openid" in scope.split(" "):
        raise AuthorizationRequestError(ErrorCode.INVALID_REQUEST, "redirect_uri_missing", client.client_id)
    return next(iter(client.redirect_uris))


def _permitted_scope(requested: Scope | None, client: Client, prompt: frozenset[str]) -> Scope:
    """Return the scope that may be granted: unknown values are ignored (OpenID Connect Core section 3.1.2.1).

    `offline_access` takes a consent page that was asked for, unless an administrator has waived that for the client
    (section 11).
    """
    scope = client.scope_if_omitted & client.scope if requested is None else requested & client.scope
    if not ("consent" in prompt or client.first_party or client.refresh_token == "always"):
        scope -= {"offline_access"}
    return scope
