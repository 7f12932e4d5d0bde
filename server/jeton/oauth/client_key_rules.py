"""Registration rules for clients that authenticate by keys (RFC 7591 section 2, RFC 7523)."""

import re
from typing import Final

from jeton.oauth.client_keys import ClientKeysError, parse_client_keys
from jeton.oauth.clients import KEY_METHODS, PRIVATE_KEY_JWT, Client
from jeton.rules.loopback import is_loopback

_JWKS_URI: Final = re.compile(r"(?P<scheme>https?)://(?P<host>\[[0-9a-f:.]+\]|[A-Za-z0-9.-]+)(:[0-9]{1,5})?(/[!-~]*)?")
_MAX_URI_CHARACTERS: Final = 2048


def key_rejection_reason(client: Client) -> str | None:
    """Return why the keys and methods of a client contradict each other and what to do, or None if they do not."""
    methods = client.auth_methods & set(KEY_METHODS)
    if methods and len(client.auth_methods) > 1:
        return f"--auth-method {min(methods)} stands alone: a client that has a key needs no other method"
    if PRIVATE_KEY_JWT not in methods:
        if client.jwks is not None or client.jwks_uri is not None:
            return f"--jwks and --jwks-uri are for --auth-method {PRIVATE_KEY_JWT}: remove them with --clear"
        if client.assertion_audience != "issuer":
            return f"--assertion-audience legacy is for --auth-method {PRIVATE_KEY_JWT}"
        return None
    if (client.jwks is None) == (client.jwks_uri is None):
        return f"--auth-method {PRIVATE_KEY_JWT} needs the client's public keys: either --jwks or --jwks-uri"
    return _jwks_uri_rejection_reason(client.jwks_uri) if client.jwks is None else _jwks_rejection_reason(client.jwks)


def _jwks_rejection_reason(jwks: object) -> str | None:
    try:
        keys = parse_client_keys(jwks)
    except ClientKeysError as error:
        return str(error)
    if not any(key.algorithms for key in keys):
        return "no key of the JWK Set verifies signatures: RSA for RS256 or PS256, P-256 for ES256, Ed25519 for EdDSA"
    return None


def _jwks_uri_rejection_reason(uri: str | None) -> str | None:
    match = _JWKS_URI.fullmatch(uri or "")
    if match is None or "#" in match[0] or len(match[0]) > _MAX_URI_CHARACTERS:
        return f"{uri} is not a jwks_uri: write an https URL without user name and fragment"
    if match["scheme"] == "http" and not is_loopback(match["host"].strip("[]")):
        return f"{uri} must be https, except on loopback"
    return None
