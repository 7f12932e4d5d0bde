"""Redirect URIs: which may be registered, and which of them a request names (RFC 9700 section 2.1, RFC 8252)."""

import re
from typing import Final
from urllib.parse import parse_qsl

from jeton.oauth.clients import Client
from jeton.oauth.origins import origin_rejection_reason

MAX_CHARACTERS: Final = 2048
# RFC 3986 section 2, without "#".
_CHARACTERS: Final = re.compile(r"([A-Za-z0-9._~:/?\[\]@!$&'()*+,;=-]|%[0-9A-Fa-f]{2})+")
_WEB_URL: Final = re.compile(r"(?P<scheme>https?)://(?P<authority>[^/?]*)(?P<rest>[/?].*)?")
# RFC 8252 section 7.1: a reversed domain name of the app's owner, which therefore has a dot. Brackets are for IPv6
# addresses only (RFC 3986 section 3.2.2): elsewhere, programs fail to parse the URI.
_PRIVATE_SCHEME: Final = re.compile(r"[a-z][a-z0-9-]*(\.[a-z0-9-]+)+:[^\[\]]+")
# RFC 8252 section 7.3, and localhost, which apps use all the same.
_LOOPBACK: Final = re.compile(
    r"http://(?P<host>127\.0\.0\.1|\[::1\]|localhost)(?::(?P<port>[1-9][0-9]{0,4}))?(?P<rest>[/?].*)?"
)

# What the authorization response adds to the query (RFC 6749 sections 4.1.2 and 4.1.2.1, RFC 9207).
_RESPONSE_PARAMETERS: Final = frozenset({"code", "state", "iss", "error", "error_description"})


def redirect_uri_rejection_reason(uri: str, application_type: str) -> str | None:
    """Return why the redirect URI cannot be registered and what to write instead, or None if it can."""
    if "#" in uri:
        return f"{uri} must not have a fragment (#)"
    if len(uri) > MAX_CHARACTERS:
        return f"{uri[:80]}… is longer than {MAX_CHARACTERS} characters"
    if not _CHARACTERS.fullmatch(uri):
        return f"{uri} is not a URI: percent-encode every character that RFC 3986 does not allow"
    if "*" in uri:
        return f"{uri} has a wildcard, and redirect URIs are compared exactly: register each one"
    names = {name for name, _ in parse_qsl(uri.partition("?")[2], keep_blank_values=True)}
    if taken := names & _RESPONSE_PARAMETERS:
        return f"{uri} has the parameter {min(taken)}, which the response adds: the app would receive it twice"
    web = _WEB_URL.fullmatch(uri)
    if web is not None:
        return _web_rejection_reason(uri, web["scheme"], web["authority"])
    if application_type != "native":
        return f"{uri} is not a complete https URL; only native apps may use other schemes (--application-type native)"
    if not _PRIVATE_SCHEME.fullmatch(uri):
        return (
            f"{uri} is neither a complete URL nor of a private scheme: write one that begins with the reversed name of"
            " your domain, such as com.example.app:/callback (RFC 8252 7.1)"
        )
    return None


def is_registered_redirect_uri(uri: str, client: Client) -> bool:
    """Return whether the URI is one of the client's, byte for byte.

    The port of a native app's loopback URI is whichever was free (RFC 8252 section 7.3). The three names of the
    loopback host do not stand for each other.
    """
    if uri in client.redirect_uris:
        return True
    loopback = _loopback_without_port(uri) if client.application_type == "native" else None
    return loopback is not None and loopback in map(_loopback_without_port, client.redirect_uris)


def is_loopback_redirect_uri(uri: str) -> bool:
    """Return whether the answer stays on the user's device (RFC 8252 section 7.3)."""
    return _LOOPBACK.fullmatch(uri) is not None


def comparable_redirect_uri(uri: str, application_type: str) -> str:
    """Return the part of a redirect URI that is compared: without the port, if it is a native app's loopback URI."""
    loopback = _loopback_without_port(uri) if application_type == "native" else None
    return uri if loopback is None else "http://" + "".join(it or "" for it in loopback)


def _web_rejection_reason(uri: str, scheme: str, authority: str) -> str | None:
    if "@" in authority:
        return f"{uri} must not hold a user name or password"
    if scheme == "http" and _LOOPBACK.fullmatch(uri) is None:
        return f"{uri} must be https, except on 127.0.0.1, [::1] and localhost"
    reason = origin_rejection_reason(f"{scheme}://{authority}")
    return None if reason is None else f"{uri} cannot be a redirect URI: {reason}"


def _loopback_without_port(uri: str) -> tuple[str, str | None] | None:
    """Return host, and path with query, of a loopback URI; None if it is none."""
    match = _LOOPBACK.fullmatch(uri)
    if match is None or int(match["port"] or 1) > 65535:
        return None
    return match["host"], match["rest"]
