"""Strict form parsing (RFC 6749 sections 3.2 and 4, appendix B): refused rather than guessed."""

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qsl

from jeton.oauth.errors import ErrorCode, OAuthError

MOST_BYTES: Final = 32 * 1024
_MOST_PARAMETERS: Final = 32
_MEDIA_TYPE: Final = "application/x-www-form-urlencoded"
_BAD_ESCAPE: Final = re.compile(rb"%(?![0-9A-Fa-f]{2})")


def check_media_type(content_type: str | None) -> None:
    """application/x-www-form-urlencoded, and UTF-8 where a charset is named."""
    media_type, *attributes = (part.strip().lower() for part in (content_type or "").split(";"))
    if media_type != _MEDIA_TYPE or any(it not in ("", "charset=utf-8", 'charset="utf-8"') for it in attributes):
        raise _malformed(f"The body must be {_MEDIA_TYPE} in UTF-8.")


def parse_form(body: bytes) -> Mapping[str, str]:
    """The parameters, each once; an empty value counts as not sent."""
    if b"\0" in body or b"%00" in body:
        raise _malformed("A parameter holds a NUL character.")
    if _BAD_ESCAPE.search(body):
        raise _malformed("The body has a % that is not followed by two hexadecimal digits.")
    try:
        pairs = parse_qsl(
            body.decode("ascii"),
            keep_blank_values=True,
            max_num_fields=_MOST_PARAMETERS,
            errors="strict",
        )
    except ValueError:
        raise _malformed("The body is not a well-formed form in UTF-8, or has too many parameters.") from None
    parameters = dict(pairs)
    if len(parameters) != len(pairs):
        raise _malformed("A parameter is sent more than once.")
    return {name: value for name, value in parameters.items() if value}


def _malformed(sentence: str) -> OAuthError:
    return OAuthError(ErrorCode.INVALID_REQUEST, sentence)
