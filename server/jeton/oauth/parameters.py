"""Request parameters (RFC 6749 section 3.2)."""

from collections.abc import Mapping

from jeton.oauth.errors import ErrorCode, OAuthError


def require(parameters: Mapping[str, str], name: str) -> str:
    """Return the value of a required parameter. Raise OAuthError (invalid_request) if it is missing."""
    try:
        return parameters[name]
    except KeyError:
        raise OAuthError(ErrorCode.INVALID_REQUEST, f"The parameter {name} is missing.") from None


def flag(parameters: Mapping[str, str], name: str) -> bool:
    """Return the value of a boolean parameter, by default False. Raise OAuthError (invalid_request) for others."""
    value = parameters.get(name, "false")
    if value not in ("true", "false"):
        raise OAuthError(ErrorCode.INVALID_REQUEST, f"The parameter {name} must be true or false.")
    return value == "true"
