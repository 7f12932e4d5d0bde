"""Back-channel logout (OpenID Connect Back-Channel Logout 1.0): logout tokens, and when they are sent again."""

from enum import Enum
from typing import Any, Final

from jeton.frozen import Frozen

LOGOUT_EVENT: Final = "http://schemas.openid.net/event/backchannel-logout"
TOKEN_SECONDS: Final = 120
# From one attempt to the next, in seconds. After the last attempt, the delivery has failed.
RETRY_SECONDS: Final = (15, 60, 300, 1800, 7200, 21600)
# How long administrators can see what was delivered, and what was not (counted from the logout).
DELIVERED_SECONDS: Final = 86400
KEPT_SECONDS: Final = 7 * 86400

STATES: Final = ("pending", "delivered", "failed")

# Reasons for which nothing is sent.
CLIENT_UNKNOWN: Final = "client_unknown"
CLIENT_DISABLED: Final = "client_disabled"
NO_SIGNING_KEY: Final = "no_signing_key"
# Section 2.8: the client has logged the user out. Frameworks without a body to send answer with 204.
_DELIVERED: Final = frozenset({"200", "204"})
# Another attempt would have the same result. 400 says that the client has understood the request and refuses it.
_FINAL: Final = frozenset({"400", "invalid_uri", "address_not_allowed", CLIENT_UNKNOWN, CLIENT_DISABLED})


class BackchannelLogout(Frozen):
    """A browser session has ended, and one of its clients is to be told. Times are seconds since the epoch.

    `last_status` is the HTTP status of the last attempt, or a fixed word if there was no response.
    """

    browser_session_id: str
    client_id: str
    sub: str
    created_at: int
    expires_at: int
    attempts: int = 0
    next_attempt_at: int | None = None
    last_status: str | None = None
    delivered_at: int | None = None

    @property
    def state(self) -> str:
        """One of `STATES`."""
        if self.delivered_at is not None:
            return "delivered"
        return "failed" if self.next_attempt_at is None else "pending"


class Outcome(Enum):
    """What an attempt has led to."""

    DELIVERED = "delivered"
    RETRY = "retry"
    FAILED = "failed"


def retry_at(attempts: int, now: int) -> int:
    """Return when the next attempt is due, if the attempt with this number, counted from 1, does not succeed."""
    return now + RETRY_SECONDS[min(attempts, len(RETRY_SECONDS)) - 1]


def outcome(status: str, attempts: int) -> Outcome:
    """Return what the attempt with this number, counted from 1, has led to. `status` is as in BackchannelLogout.

    Only recoverable failures are repeated (section 2.5), with growing delays, and not for ever.
    """
    if status in _DELIVERED:
        return Outcome.DELIVERED
    return Outcome.FAILED if status in _FINAL or attempts > len(RETRY_SECONDS) else Outcome.RETRY


def logout_token_claims(logout: BackchannelLogout, *, issuer: str, sid: str, jti: str, now: int) -> dict[str, Any]:
    """Return the claims of a logout token (section 2.4). `sid` is that of the browser session for this client."""
    return {
        "iss": issuer,
        "sub": logout.sub,
        "aud": logout.client_id,
        "iat": now,
        "exp": now + TOKEN_SECONDS,
        "jti": jti,
        "events": {LOGOUT_EVENT: {}},
        "sid": sid,
    }
