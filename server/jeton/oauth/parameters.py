"""Request parameters (RFC 6749 section 3.2): each once, none empty."""

from collections.abc import Mapping

from jeton.oauth.errors import ErrorCode, OAuthError


def require(parameters: Mapping[str, str], name: str) -> str:
    """The value of a parameter that the request cannot do without; OAuthError invalid_request."""
    try:
        return parameters[name]
    except KeyError:
        raise OAuthError(ErrorCode.INVALID_REQUEST, f"The parameter {name} is missing.") from None
