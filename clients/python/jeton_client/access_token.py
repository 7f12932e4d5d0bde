"""Access tokens: required claims (RFC 9068 sections 2.2 and 4, RFC 8725), and the values that a service reads."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from jeton_client.errors import InsufficientScopeError, InvalidTokenError
from jeton_client.key_set import ALGORITHMS, KeySet
from jeton_client.signed_jwt import UnverifiedJwt, read_jwt, verified_claims
from jeton_client.strict_json import is_number

TYPE: Final = "at+jwt"
MAX_CHARACTERS: Final = 8192
DEFAULT_SKEW_SECONDS: Final = 5.0
_ROOT: Final = re.compile(r"([a-z][a-z0-9+.-]*://[^/?#]+)/?")


@dataclass(frozen=True, slots=True)
class StatusReference:
    """Location of a token's status: the entry `idx` of the list at `uri`."""

    uri: str
    idx: int


@dataclass(frozen=True, slots=True)
class AccessToken:
    """A verified access token. `claims` are all of its claims."""

    subject: str
    client_id: str
    expires_at: float
    scope: frozenset[str] = frozenset()
    roles: tuple[str, ...] = ()
    claims: Mapping[str, Any] = field(default_factory=dict, repr=False)
    status: StatusReference | None = field(default=None, repr=False)

    def require_scope(self, *scope: str) -> None:
        """Raise InsufficientScopeError if one of these scopes is missing."""
        if not self.scope.issuperset(scope):
            raise InsufficientScopeError(" ".join(scope))


@dataclass(frozen=True, slots=True)
class Rules:
    """What a service accepts: issuer, audience, algorithms, clock skew."""

    issuer: str
    audience: str
    algorithms: Collection[str] = frozenset(ALGORITHMS)
    skew_seconds: float = DEFAULT_SKEW_SECONDS

    def __post_init__(self) -> None:
        require_audience(self.audience)

    def read(self, token: str) -> UnverifiedJwt:
        """Parse the token; see `read_jwt`."""
        return read_jwt(token, [TYPE], self.algorithms, MAX_CHARACTERS)

    def judge(self, unverified: UnverifiedJwt, keys: KeySet, now: float) -> AccessToken:
        """Verify and return the token.

        Raise InvalidTokenError with a reason of `verified_claims`, or `iss`, `aud`, `exp`, `nbf` or `claims`.
        """
        claims = verified_claims(unverified, keys)
        if claims.get("iss") != self.issuer:
            raise InvalidTokenError("iss")
        if not is_for(self.audience, claims.get("aud")):
            raise InvalidTokenError("aud")
        check_times(claims, now, self.skew_seconds)
        return access_token_of(claims)


def check_times(claims: Mapping[str, Any], now: float, skew_seconds: float) -> None:
    """Raise InvalidTokenError if it has expired or is not valid yet. Skew is applied to `nbf`, never to `exp`."""
    if not is_number(claims.get("exp")) or now >= claims["exp"]:
        raise InvalidTokenError("exp")
    if "nbf" in claims and (not is_number(claims["nbf"]) or now + skew_seconds < claims["nbf"]):
        raise InvalidTokenError("nbf")


def access_token_of(claims: Mapping[str, Any]) -> AccessToken:
    """Return the token with these claims, whose signature, issuer, audience and times were verified.

    Raise InvalidTokenError(`claims`) if one is missing.
    """
    if not all(is_name(claims.get(name)) for name in ("sub", "client_id", "jti")) or not is_number(claims.get("iat")):
        raise InvalidTokenError("claims")
    scope, roles = scope_and_roles(claims)
    status = _status(claims.get("status"))
    return AccessToken(claims["sub"], claims["client_id"], claims["exp"], scope, roles, claims, status)


def scope_and_roles(claims: Mapping[str, Any]) -> tuple[frozenset[str], tuple[str, ...]]:
    """Return scope and roles (RFC 9068 sections 2.2.3 and 2.2.3.1); missing claims give empty values.

    Raise InvalidTokenError if they are malformed.
    """
    scope, roles = claims.get("scope", ""), claims.get("roles", [])
    if not isinstance(scope, str) or not isinstance(roles, list) or not all(isinstance(role, str) for role in roles):
        raise InvalidTokenError("claims")
    return frozenset(scope.split(" ")) - {""}, tuple(roles)


def require_audience(audience: object) -> None:
    """Raise ValueError if the audience is empty: `None` would match every token without an audience."""
    if not is_name(audience):
        raise ValueError("audience is required: the name of this service, as in the claim `aud`")


def is_for(audience: str, aud: object) -> bool:
    """Return whether an `aud` claim contains the audience.

    Of a URL that is an origin, the form with a slash is the same: clients add or drop it. No other spelling is.
    """
    root = _ROOT.fullmatch(audience)
    spellings = {audience} if root is None else {root[1], f"{root[1]}/"}
    return any(isinstance(it, str) and it in spellings for it in audiences(aud))


def audiences(aud: object) -> list[object]:
    """Return the members of an `aud` claim, which is a string or a list of strings (RFC 7519 section 4.1.3)."""
    return aud if isinstance(aud, list) else [aud]


def is_name(value: object) -> bool:
    return isinstance(value, str) and value != ""


def _status(value: object) -> StatusReference | None:
    """Return the reference (IETF Token Status List section 6.2), or None. Other status mechanisms are ignored."""
    if value is None:
        return None
    reference = value.get("status_list") if isinstance(value, dict) else value
    if reference is None:
        return None
    if not isinstance(reference, dict) or not is_name(reference.get("uri")) or not _is_index(reference.get("idx")):
        raise InvalidTokenError("claims")
    return StatusReference(reference["uri"], reference["idx"])


def _is_index(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
