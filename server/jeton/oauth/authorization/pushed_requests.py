"""Pushed authorization requests (RFC 9126): the reference, and what it stands for."""

from collections.abc import Mapping, Sequence
from typing import Final

from jeton.frozen import Frozen, Hidden
from jeton.oauth.authorization.authorization_errors import AuthorizationRefusedError, AuthorizationRequestError
from jeton.oauth.errors import OAuthError, malformed_request

REQUEST_URI_PREFIX: Final = "urn:ietf:params:oauth:request_uri:"
# Until the browser arrives with the reference. From then on the request has the time of any other.
PUSHED_SECONDS: Final = 60

# They prove who pushes, and are no part of the request.
_CREDENTIALS: Final = frozenset({"client_secret", "client_assertion", "client_assertion_type"})
_SENTENCES: Final = {
    "redirect_uri_not_registered": "The parameter redirect_uri is not one that is registered for this client.",
    "redirect_uri_missing": "The parameter redirect_uri is missing.",
    "response_mode_unsupported": "The parameter response_mode is not supported.",
}


class PushedRequest(Frozen):
    """A request that a client pushed, in the form in which it came: it is validated again when it is used.

    `pushed_id` is random, and is used once: when the client is answered.
    """

    expires_at: int
    client_id: str
    pushed_id: str
    parameters: Hidden[Mapping[str, str]]
    lists: Hidden[Mapping[str, Sequence[str]]]


def request_parameters(sent: Mapping[str, str], client_id: str, jkt: str | None = None) -> dict[str, str]:
    """Return the parameters of the authorization request that a client pushed, with a DPoP proof by the key `jkt`.

    The proof stands for the parameter `dpop_jkt` (RFC 9449 section 10.1). Raise OAuthError if they differ, or if the
    parameters refer to yet another request (section 2.1).
    """
    if "request_uri" in sent:
        raise malformed_request("The parameter request_uri is not for a pushed request.")
    if jkt is not None and sent.get("dpop_jkt", jkt) != jkt:
        raise malformed_request("The parameter dpop_jkt is not the thumbprint of the key of the DPoP proof.")
    added = {"client_id": client_id} | ({} if jkt is None else {"dpop_jkt": jkt})
    return {name: value for name, value in sent.items() if name not in _CREDENTIALS} | added


def pushed_request_error(error: AuthorizationRequestError | AuthorizationRefusedError) -> OAuthError:
    """Return the refusal of a pushed request, which is never sent by redirect (section 2.3)."""
    if isinstance(error, AuthorizationRequestError):
        return malformed_request(_SENTENCES.get(error.reason, "The authorization request is malformed."))
    return OAuthError(error.response.error, error.reason, description=error.response.description)
