"""Registration rules for clients that authenticate by keys (RFC 7591 section 2, RFC 7523, RFC 8705)."""

import re
from collections.abc import Set
from typing import Final

from jeton.oauth.client_keys import ClientKeysError, parse_client_keys
from jeton.oauth.clients import KEY_METHODS, PRIVATE_KEY_JWT, SELF_SIGNED_TLS, TLS_CLIENT_AUTH, Client
from jeton.rules.loopback import is_loopback

_JWKS_URI: Final = re.compile(r"(?P<scheme>https?)://(?P<host>\[[0-9a-f:.]+\]|[A-Za-z0-9.-]+)(:[0-9]{1,5})?(/[!-~]*)?")
_MAX_URI_CHARACTERS: Final = 2048


def key_rejection_reason(client: Client) -> str | None:
    """Return why the keys and methods of a client contradict each other and what to do, or None if they do not."""
    methods = client.auth_methods & set(KEY_METHODS)
    if methods and len(client.auth_methods) > 1:
        return f"--auth-method {min(methods)} stands alone: a client that has a key needs no other method"
    if PRIVATE_KEY_JWT not in methods and client.assertion_audience != "issuer":
        return f"--assertion-audience legacy is for --auth-method {PRIVATE_KEY_JWT}"
    if TLS_CLIENT_AUTH in methods and [bool(it) for it in (client.tls_subject or {}).values()] != [True]:
        return f"--auth-method {TLS_CLIENT_AUTH} needs one name of the client's certificate, such as --tls-san-dns"
    if TLS_CLIENT_AUTH not in methods and client.tls_subject is not None:
        return f"the name of a certificate is for --auth-method {TLS_CLIENT_AUTH}: leave it out, or --clear tls-subject"
    return _keys_rejection_reason(client, methods & {PRIVATE_KEY_JWT, SELF_SIGNED_TLS})


def _keys_rejection_reason(client: Client, methods: Set[str]) -> str | None:
    """Return what is wrong with the JWK Set of a client. `methods` has its method if that is one with a JWK Set."""
    if not methods:
        if client.jwks is not None or client.jwks_uri is not None:
            methods_with_keys = f"{PRIVATE_KEY_JWT} and {SELF_SIGNED_TLS}"
            return f"--jwks and --jwks-uri are for --auth-method {methods_with_keys}: leave them out, or --clear them"
        return None
    if (client.jwks is None) == (client.jwks_uri is None):
        return f"--auth-method {min(methods)} needs the client's public keys: either --jwks or --jwks-uri"
    if client.jwks_uri is not None:
        return _jwks_uri_rejection_reason(client.jwks_uri)
    try:
        keys = parse_client_keys(client.jwks)
    except ClientKeysError as error:
        return str(error)
    if SELF_SIGNED_TLS in methods and not any(key.certificate for key in keys):
        return "no key of the JWK Set has a certificate: each needs its own in x5c (RFC 8705 2.2)"
    if PRIVATE_KEY_JWT in methods and not any(key.algorithms for key in keys):
        return "no key of the JWK Set verifies signatures: RSA for RS256 or PS256, P-256 for ES256, Ed25519 for EdDSA"
    return None


def _jwks_uri_rejection_reason(uri: str) -> str | None:
    match = _JWKS_URI.fullmatch(uri)
    if match is None or "#" in match[0] or len(match[0]) > _MAX_URI_CHARACTERS:
        return f"{uri} is not a jwks_uri: write an https URL without user name and fragment"
    if match["scheme"] == "http" and not is_loopback(match["host"].strip("[]")):
        return f"{uri} must be https, except on loopback"
    return None
