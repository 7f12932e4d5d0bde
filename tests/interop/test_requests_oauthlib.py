"""requests-oauthlib, and oauthlib below it, against a live server (RFC 6749 sections 4.3 and 6)."""

from typing import Any, Final

import pytest
from oauthlib.oauth2 import InvalidScopeError, LegacyApplicationClient  # type: ignore[import-untyped]
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


def session_of(client_id: str, scope: str = "read", **options: Any) -> OAuth2Session:
    return OAuth2Session(client=LegacyApplicationClient(client_id, scope=[scope]), **options)


def log_in(session: OAuth2Session, live: Live, **more: Any) -> dict[str, Any]:
    return dict(session.fetch_token(live.token_endpoint, username=live.username, password=live.password, **more))


def introspected(live: Live, token: str) -> dict[str, Any]:
    form, auth = {"token": token}, basic(live, "orders-api")
    with OAuth2Session("orders-api") as session:
        return dict(session.post(live.introspection_endpoint, data=form, auth=auth, withhold_token=True).json())


@pytest.mark.parametrize(
    ("client_id", "options"),
    [
        pytest.param("web-basic", {"auth": "SECRET"}, id="basic"),
        pytest.param("web-post", {"include_client_id": True, "client_secret": "SECRET"}, id="form"),
        pytest.param(PUBLIC, {"include_client_id": True}, id="public"),
        # The library does the same if it is given only a client_id.
        pytest.param(PUBLIC, {"client_id": PUBLIC}, id="public, basic with an empty secret"),
    ],
)
def test_apps_log_users_in(live: Live, client_id: str, options: dict[str, Any]) -> None:
    secret = live.secrets.get(client_id, "")
    given = {"auth": HTTPBasicAuth(client_id, secret), "client_secret": secret}
    filled = {name: given[name] if value == "SECRET" else value for name, value in options.items()}
    with session_of(client_id) as session:
        token = log_in(session, live, **filled)

    assert (token["token_type"], token["expires_in"], token["scope"]) == ("Bearer", 600, ["read"])
    seen = introspected(live, token["access_token"])
    assert (seen["client_id"], seen["sub"]) == (client_id, live.sub)


def test_expired_token_is_refreshed_before_the_next_request(live: Live) -> None:
    """Twice in a row: each time with the newest refresh token, which the session keeps by itself."""
    saved: list[dict[str, Any]] = []
    refreshing: dict[str, Any] = {"auto_refresh_url": live.token_endpoint, "auto_refresh_kwargs": {"client_id": PUBLIC}}
    with session_of(PUBLIC, token_updater=saved.append, **refreshing) as session:
        first = log_in(session, live, include_client_id=True)
        for _ in range(2):
            session.token = {**session.token, "expires_in": -1, "expires_at": 1}
            assert session.get(live.jwks_uri).status_code == 200

    assert len({token["refresh_token"] for token in [first, *saved]}) == 3
    assert introspected(live, saved[-1]["access_token"])["active"] is True


def test_scope_that_is_not_allowed_raises_invalid_scope_of_the_library(live: Live) -> None:
    with session_of(CONFIDENTIAL, "admin") as session, pytest.raises(InvalidScopeError):
        log_in(session, live, auth=basic(live))
