"""Client identifiers that are URLs of metadata documents (draft-ietf-oauth-client-id-metadata-document-02 section 3).

They are compared as plain strings and never normalized, so each has one spelling: the one that browsers would show.
"""

import re
from typing import Final
from urllib.parse import urlsplit

from jeton.oauth.origins import origin_rejection_reason
from jeton.rules.loopback import is_loopback

MAX_CHARACTERS: Final = 512
# RFC 3986 section 2, without "#". There is no "@" in the authority, because that would be user information.
_URL: Final = re.compile(
    r"(?P<origin>(?P<scheme>https?)://[^/?@]+)"
    r"(?P<path>/(?:[A-Za-z0-9._~:/@!$&'()*+,;=-]|%[0-9A-Fa-f]{2})*)"
    r"(\?(?:[A-Za-z0-9._~:/?@!$&'()*+,;=-]|%[0-9A-Fa-f]{2})*)?"
)
_DOT_SEGMENTS: Final = frozenset({".", ".."})


def is_document_url(client_id: str, *, loopback: bool = False) -> bool:
    """Return whether the client identifier is the URL of a metadata document.

    With `loopback`, which is for development, plain http on a loopback host is allowed too.
    """
    match = _URL.fullmatch(client_id) if len(client_id) <= MAX_CHARACTERS else None
    if match is None or origin_rejection_reason(match["origin"]) is not None:
        return False
    if _DOT_SEGMENTS & {segment.lower().replace("%2e", ".") for segment in match["path"].split("/")}:
        return False
    return match["scheme"] == "https" or (loopback and is_loopback(host_name(client_id)))


def authority_of(client_id: str) -> str:
    """Return the authority of the URL (RFC 3986 section 3.2): the host with its port, which stands for the client."""
    return urlsplit(client_id).netloc


def host_name(client_id: str) -> str:
    """Return the host of the URL without its port and without the brackets of an IPv6 address."""
    return urlsplit(client_id).hostname or ""
