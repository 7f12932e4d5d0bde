"""Redirects back to the app (RFC 6749 section 4.1.2, RFC 9207, OpenID Connect RP-Initiated Logout)."""

import hmac
import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qsl

from jeton_client.authorization_request import PendingAuthorization
from jeton_client.errors import (
    AccessDeniedError,
    ClientError,
    InteractionRequiredError,
    InvalidCallbackError,
    RefusedError,
    ServerUnavailableError,
)
from jeton_client.token_answers import printable

MAX_PENDING_SECONDS: Final = 3600.0
_URL: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_NAMES: Final = frozenset({"state", "iss", "code", "error", "error_description"})
_INTERACTION: Final = {"login_required", "interaction_required", "consent_required", "account_selection_required"}


def code_in(callback: str, pending: PendingAuthorization, now: float) -> str:
    """Return the code in a redirect: its URL, its query or, with `form_post`, its form. Ignore unknown parameters.

    Raise InvalidCallbackError for `duplicate`, `state`, `iss`, `expired` or `code`, checked in this order; after
    `expired`, raise the error that the server states: AccessDeniedError, InteractionRequiredError,
    ServerUnavailableError or RefusedError.
    """
    parameters = _parameters(callback)
    check_state(parameters, pending.state)
    if parameters.get("iss") != pending.issuer:  # RFC 9207 section 2.4
        raise InvalidCallbackError("iss")
    if now >= pending.begun_at + MAX_PENDING_SECONDS:
        raise InvalidCallbackError("expired")
    code, error = parameters.get("code"), parameters.get("error")
    if error and code is None:
        raise _refusal(printable(error), printable(parameters.get("error_description", "")))
    if not code or error is not None:
        raise InvalidCallbackError("code")
    return code


def check_logout_callback(callback: str, state: str) -> None:
    """Check the redirect after a logout. Raise InvalidCallbackError for `duplicate` or `state`."""
    check_state(_parameters(callback), state)


def check_state(parameters: Mapping[str, str], state: str) -> None:
    """Raise InvalidCallbackError unless the state is that of the request, compared in constant time."""
    if not state or not hmac.compare_digest(parameters.get("state", "").encode(), state.encode()):
        raise InvalidCallbackError("state")


def _parameters(callback: str) -> dict[str, str]:
    """Return the parameters of a response; the redirect URI may have others. Raise InvalidCallbackError."""
    query = callback.partition("?")[2] if _URL.match(callback) else callback.removeprefix("?")
    pairs = [pair for pair in parse_qsl(query.partition("#")[0], keep_blank_values=True) if pair[0] in _NAMES]
    if len(dict(pairs)) < len(pairs):  # RFC 6749 section 3.1
        raise InvalidCallbackError("duplicate")
    return dict(pairs)


def _refusal(error: str, description: str) -> ClientError:
    if error in {"server_error", "temporarily_unavailable"}:
        return ServerUnavailableError(f"{error}: {description}" if description else error)
    if error == "access_denied":
        return AccessDeniedError(error, description)
    return (InteractionRequiredError if error in _INTERACTION else RefusedError)(error, description)
