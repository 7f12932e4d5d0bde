"""Authlib's OAuth 2 clients, blocking and asynchronous, against a live server (RFC 6749, 7009, 7662)."""

from typing import Any

import pytest
from authlib.integrations.base_client import OAuthError
from authlib.integrations.httpx_client import AsyncOAuth2Client, OAuth2Client

from interop.live_server import AUDIENCE, Live

METHODS = pytest.mark.parametrize(
    ("client_id", "method"),
    [("web-basic", "client_secret_basic"), ("web-post", "client_secret_post"), ("spa", "none")],
    ids=["basic", "post", "public"],
)


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
    """What the resource server is told of a token."""
    with client_of(live, "orders-api", "client_secret_basic") as service:
        return dict(service.introspect_token(live.introspection_endpoint, token=token).json())


@METHODS
@pytest.mark.requirement("A05", "A06", "A23", "A32")
def test_a_user_logs_in(live: Live, client_id: str, method: str) -> None:
    with client_of(live, client_id, method) as client:
        token = log_in(client, live, scope="read")

    assert token["token_type"] == "Bearer"
    assert token["scope"] == "read"
    assert token["expires_in"] == 600
    seen = introspected(live, token["access_token"])
    assert (seen["active"], seen["sub"], seen["client_id"], seen["aud"]) == (True, live.sub, client_id, AUDIENCE)


@METHODS
@pytest.mark.requirement("A41", "A43", "A44")
def test_a_refresh_gives_the_next_pair(live: Live, client_id: str, method: str) -> None:
    with client_of(live, client_id, method) as client:
        first = log_in(client, live, scope="read write")
        second = dict(client.refresh_token(scope="read"))

        assert second["refresh_token"] != first["refresh_token"]
        assert second["scope"] == "read"
        assert introspected(live, second["access_token"])["scope"] == "read"
        assert dict(client.refresh_token())["scope"] == "read write"


@METHODS
@pytest.mark.requirement("I08")
def test_a_replayed_refresh_token_ends_the_session(live: Live, client_id: str, method: str) -> None:
    with client_of(live, client_id, method) as client:
        first = log_in(client, live)
        second = dict(client.refresh_token())

        with pytest.raises(OAuthError) as replay:
            client.refresh_token(refresh_token=first["refresh_token"])
        with pytest.raises(OAuthError) as after:
            client.refresh_token(refresh_token=second["refresh_token"])

    assert (replay.value.error, after.value.error) == ("invalid_grant", "invalid_grant")
    assert introspected(live, second["access_token"]) == {"active": False}


@METHODS
@pytest.mark.requirement("C01", "C05")
def test_revoking_the_refresh_token_ends_the_session(live: Live, client_id: str, method: str) -> None:
    with client_of(live, client_id, method) as client:
        token = log_in(client, live)
        answer = client.revoke_token(live.revocation_endpoint, token_type_hint="refresh_token")  # type: ignore[no-untyped-call]

        assert (answer.status_code, answer.content) == (200, b"{}")
        with pytest.raises(OAuthError) as after:
            client.refresh_token(refresh_token=token["refresh_token"])

    assert after.value.error == "invalid_grant"
    assert introspected(live, token["access_token"]) == {"active": False}


@pytest.mark.parametrize(
    ("client_id", "method"), [("web-basic", "client_secret_basic"), ("web-post", "client_secret_post")]
)
@pytest.mark.requirement("A25", "A26", "G03")
def test_a_service_gets_a_token_in_its_own_name(live: Live, client_id: str, method: str) -> None:
    with client_of(live, client_id, method, scope="write") as client:
        token = dict(client.fetch_token(grant_type="client_credentials"))

    assert "refresh_token" not in token
    seen = introspected(live, token["access_token"])
    assert (seen["sub"], seen["client_id"], seen["scope"]) == (client_id, client_id, "write")
    assert "sid" not in seen


@pytest.mark.parametrize(
    ("client_id", "method"),
    [("web-basic", "client_secret_post"), ("web-post", "client_secret_basic"), ("web-basic", "none")],
    ids=["post for basic", "basic for post", "none for basic"],
)
@pytest.mark.requirement("A16", "A37")
def test_another_authentication_method_than_the_registered_one_is_refused(
    live: Live, client_id: str, method: str
) -> None:
    with client_of(live, client_id, method) as client, pytest.raises(OAuthError) as refused:
        log_in(client, live)

    assert refused.value.error == "invalid_client"


@pytest.mark.requirement("A38")
def test_a_wrong_password_is_an_error_the_library_understands(live: Live) -> None:
    with client_of(live, "spa", "none") as client, pytest.raises(OAuthError) as refused:
        client.fetch_token(username=live.username, password="wrong " + live.password)

    assert refused.value.error == "invalid_grant"
    assert live.password not in (refused.value.description or "")


@pytest.mark.requirement("D01", "D07")
def test_a_public_client_may_not_introspect(live: Live) -> None:
    with client_of(live, "spa", "none") as client:
        token = log_in(client, live)
        answer = client.introspect_token(live.introspection_endpoint, token=token["access_token"])

    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")


async def test_the_asynchronous_client_logs_in_refreshes_and_revokes(live: Live) -> None:
    async with AsyncOAuth2Client(
        "web-basic", live.secrets["web-basic"], token_endpoint=live.token_endpoint, scope="read"
    ) as client:
        first = dict(await client.fetch_token(username=live.username, password=live.password))
        second = dict(await client.refresh_token())
        before = introspected(live, second["access_token"])
        answer = await client.revoke_token(live.revocation_endpoint)  # type: ignore[no-untyped-call]

    assert first["scope"] == second["scope"] == "read"
    assert first["refresh_token"] != second["refresh_token"]
    assert before["active"] is True
    assert answer.status_code == 200
    assert introspected(live, second["access_token"]) == {"active": False}


async def test_the_asynchronous_client_refreshes_by_itself_what_has_expired(live: Live) -> None:
    """It sees `expires_at` in the past, refreshes before its next request, and tells the application."""
    updates: list[str] = []

    async def remember(token: Any, refresh_token: str | None = None, access_token: str | None = None) -> None:
        updates.append(token["refresh_token"])

    async with AsyncOAuth2Client(
        "web-basic", live.secrets["web-basic"], token_endpoint=live.token_endpoint, update_token=remember
    ) as client:
        first = dict(await client.fetch_token(username=live.username, password=live.password))
        client.token["expires_at"] = 1
        await client.get(live.jwks_uri)

        assert updates == [client.token["refresh_token"]]
        assert client.token["refresh_token"] != first["refresh_token"]
        assert introspected(live, client.token["access_token"])["active"] is True
