"""Client assertions: which are valid (RFC 7523 section 3, draft-ietf-oauth-rfc7523bis section 4)."""

from collections.abc import Mapping
from typing import Any, Final

from jeton.frozen import Frozen
from jeton.oauth.client_keys import ASSERTION_ALGORITHMS
from jeton.oauth.clients import Client

ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
# How far ahead `exp` may be: a replay is remembered for as long.
MAX_ASSERTION_SECONDS: Final = 600
_CLOCK_SKEW_SECONDS: Final = 10
# Without a type, with the general one, or with its own. A token that was made for another purpose has that one's type.
_TYPES: Final = (None, "jwt", "client-authentication+jwt")


class AssertionAudiences(Frozen):
    """What an assertion may be addressed to: this issuer and, for clients of the `legacy` kind, the token endpoint."""

    issuer: str
    token_endpoint: str

    def are_named_by(self, audience: object, client: Client) -> bool:
        """Return whether an `aud` names this server alone: as a string, or in an array.

        An assertion for several audiences could be passed on by one of them.
        """
        names = audience if isinstance(audience, list) else [audience]
        if client.assertion_audience == "legacy":
            return bool(names) and all(it in (self.issuer, self.token_endpoint) for it in names)
        return names == [self.issuer]


def claimed_client_id(claims: Mapping[str, Any]) -> str:
    """Return the client that an assertion claims to come from; empty if it names none."""
    sub = claims.get("sub")
    return sub if isinstance(sub, str) else ""


def assertion_rejection_reason(
    header: Mapping[str, Any], claims: Mapping[str, Any], client: Client, audiences: AssertionAudiences, now: int
) -> str | None:
    """Return why an assertion is not valid for the client, apart from its signature, or None if it is.

    `now` is in seconds since the epoch. Of the header, only `alg`, `kid` and `typ` are used: a key, or where to find
    one, is never taken from it.
    """
    typ = header.get("typ")
    if header.get("alg") not in ASSERTION_ALGORITHMS or "crit" in header or not isinstance(header.get("kid", ""), str):
        return "assertion_header_not_accepted"
    if (typ.lower().removeprefix("application/") if isinstance(typ, str) else typ) not in _TYPES:
        return "assertion_type_not_accepted"
    if claims.get("iss") != client.client_id or claims.get("sub") != client.client_id:
        return "assertion_of_another_client"
    if not audiences.are_named_by(claims.get("aud"), client):
        return "assertion_for_another_audience"
    if not isinstance(claims.get("jti"), str) or not claims["jti"]:
        return "assertion_without_jti"
    return _time_rejection_reason(claims, now)


def _time_rejection_reason(claims: Mapping[str, Any], now: int) -> str | None:
    if not all(_is_time(claims[it]) for it in ("exp", "nbf", "iat") if it in claims) or "exp" not in claims:
        return "assertion_time_missing_or_malformed"
    if now >= claims["exp"]:
        return "assertion_expired"
    if claims["exp"] > now + MAX_ASSERTION_SECONDS:
        return "assertion_valid_for_too_long"
    if max(claims.get("nbf", now), claims.get("iat", now)) > now + _CLOCK_SKEW_SECONDS:
        return "assertion_from_the_future"
    return None


def _is_time(value: object) -> bool:
    """Return whether it is a NumericDate (RFC 7519 section 2) of which a float holds each second."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 2**53
