"""Parameters that OpenID Connect adds to an authorization request (Core section 3.1.2.1).

`display`, `claims_locales` and `acr_values` are wishes that may be ignored, and `claims` is not offered.
"""

import re
from collections.abc import Mapping
from typing import Final

from jeton.oauth.errors import ErrorCode, OAuthError

PROMPTS: Final = ("none", "login", "consent", "select_account")
MAX_NONCE_CHARACTERS: Final = 1024

_MAX_LOGIN_HINT_CHARACTERS: Final = 320
_MAX_LOCALES: Final = 10
_SECONDS: Final = re.compile(r"[0-9]{1,10}")
_LANGUAGE_TAG: Final = re.compile(r"[A-Za-z]{1,8}(-[A-Za-z0-9]{1,8})*")


def parse_prompt(parameters: Mapping[str, str]) -> frozenset[str]:
    """Return the values of `prompt`. Raise OAuthError (invalid_request) for an unknown or contradictory one."""
    prompt = frozenset(parameters.get("prompt", "").split())
    if not prompt <= set(PROMPTS):
        raise OAuthError(ErrorCode.INVALID_REQUEST, "The parameter prompt has an unknown value.")
    if "none" in prompt and len(prompt) > 1:
        raise OAuthError(ErrorCode.INVALID_REQUEST, "The parameter prompt must not combine none with other values.")
    return prompt


def parse_max_age(parameters: Mapping[str, str]) -> int | None:
    """Return `max_age` in seconds, or None. Raise OAuthError (invalid_request) for what is no number."""
    value = parameters.get("max_age")
    if value is None:
        return None
    if not _SECONDS.fullmatch(value):
        raise OAuthError(ErrorCode.INVALID_REQUEST, "The parameter max_age must be a number of seconds.")
    return int(value)


def parse_nonce(parameters: Mapping[str, str]) -> str | None:
    """Return `nonce`, or None. It is not compared with earlier ones: a client may repeat its request."""
    nonce = parameters.get("nonce")
    if nonce is not None and len(nonce) > MAX_NONCE_CHARACTERS:
        raise OAuthError(
            ErrorCode.INVALID_REQUEST, f"The parameter nonce must have at most {MAX_NONCE_CHARACTERS} characters."
        )
    return nonce


def parse_login_hint(parameters: Mapping[str, str]) -> str | None:
    """Return `login_hint`, or None. One that can be no name or address is ignored: a hint is never an error."""
    hint = parameters.get("login_hint", "").strip()
    return hint if hint and len(hint) <= _MAX_LOGIN_HINT_CHARACTERS and hint.isprintable() else None


def parse_ui_locales(parameters: Mapping[str, str]) -> tuple[str, ...]:
    """Return language tags (RFC 5646), the preferred one first. Others are ignored."""
    tags = parameters.get("ui_locales", "").split()
    return tuple(it for it in tags if _LANGUAGE_TAG.fullmatch(it))[:_MAX_LOCALES]
