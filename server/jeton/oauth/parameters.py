"""Request parameters (RFC 6749 section 3.2): each once, none empty."""

from collections.abc import Mapping

from jeton.oauth.errors import ErrorCode, OAuthError


def require(parameters: Mapping[str, str], name: str) -> str:
    """The value of a parameter that the request cannot do without; OAuthError invalid_request."""
    try:
        return parameters[name]
    except KeyError:
        raise OAuthError(ErrorCode.INVALID_REQUEST, f"The parameter {name} is missing.") from None


def flag(parameters: Mapping[str, str], name: str) -> bool:
    """Whether a parameter says `true`; not sent, it says `false`. OAuthError invalid_request for other words."""
    value = parameters.get(name, "false")
    if value not in ("true", "false"):
        raise OAuthError(ErrorCode.INVALID_REQUEST, f"The parameter {name} must be true or false.")
    return value == "true"
