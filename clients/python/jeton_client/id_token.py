"""ID tokens (OpenID Connect Core 3.1.3.7) and logout tokens (OpenID Connect Back-Channel Logout 2.6)."""

import hashlib
import hmac
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from jeton_client import base64url
from jeton_client.access_token import DEFAULT_SKEW_SECONDS, MAX_CHARACTERS, audiences, check_times, is_name
from jeton_client.authorization_request import PendingAuthorization
from jeton_client.errors import InvalidTokenError
from jeton_client.key_set import ALGORITHMS, KeySet
from jeton_client.signed_jwt import UnverifiedJwt, read_jwt, verified_claims
from jeton_client.strict_json import is_number

LOGOUT_EVENT: Final = "http://schemas.openid.net/event/backchannel-logout"
_TYPES: Final = ("jwt", None)
_LOGOUT_TYPES: Final = ("logout+jwt",)
_SHA512: Final = frozenset({"EdDSA", "Ed25519"})


@dataclass(frozen=True, slots=True)
class IdToken:
    """A verified ID token: who logged in. `claims` are all of its claims; `auth_time` is in seconds since 1970."""

    subject: str
    expires_at: float
    auth_time: float | None = None
    sid: str | None = None
    claims: Mapping[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class LogoutToken:
    """A verified logout token: end the sessions of `subject`, or the one that has the ID token's `sid`.

    Accept each `jti` once, until `expires_at`.
    """

    jti: str
    expires_at: float
    subject: str | None = None
    sid: str | None = None


@dataclass(frozen=True, slots=True)
class IdTokenRules:
    """What a client accepts: issuer, its own id as the audience, algorithms, clock skew."""

    issuer: str
    client_id: str
    algorithms: Collection[str] = frozenset(ALGORITHMS)
    skew_seconds: float = DEFAULT_SKEW_SECONDS

    def read(self, text: str) -> UnverifiedJwt:
        """Parse an ID token; see `read_jwt`. An access token or a logout token has another type."""
        return read_jwt(text, _TYPES, self.algorithms, MAX_CHARACTERS)

    def read_logout_token(self, text: str) -> UnverifiedJwt:
        """Parse a logout token; see `read_jwt`."""
        return read_jwt(text, _LOGOUT_TYPES, self.algorithms, MAX_CHARACTERS)

    def judge(
        self, unverified: UnverifiedJwt, keys: KeySet, pending: PendingAuthorization, access_token: str, now: float
    ) -> IdToken:
        """Verify and return the ID token that came with this access token.

        Raise InvalidTokenError with a reason of `verified_claims`, or `iss`, `aud`, `azp`, `exp`, `nbf`, `iat`,
        `nonce`, `at_hash`, `auth_time` or `claims`.
        """
        claims = self._verified(unverified, keys, now)
        nonce = claims.get("nonce")
        if not isinstance(nonce, str) or not hmac.compare_digest(nonce.encode(), pending.nonce.encode()):
            raise InvalidTokenError("nonce")
        if "at_hash" in claims and claims["at_hash"] != access_token_hash(access_token, unverified.algorithm):
            raise InvalidTokenError("at_hash")
        self._check_auth_time(claims.get("auth_time"), pending)
        if not is_name(claims.get("sub")) or not _is_name_or_none(claims.get("sid")):
            raise InvalidTokenError("claims")
        return IdToken(claims["sub"], claims["exp"], claims.get("auth_time"), claims.get("sid"), claims)

    def judge_logout_token(self, unverified: UnverifiedJwt, keys: KeySet, now: float) -> LogoutToken:
        """Verify and return the logout token.

        Raise InvalidTokenError with a reason of `verified_claims`, or `iss`, `aud`, `azp`, `exp`, `nbf`, `iat`,
        `events`, `nonce` or `claims`.
        """
        claims = self._verified(unverified, keys, now)
        events = claims.get("events")
        if not isinstance(events, dict) or not isinstance(events.get(LOGOUT_EVENT), dict):
            raise InvalidTokenError("events")
        if "nonce" in claims:  # it would be an ID token
            raise InvalidTokenError("nonce")
        subject, sid, jti = claims.get("sub"), claims.get("sid"), claims.get("jti")
        named = is_name(jti) and _is_name_or_none(subject) and _is_name_or_none(sid)
        if not named or (subject is None and sid is None):
            raise InvalidTokenError("claims")
        return LogoutToken(claims["jti"], claims["exp"], subject, sid)

    def _verified(self, unverified: UnverifiedJwt, keys: KeySet, now: float) -> dict[str, Any]:
        """Return the claims. A token for other audiences as well is refused: this client trusts none of them."""
        claims = verified_claims(unverified, keys)
        if claims.get("iss") != self.issuer:
            raise InvalidTokenError("iss")
        if audiences(claims.get("aud")) != [self.client_id]:
            raise InvalidTokenError("aud")
        if "azp" in claims and claims["azp"] != self.client_id:
            raise InvalidTokenError("azp")
        check_times(claims, now, self.skew_seconds)
        if not is_number(claims.get("iat")) or now + self.skew_seconds < claims["iat"]:
            raise InvalidTokenError("iat")
        return claims

    def _check_auth_time(self, auth_time: object, pending: PendingAuthorization) -> None:
        """Raise InvalidTokenError if the person authenticated too long before the request (`max_age`)."""
        if auth_time is not None and not is_number(auth_time):
            raise InvalidTokenError("auth_time")
        if pending.max_age is None:
            return
        earliest = pending.begun_at - pending.max_age - self.skew_seconds
        if not isinstance(auth_time, int | float) or auth_time < earliest:
            raise InvalidTokenError("auth_time")


def access_token_hash(access_token: str, algorithm: str) -> str:
    """Return `at_hash`: the left half of the digest that belongs to the ID token's algorithm (Core 3.1.3.6)."""
    digest = hashlib.new("sha512" if algorithm in _SHA512 else "sha256", access_token.encode()).digest()
    return base64url.encode(digest[: len(digest) // 2])


def _is_name_or_none(value: object) -> bool:
    return value is None or is_name(value)
