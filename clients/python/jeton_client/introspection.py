"""Interpretation of introspection responses (RFC 7662 section 2.2)."""

from collections.abc import Mapping
from typing import Any, Final

from jeton_client.access_token import AccessToken, check_times, is_for, is_name, scope_and_roles
from jeton_client.errors import InvalidTokenError, VerificationUnavailableError
from jeton_client.messages import Answer
from jeton_client.strict_json import is_number
from jeton_client.token_answers import refusal_of, retry_after

ACCESS_TOKEN_TYPES: Final = frozenset({"bearer", "dpop"})


def judge_introspection_answer(
    answer: Answer | None, issuer: str, audience: str, now: float, skew_seconds: float
) -> AccessToken:
    """Return the token.

    Raise InvalidTokenError if it is not active for this service, VerificationUnavailableError if the response is not
    usable. `token_type` and `aud` are optional in RFC 7662 but required here: only they distinguish an access token for
    this service from a refresh token, or from a token for another service. Issuer and times are optional, but must be
    correct if present. The subject is `sub`, or the `client_id` of a client that acts for itself.
    """
    if answer is None or answer.status >= 500:
        raise VerificationUnavailableError("no answer to the introspection", (answer and retry_after(answer)) or 1.0)
    if answer.status != 200:
        error = refusal_of(answer).error
        raise VerificationUnavailableError(f"the introspection was refused: {error}", retry_after(answer) or 1.0)
    members = answer.json_object()
    if members is None or not isinstance(members.get("active"), bool):
        raise VerificationUnavailableError("the introspection response is not an introspection result")
    if not members["active"]:
        raise InvalidTokenError("inactive")
    return _judged(members, issuer, audience, now, skew_seconds)


def _judged(members: Mapping[str, Any], issuer: str, audience: str, now: float, skew_seconds: float) -> AccessToken:
    if str(members.get("token_type")).lower() not in ACCESS_TOKEN_TYPES:
        raise InvalidTokenError("token_type")
    if members.get("iss", issuer) != issuer:
        raise InvalidTokenError("iss")
    if not is_for(audience, members.get("aud")):
        raise InvalidTokenError("aud")
    expires_at = members.get("exp", float("inf"))
    if "exp" in members and not is_number(expires_at):
        raise InvalidTokenError("exp")
    check_times({"exp": now + 1, **members}, now, skew_seconds)
    client_id = members.get("client_id", "")
    subject = members.get("sub") or client_id
    if not is_name(subject) or not isinstance(client_id, str) or not is_number(members.get("iat", now)):
        raise InvalidTokenError("claims")
    return AccessToken(subject, client_id, expires_at, *scope_and_roles(members), members)
