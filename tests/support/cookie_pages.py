"""Requests of pages in cookie mode, and the cookies with refresh tokens that they send (RFC 10017 section 6.1)."""

from http.cookies import Morsel, SimpleCookie
from typing import Any, Final

import httpx2

from support.in_process_server import PASSWORD, App, Running

ORIGIN: Final = "https://app.example"
PAGE: Final = {"Origin": ORIGIN, "X-Jeton": "1", "Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "cors"}
LOGIN: Final = {"grant_type": "password", "username": "alice", "password": PASSWORD}


def add_page(jeton: Running, client_id: str = "spa", **fields: Any) -> App:
    fields = {"origins": frozenset({ORIGIN}), "scope": frozenset({"read", "openid", "profile"}), **fields}
    return jeton.add_client(client_id, public=True, refresh_cookie=True, **fields)


def cookie_of(response: httpx2.Response) -> Morsel[str]:
    """Return the only cookie that the response sets."""
    (sent,) = response.headers.get_list("set-cookie")
    (cookie,) = SimpleCookie(sent).values()
    return cookie


def sent_cookie(jeton: Running) -> str:
    """Return the header field `Cookie` with the browser's only cookie, and delete it from the browser."""
    ((name, value),) = jeton.http.cookies.items()
    jeton.http.cookies.clear()
    return f"{name}={value}"


async def log_in(jeton: Running, app: App, **headers: str) -> str:
    """Sign in in a browser. Return its header field `Cookie`."""
    response = await jeton.token(app, PAGE | headers, **LOGIN)
    assert response.status_code == 200, response.text
    return sent_cookie(jeton)


async def refresh(jeton: Running, app: App, cookie: str | None, **headers: str) -> httpx2.Response:
    sent = {} if cookie is None else {"Cookie": cookie}
    response = await jeton.token(app, PAGE | sent | headers, grant_type="refresh_token")
    jeton.http.cookies.clear()
    return response


async def refreshed(jeton: Running, app: App, cookie: str) -> str:
    """Refresh, which must succeed. Return the header field `Cookie`."""
    response = await refresh(jeton, app, cookie)
    assert response.status_code == 200, response.text
    return f"{cookie_of(response).key}={cookie_of(response).value}"
