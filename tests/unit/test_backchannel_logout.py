"""Back-channel logout: the claims of a logout token, and which attempts are repeated."""

import pytest

from jeton.oauth.backchannel_logout import (
    RETRY_SECONDS,
    BackchannelLogout,
    Outcome,
    logout_token_claims,
    outcome,
    retry_at,
)
from support.builders import NOW

LOGOUT = BackchannelLogout("browser", "shop", "u_1", NOW - 100, NOW + 100, attempts=1, next_attempt_at=NOW)


@pytest.mark.requirement("LO21")
def test_claims() -> None:
    """No other claims are present: with a nonce, a logout token could pass for an ID token."""
    assert logout_token_claims(LOGOUT, issuer="https://as.example", sid="sid", jti="jti", now=NOW) == {
        "iss": "https://as.example",
        "aud": "shop",
        "sub": "u_1",
        "sid": "sid",
        "iat": NOW,
        "exp": NOW + 120,
        "jti": "jti",
        "events": {"http://schemas.openid.net/event/backchannel-logout": {}},
    }


@pytest.mark.requirement("LO22", "LO23")
@pytest.mark.parametrize(
    ("statuses", "expected"),
    [
        ("200 204", Outcome.DELIVERED),
        ("400 invalid_uri address_not_allowed", Outcome.FAILED),
        ("client_unknown client_disabled", Outcome.FAILED),
        ("201 202 301 302 307 401 403 404 408 429 500 501 503", Outcome.RETRY),
        (
            "no_signing_key host_not_found connection_failed tls_failed timed_out too_large invalid_response",
            Outcome.RETRY,
        ),
    ],
)
def test_attempt_is_delivered_retried_or_failed(statuses: str, expected: Outcome) -> None:
    last = expected if expected is not Outcome.RETRY else Outcome.FAILED
    for status in statuses.split():
        assert [outcome(status, it) for it in (1, 6, 7)] == [expected, expected, last]


@pytest.mark.requirement("LO23")
def test_delays_grow_and_attempts_end_within_nine_hours() -> None:
    delays = [retry_at(it, NOW) - NOW for it in range(1, len(RETRY_SECONDS) + 1)]

    assert delays == sorted(set(RETRY_SECONDS))
    assert sum(delays) < 9 * 3600
    assert retry_at(99, NOW) == NOW + RETRY_SECONDS[-1]
