"""Authlib's OAuth 2 clients, blocking and asynchronous, against a live server (RFC 6749, 7009, 7662)."""

from collections.abc import Callable
from typing import Any

import pytest
from authlib.integrations.base_client import OAuthError
from authlib.integrations.httpx_client import AsyncOAuth2Client, OAuth2Client

from interop.live_server import AUDIENCE, Live

BASIC = ("web-basic", "client_secret_basic")
POST = ("web-post", "client_secret_post")
PUBLIC = ("spa", "none")


def client_of(live: Live, client_id: str, method: str, **options: Any) -> OAuth2Client:
    return OAuth2Client(
        client_id,
        live.secrets.get(client_id),
        token_endpoint_auth_method=method,
        revocation_endpoint_auth_method=method,
        token_endpoint=live.token_endpoint,
        **options,
    )


def log_in(client: OAuth2Client, live: Live, **more: str) -> dict[str, Any]:
    return dict(client.fetch_token(username=live.username, password=live.password, **more))


def introspected(live: Live, token: str) -> dict[str, Any]:
    with client_of(live, "orders-api", "client_secret_basic") as service:
        return dict(service.introspect_token(live.introspection_endpoint, token=token).json())


@pytest.mark.parametrize("app", [BASIC, POST, PUBLIC], ids=["basic", "post", "public"])
@pytest.mark.requirement("A05", "A06", "A23", "A32", "A41", "A43", "A44", "C01", "C05", "I08")
def test_login_refresh_replay_and_revocation(live: Live, app: tuple[str, str]) -> None:
    """Login, refresh, a replay that ends the session, and the revocation of another session."""
    with client_of(live, *app) as client:
        first = log_in(client, live, scope="read write")
        assert (first["token_type"], first["scope"], first["expires_in"]) == ("Bearer", "read write", 600)
        seen = introspected(live, first["access_token"])
        assert (seen["active"], seen["sub"], seen["client_id"], seen["aud"]) == (True, live.sub, app[0], AUDIENCE)

        second = dict(client.refresh_token(scope="read"))
        assert second["refresh_token"] != first["refresh_token"]
        assert second["scope"] == introspected(live, second["access_token"])["scope"] == "read"
        third = dict(client.refresh_token())
        assert third["scope"] == "read write"

        for token in (first, third):
            with pytest.raises(OAuthError) as refused:
                client.refresh_token(refresh_token=token["refresh_token"])
            assert refused.value.error == "invalid_grant"
        assert introspected(live, third["access_token"]) == {"active": False}

        other = log_in(client, live)
        url = f"{live.issuer}/oauth/revoke"
        answer = client.revoke_token(url, token_type_hint="refresh_token")  # type: ignore[no-untyped-call]
        assert (answer.status_code, answer.content) == (200, b"{}")
        with pytest.raises(OAuthError, match="invalid_grant"):
            client.refresh_token(refresh_token=other["refresh_token"])
        assert introspected(live, other["access_token"]) == {"active": False}


@pytest.mark.parametrize("app", [BASIC, POST], ids=["basic", "post"])
@pytest.mark.requirement("A25", "A26", "G03")
def test_service_gets_a_token_by_client_credentials(live: Live, app: tuple[str, str]) -> None:
    with client_of(live, *app, scope="write") as client:
        token = dict(client.fetch_token(grant_type="client_credentials"))

    assert "refresh_token" not in token
    seen = introspected(live, token["access_token"])
    assert (seen["sub"], seen["client_id"], seen["scope"]) == (app[0], app[0], "write")
    assert "sid" not in seen


@pytest.mark.requirement("A16", "A37", "A38", "D01", "D07")
def test_refusals_are_errors_that_the_library_understands(live: Live) -> None:
    for client_id, method in (("web-basic", POST[1]), ("web-post", BASIC[1]), ("web-basic", "none")):
        with client_of(live, client_id, method) as client, pytest.raises(OAuthError) as refused:
            log_in(client, live)
        assert refused.value.error == "invalid_client", method
    with client_of(live, *PUBLIC) as client:
        with pytest.raises(OAuthError) as refused:
            client.fetch_token(username=live.username, password="wrong " + live.password)
        assert refused.value.error == "invalid_grant"
        assert live.password not in (refused.value.description or "")
        answer = client.introspect_token(live.introspection_endpoint, token=log_in(client, live)["access_token"])
        assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")


async def test_asynchronous_client_refreshes_expired_tokens_itself_and_revokes(live: Live) -> None:
    """It refreshes before the next request when `expires_at` has passed, and notifies the application."""
    updates: list[str] = []

    async def remember(token: Any, refresh_token: str | None = None, access_token: str | None = None) -> None:
        updates.append(token["refresh_token"])

    options: dict[str, Callable[..., Any] | str] = {"token_endpoint": live.token_endpoint, "update_token": remember}
    async with AsyncOAuth2Client("web-basic", live.secrets["web-basic"], scope="read", **options) as client:
        first = dict(await client.fetch_token(username=live.username, password=live.password))
        client.token["expires_at"] = 1
        await client.get(live.jwks_uri)
        second = dict(client.token)
        before = introspected(live, second["access_token"])
        answer = await client.revoke_token(f"{live.issuer}/oauth/revoke")  # type: ignore[no-untyped-call]

    assert updates == [second["refresh_token"]] != [first["refresh_token"]]
    assert (first["scope"], second["scope"], before["active"], answer.status_code) == ("read", "read", True, 200)
    assert introspected(live, second["access_token"]) == {"active": False}
