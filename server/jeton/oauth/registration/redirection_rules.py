"""Registration rules for clients that send users to the authorization endpoint (RFC 8252, RFC 10017, RFC 9700)."""

from typing import Final

from jeton.oauth.authorization.authorization_request import GRANT_TYPE
from jeton.oauth.authorization.redirect_uris import redirect_uri_rejection_reason
from jeton.oauth.clients import KEY_METHODS, Client
from jeton.oauth.registration.metadata_document_urls import is_document_url

_MAX_REDIRECT_URIS: Final = 100
MAX_NAME_CHARACTERS: Final = 100


def redirection_rejection_reason(client: Client) -> str | None:
    """Return why this registration is contradictory or unsafe and what to do, or None if it is neither."""
    if client.name is not None and not (0 < len(client.name) <= MAX_NAME_CHARACTERS and client.name.isprintable()):
        return f"a name has 1 to {MAX_NAME_CHARACTERS} printable characters"
    if max(len(client.redirect_uris), len(client.post_logout_redirect_uris)) > _MAX_REDIRECT_URIS:
        return f"a client has at most {_MAX_REDIRECT_URIS} redirect URIs of a kind"
    for uri in sorted(client.redirect_uris | client.post_logout_redirect_uris):
        if reason := redirect_uri_rejection_reason(uri, client.application_type):
            return reason
    if GRANT_TYPE in client.grant_types and not client.redirect_uris and not is_document_url(client.client_id):
        return f"the grant {GRANT_TYPE} needs at least one --redirect-uri, to which users are sent back"
    if client.application_type == "spa" and not client.public:
        return "a single-page app cannot keep a secret: register it with --public"
    return _pkce_rejection_reason(client) or _logout_rejection_reason(client)


def registration_warning(client: Client) -> str | None:
    """Return what an administrator should know about a registration that is allowed, or None."""
    warnings = []
    if client.redirect_uris and GRANT_TYPE not in client.grant_types:
        warnings.append(f"The redirect URIs have no effect without --grant {GRANT_TYPE}.")
    if not client.require_pkce:
        warnings.append(
            "PKCE is not required: a stolen code is noticed only if the client checks the nonce (RFC 9700 2.1.1)."
        )
    if client.application_type == "native" and not client.public:
        warnings.append("A secret that is shipped in a native app proves nothing: prefer --public (RFC 8252 8.5).")
    if client.assertion_audience == "legacy":
        warnings.append(
            "Its assertions may name the token endpoint: another server that pretends to be this one could use them"
            " (RFC 7523bis). Set --assertion-audience issuer as soon as the client can."
        )
    if not client.public and client.secret_digest is None and not client.auth_methods & set(KEY_METHODS):
        warnings.append("It has no secret, and cannot authenticate: `jeton client rotate-secret` makes one.")
    idle, absolute = (client.lifetimes.get(it) for it in ("refresh_idle_seconds", "refresh_absolute_seconds"))
    if idle is not None and absolute is not None and idle > absolute:
        warnings.append(
            "Sessions end after --refresh-absolute-seconds: the longer --refresh-idle-seconds has no effect."
        )
    return " ".join(warnings) or None


def _pkce_rejection_reason(client: Client) -> str | None:
    may_go_without = not client.public and client.application_type == "web" and "openid" in client.scope
    if client.require_pkce or may_go_without:
        return None
    return (
        "--no-require-pkce is for confidential web clients with the scope openid, which check a nonce (RFC 9700 2.1.1)"
    )


def _logout_rejection_reason(client: Client) -> str | None:
    uri = client.backchannel_logout_uri
    if uri is None:
        return (
            "--backchannel-logout-session-required needs --backchannel-logout-uri"
            if client.backchannel_logout_session_required
            else None
        )
    return redirect_uri_rejection_reason(uri, "web")
