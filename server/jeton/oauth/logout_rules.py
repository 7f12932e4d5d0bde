"""Logout at the request of a client (OpenID Connect RP-Initiated Logout 1.0)."""

from collections.abc import Mapping
from enum import Enum, auto
from typing import Any

from jeton.frozen import Frozen, Hidden
from jeton.oauth.clients import Client
from jeton.oauth.openid_parameters import parse_ui_locales


class LogoutRequest(Frozen):
    """A request that was found to be valid.

    `redirect_uri` is registered for the client, and None if the user stays here afterwards. `has_hint` says that an ID
    token of the client came with the request; `hint_sid` is the browser session that it names.
    """

    client_id: str | None = None
    redirect_uri: str | None = None
    state: Hidden[str | None] = None
    ui_locales: tuple[str, ...] = ()
    has_hint: bool = False
    hint_sid: str | None = None


class LogoutRequestError(Exception):
    """The request is refused, and shown as a page, because it is not known who sent it. `reason` is for the log."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class LogoutStep(Enum):
    """What follows from a request: end the session, ask the user first, or no user is signed in."""

    END_SESSION = auto()
    ASK_USER = auto()
    NOT_SIGNED_IN = auto()


def named_client_id(parameters: Mapping[str, str], hint: Mapping[str, Any] | None) -> str | None:
    """Return the client that the request names. `hint` has the claims of a verified `id_token_hint`, else None.

    Raise LogoutRequestError if the hint was issued to another client than `client_id`.
    """
    client_id = parameters.get("client_id")
    if hint is None:
        return client_id
    if client_id is not None and client_id != hint["aud"]:
        raise LogoutRequestError("id_token_hint_of_other_client")
    return str(hint["aud"])


def parse_logout_request(
    parameters: Mapping[str, str], client: Client | None, hint: Mapping[str, Any] | None
) -> LogoutRequest:
    """Return the request of this client, None if it names none. `logout_hint` is ignored.

    Raise LogoutRequestError if the user cannot be sent to `post_logout_redirect_uri`.
    """
    redirect_uri = parameters.get("post_logout_redirect_uri")
    check_redirect_uri(redirect_uri, client)
    return LogoutRequest(
        None if client is None else client.client_id,
        redirect_uri,
        parameters.get("state"),
        parse_ui_locales(parameters),
        hint is not None,
        None if hint is None else hint.get("sid"),
    )


def check_redirect_uri(redirect_uri: str | None, client: Client | None) -> None:
    """Raise LogoutRequestError unless the URI is one of the client's, byte for byte, or None."""
    if redirect_uri is not None and (client is None or redirect_uri not in client.post_logout_redirect_uris):
        raise LogoutRequestError("post_logout_redirect_uri_not_registered")


def decide_logout(request: LogoutRequest, session_sid: str | None) -> LogoutStep:
    """Decide what to do; `session_sid` names the browser session of the request for the client, None if there is none.

    Without an ID token of this session, another site may have sent the user here: the user is asked.
    """
    if session_sid is None:
        return LogoutStep.NOT_SIGNED_IN
    return LogoutStep.END_SESSION if request.hint_sid == session_sid else LogoutStep.ASK_USER


def without_redirect(request: LogoutRequest) -> LogoutRequest:
    """Return the request without a way back to the client."""
    return LogoutRequest(ui_locales=request.ui_locales)
