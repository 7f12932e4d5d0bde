"""Discovery: from an issuer to its server's metadata (RFC 8414)."""

from dataclasses import dataclass
from typing import Any, Final

from jeton_client.addresses import require_secure
from jeton_client.errors import ServerUnavailableError, UntrustedServerError
from jeton_client.messages import Answer, Request

_OAUTH: Final = "/.well-known/oauth-authorization-server"
_OPENID: Final = "/.well-known/openid-configuration"


@dataclass(frozen=True, slots=True)
class ServerMetadata:
    """The members that this package uses; None for an endpoint that the server does not offer."""

    issuer: str
    authorization_endpoint: str | None
    token_endpoint: str | None
    revocation_endpoint: str | None
    introspection_endpoint: str | None
    jwks_uri: str | None
    end_session_endpoint: str | None


def metadata_requests(issuer: str) -> tuple[Request, ...]:
    """Return the requests for the metadata, in the order in which to try them.

    RFC 8414 section 3.1 puts the well-known path between host and path of the issuer. If a proxy forwards only the
    issuer's path to the server, the metadata is below that path. The last location is that of OpenID
    Connect Discovery (RFC 8414 section 5). Raise UntrustedServerError unless the issuer is https or loopback.
    """
    parts = require_secure(issuer)
    if parts.query or "?" in issuer:
        raise UntrustedServerError(f"an issuer has no query: {issuer.partition('?')[0]!r}")
    below = parts.path.rstrip("/")
    paths = dict.fromkeys((_OAUTH + below, below + _OAUTH, below + _OPENID))
    return tuple(Request("GET", parts._replace(path=it).geturl(), {"accept": "application/json"}) for it in paths)


def may_be_elsewhere(answer: Answer | None) -> bool:
    """Return whether the server responded, so that the metadata can be at another location."""
    return answer is not None and answer.status < 500


def judge_metadata(issuer: str, answer: Answer | None) -> ServerMetadata:
    """Return the metadata.

    Raise ServerUnavailableError if there is no usable response, UntrustedServerError if it names another issuer.
    """
    members = None if answer is None or answer.status != 200 else answer.json_object()
    if members is None:
        raise ServerUnavailableError(f"no usable metadata from {issuer}")
    if members.get("issuer") != issuer:  # section 3.3: must be identical
        raise UntrustedServerError(f"the metadata of {issuer} names another issuer")
    return ServerMetadata(
        issuer,
        _endpoint(members, "authorization_endpoint"),
        _endpoint(members, "token_endpoint"),
        _endpoint(members, "revocation_endpoint"),
        _endpoint(members, "introspection_endpoint"),
        _endpoint(members, "jwks_uri"),
        _endpoint(members, "end_session_endpoint"),
    )


def required(endpoint: str | None, name: str) -> str:
    """Return the endpoint. Raise UntrustedServerError if the server does not announce it."""
    if endpoint is None:
        raise UntrustedServerError(f"the server announces no {name}")
    return endpoint


def _endpoint(members: dict[str, Any], name: str) -> str | None:
    url = members.get(name)
    if url is None:
        return None
    if not isinstance(url, str):
        raise UntrustedServerError(f"{name} is not a URL")
    require_secure(url)
    return url
