"""Authlib's Starlette client against a live server: the authorization code grant in a web app."""

from typing import Any
from urllib.parse import urlsplit

import jwt
import pytest
from authlib.integrations.starlette_client import OAuth, OAuthError, StarletteOAuth2App
from starlette.requests import Request

from interop.live_server import CALLBACK, Live


def app_of(live: Live, client_id: str, scope: str = "read") -> StarletteOAuth2App:
    registered = OAuth().register(
        "jeton",
        client_id=client_id,
        client_secret=live.secrets.get(client_id),
        server_metadata_url=f"{live.issuer}/.well-known/openid-configuration",
        client_kwargs={"scope": scope, "code_challenge_method": "S256"},
    )
    assert isinstance(registered, StarletteOAuth2App)
    return registered


def request_of(session: dict[str, Any], url: str = CALLBACK) -> Request:
    """Return a request to the web app from a browser with this session."""
    query = urlsplit(url).query.encode()
    scope = {"type": "http", "method": "GET", "path": "/callback", "query_string": query, "headers": []}
    return Request({**scope, "session": session})


async def redeem(app: StarletteOAuth2App, session: dict[str, Any], callback: str) -> dict[str, Any]:
    return dict(await app.authorize_access_token(request_of(session, callback)))  # type: ignore[no-untyped-call]


async def answer(live: Live, app: StarletteOAuth2App, session: dict[str, Any]) -> str:
    redirect = await app.authorize_redirect(request_of(session), CALLBACK)
    return await live.person.authorize(redirect.headers["location"])


@pytest.mark.parametrize("client_id", ["web-basic", "spa"])
@pytest.mark.requirement("A27", "A28", "RR04", "CO04")
async def test_user_of_a_web_app_signs_in(live: Live, client_id: str) -> None:
    app, session = app_of(live, client_id), dict[str, Any]()
    callback = await answer(live, app, session)
    redemption = dict(session)
    token = await redeem(app, session, callback)

    assert (token["token_type"], token["scope"]) == ("Bearer", "read")
    assert "refresh_token" in token
    with pytest.raises(OAuthError, match="invalid_grant"):
        await redeem(app, redemption, callback)


@pytest.mark.requirement("OI20", "OI22", "OI42")
async def test_id_token_and_userinfo_name_the_same_user(live: Live) -> None:
    app, session = app_of(live, "web-basic", "openid profile"), dict[str, Any]()
    token = await redeem(app, session, await answer(live, app, session))

    assert token["userinfo"]["sub"] == live.sub
    user = await app.userinfo(token=token)
    assert (user["sub"], user["preferred_username"]) == (live.sub, live.username)


@pytest.mark.requirement("OI24", "OI51")
async def test_id_tokens_have_rs256_beside_access_tokens_of_es256(live_with_es256: Live) -> None:
    app, session = app_of(live_with_es256, "web-basic", "openid"), dict[str, Any]()
    token = await redeem(app, session, await answer(live_with_es256, app, session))

    algorithms = [jwt.get_unverified_header(token[name])["alg"] for name in ("access_token", "id_token")]
    assert algorithms == ["ES256", "RS256"]
    assert token["userinfo"]["sub"] == live_with_es256.sub
