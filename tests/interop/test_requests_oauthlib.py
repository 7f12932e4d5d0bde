"""requests-oauthlib, and oauthlib below it, against a live server (RFC 6749 sections 4.3, 4.4 and 6)."""

from typing import Any, Final

import pytest
from oauthlib.oauth2 import (  # type: ignore[import-untyped]
    BackendApplicationClient,
    InvalidGrantError,
    InvalidScopeError,
    LegacyApplicationClient,
)
from requests.auth import HTTPBasicAuth
from requests_oauthlib import OAuth2Session  # type: ignore[import-untyped]

from interop.live_server import Live

PUBLIC: Final = "spa"
CONFIDENTIAL: Final = "web-basic"


@pytest.fixture(autouse=True)
def _plain_http_is_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    """oauthlib insists on https, even on loopback."""
    monkeypatch.setenv("OAUTHLIB_INSECURE_TRANSPORT", "1")


def basic(live: Live, client_id: str = CONFIDENTIAL) -> HTTPBasicAuth:
    return HTTPBasicAuth(client_id, live.secrets[client_id])


def log_in(session: OAuth2Session, live: Live, **more: Any) -> dict[str, Any]:
    password = {"username": live.username, "password": live.password}
    return dict(session.fetch_token(live.token_endpoint, **password, **more))


def introspected(live: Live, token: str) -> dict[str, Any]:
    with OAuth2Session("orders-api") as session:
        answer = session.post(
            live.introspection_endpoint, data={"token": token}, auth=basic(live, "orders-api"), withhold_token=True
        )
        return dict(answer.json())


def test_a_confidential_app_logs_in_by_basic(live: Live) -> None:
    with OAuth2Session(client=LegacyApplicationClient(CONFIDENTIAL, scope=["read", "write"])) as session:
        token = log_in(session, live, auth=basic(live))

    assert (token["token_type"], token["expires_in"], set(token["scope"])) == ("Bearer", 600, {"read", "write"})
    assert introspected(live, token["access_token"])["sub"] == live.sub


def test_a_confidential_app_logs_in_by_the_form(live: Live) -> None:
    with OAuth2Session(client=LegacyApplicationClient("web-post", scope=["read"])) as session:
        token = log_in(session, live, include_client_id=True, client_secret=live.secrets["web-post"])

    assert introspected(live, token["access_token"])["client_id"] == "web-post"


def test_a_public_app_logs_in_by_its_name(live: Live) -> None:
    with OAuth2Session(client=LegacyApplicationClient(PUBLIC, scope=["read"])) as session:
        token = log_in(session, live, include_client_id=True)

    assert introspected(live, token["access_token"])["client_id"] == PUBLIC


def test_a_public_app_logs_in_by_basic_with_an_empty_secret(live: Live) -> None:
    """As the library does by itself where it is given a client_id and no more."""
    with OAuth2Session(client=LegacyApplicationClient(PUBLIC, scope=["read"])) as session:
        token = log_in(session, live, client_id=PUBLIC)

    assert introspected(live, token["access_token"])["client_id"] == PUBLIC


def test_a_service_gets_a_token_in_its_own_name(live: Live) -> None:
    with OAuth2Session(client=BackendApplicationClient(CONFIDENTIAL, scope=["write"])) as session:
        token = dict(session.fetch_token(live.token_endpoint, auth=basic(live)))

    assert "refresh_token" not in token
    seen = introspected(live, token["access_token"])
    assert (seen["sub"], seen["scope"]) == (CONFIDENTIAL, "write")


def test_a_refresh_gives_the_next_pair(live: Live) -> None:
    with OAuth2Session(client=LegacyApplicationClient(CONFIDENTIAL, scope=["read"])) as session:
        first = log_in(session, live, auth=basic(live))
        second = dict(session.refresh_token(live.token_endpoint, auth=basic(live)))

    assert second["refresh_token"] != first["refresh_token"]
    assert second["access_token"] != first["access_token"]
    assert introspected(live, second["access_token"])["active"] is True


def test_what_has_expired_is_refreshed_before_the_next_request(live: Live) -> None:
    """Twice in a row: each time with the newest refresh token, which the session keeps by itself."""
    saved: list[dict[str, Any]] = []
    with OAuth2Session(
        client=LegacyApplicationClient(PUBLIC, scope=["read"]),
        auto_refresh_url=live.token_endpoint,
        auto_refresh_kwargs={"client_id": PUBLIC},
        token_updater=saved.append,
    ) as session:
        first = log_in(session, live, include_client_id=True)
        for _ in range(2):
            session.token = {**session.token, "expires_in": -1, "expires_at": 1}
            assert session.get(live.jwks_uri).status_code == 200

    refresh_tokens = [token["refresh_token"] for token in [first, *saved]]
    assert len(set(refresh_tokens)) == 3
    assert introspected(live, saved[-1]["access_token"])["active"] is True


def test_a_replay_is_the_librarys_invalid_grant(live: Live) -> None:
    with OAuth2Session(client=LegacyApplicationClient(CONFIDENTIAL, scope=["read"])) as session:
        first = log_in(session, live, auth=basic(live))
        second = dict(session.refresh_token(live.token_endpoint, auth=basic(live)))
        with pytest.raises(InvalidGrantError):
            session.refresh_token(live.token_endpoint, refresh_token=first["refresh_token"], auth=basic(live))

    assert introspected(live, second["access_token"]) == {"active": False}


def test_a_scope_the_client_may_not_have_is_the_librarys_invalid_scope(live: Live) -> None:
    with (
        OAuth2Session(client=LegacyApplicationClient(CONFIDENTIAL, scope=["admin"])) as session,
        pytest.raises(InvalidScopeError),
    ):
        log_in(session, live, auth=basic(live))
