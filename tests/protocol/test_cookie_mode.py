"""Refresh tokens in cookies: who gets them, who may use them, and what ends them (RFC 10017 sections 6.1 and 6.2)."""

from typing import Any

import pytest

from support.cookie_pages import LOGIN, ORIGIN, PAGE, add_page, cookie_of, log_in, refresh
from support.in_process_server import App, Running, StartServer
from support.responses import outcome

SESSION, LOGOUT = "/oauth/session", "/oauth/session/logout"
SIGNED_OUT = {"signed_in": False}


@pytest.fixture
def app(jeton: Running) -> App:
    jeton.add_user(profile={"name": "Alice Liddell"})
    return add_page(jeton)


async def session(jeton: Running, app: App, cookie: str | None) -> dict[str, Any]:
    sent = {} if cookie is None else {"Cookie": cookie}
    response = await jeton.http.get(SESSION, params={"client_id": app.client_id}, headers=PAGE | sent)
    assert (response.status_code, response.headers["cache-control"]) == (200, "no-store"), response.text
    return dict(response.json())


@pytest.mark.requirement("BB10", "BB11", "BB12", "BB16", "BB19")
async def test_login_keeps_the_refresh_token_in_a_cookie_that_ends_with_it(jeton: Running, app: App) -> None:
    response = await jeton.token(app, PAGE, **LOGIN)

    cookie = cookie_of(response)
    assert "refresh_token" not in response.json()
    assert response.json()["access_token"]
    assert cookie.value.startswith("jrt_")
    assert (cookie["httponly"], cookie["samesite"], cookie["path"], cookie["domain"]) == (True, "Strict", "/", "")
    assert int(cookie["max-age"]) == 14 * 86400
    assert response.headers["access-control-allow-credentials"] == "true"


@pytest.mark.requirement("BB11")
async def test_cookie_of_an_https_server_is_for_its_host_alone(start: StartServer) -> None:
    jeton = await start(SERVER__ISSUER="https://id.example")
    jeton.add_user()
    app, other = add_page(jeton), add_page(jeton, "other")

    cookies = [cookie_of(await jeton.token(it, PAGE, **LOGIN)) for it in (app, other)]

    assert all(it.key.startswith("__Host-Http-jeton-") and it["secure"] for it in cookies)
    assert cookies[0].key != cookies[1].key


@pytest.mark.both_databases
@pytest.mark.requirement("BB09", "BB16")
async def test_refresh_rotates_the_cookie(jeton: Running, app: App) -> None:
    first = await log_in(jeton, app)

    response = await refresh(jeton, app, first)

    assert outcome(response) == (200, None)
    assert "refresh_token" not in response.json()
    second = f"{cookie_of(response).key}={cookie_of(response).value}"
    assert (second.split("=", maxsplit=1)[0], second != first) == (first.split("=")[0], True)
    # A replay ends the session, as without cookies.
    assert outcome(await refresh(jeton, app, first)) == (400, "invalid_grant")
    assert outcome(await refresh(jeton, app, second)) == (400, "invalid_grant")
    assert await session(jeton, app, second) == SIGNED_OUT


async def test_lost_answer_is_repeated_with_its_key(jeton: Running, app: App) -> None:
    first = await log_in(jeton, app)

    answers = [await refresh(jeton, app, first, **{"Idempotency-Key": "k"}) for _ in range(3)]

    assert len({(it.status_code, it.content, it.headers["set-cookie"]) for it in answers}) == 1
    assert (await session(jeton, app, first))["signed_in"]
    cookie = cookie_of(answers[0])
    assert outcome(await refresh(jeton, app, f"{cookie.key}={cookie.value}")) == (200, None)


async def test_cookie_lives_no_longer_than_the_session(jeton: Running, app: App) -> None:
    jeton.set_client(app.client_id, lifetimes={"refresh_idle_seconds": 1000, "refresh_absolute_seconds": 1500})
    cookie = await log_in(jeton, app)
    jeton.clock.advance(900)

    response = await refresh(jeton, app, cookie)

    assert int(cookie_of(response)["max-age"]) == 600


@pytest.mark.requirement("BB13", "BB14", "BB16")
@pytest.mark.parametrize("path", ["token", "revoke", "session", "logout"])
@pytest.mark.parametrize(
    "headers",
    [
        {"X-Jeton": ""},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "", "Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "cross-site"},
    ],
    ids=["without header", "sibling", "null", "without origin", "cross-site"],
)
async def test_other_pages_are_refused_and_consume_nothing(
    jeton: Running, app: App, path: str, headers: dict[str, str]
) -> None:
    cookie = await log_in(jeton, app)
    sent = {k: v for k, v in (PAGE | headers).items() if v} | {"Cookie": cookie}

    if path == "session":
        response = await jeton.http.get(SESSION, params={"client_id": app.client_id}, headers=sent)
    else:
        at = {"token": "/oauth/token", "revoke": "/oauth/revoke", "logout": LOGOUT}[path]
        response = await jeton.post(at, app, sent, grant_type="refresh_token")

    assert outcome(response) == (403, "invalid_request")
    assert "set-cookie" not in response.headers
    assert outcome(await refresh(jeton, app, cookie)) == (200, None)


async def test_refresh_token_is_taken_from_the_cookie_and_nowhere_else(jeton: Running, app: App) -> None:
    name, _, token = (cookie := await log_in(jeton, app)).partition("=")
    in_body = await jeton.token(app, PAGE, grant_type="refresh_token", refresh_token=token)
    revoked = await jeton.post("/oauth/revoke", app, PAGE, token=token)

    assert outcome(in_body) == outcome(revoked) == (400, "invalid_request")
    of_access_token = await jeton.post("/oauth/revoke", app, PAGE, token="an access token")
    assert (outcome(of_access_token), "set-cookie" in of_access_token.headers) == ((200, None), False)
    for other in (None, f"{name}=jrt_{'A' * 76}"):
        assert outcome(await refresh(jeton, app, other)) == (400, "invalid_grant")
    assert outcome(await refresh(jeton, app, cookie)) == (200, None)


@pytest.mark.requirement("BB18")
async def test_cookie_of_one_app_is_useless_for_another(jeton: Running, app: App) -> None:
    other = add_page(jeton, "other")
    cookie, of_other = await log_in(jeton, app), await log_in(jeton, other)
    swapped = f"{of_other.split('=')[0]}={cookie.split('=')[1]}"

    assert outcome(await refresh(jeton, other, cookie)) == (400, "invalid_grant")
    assert outcome(await refresh(jeton, other, swapped)) == (400, "invalid_grant")
    assert await session(jeton, other, cookie) == await session(jeton, other, swapped) == SIGNED_OUT
    assert outcome(await refresh(jeton, app, cookie)) == (200, None)


@pytest.mark.requirement("BB07", "BB17")
async def test_session_endpoint_returns_the_signed_in_user_and_no_token(jeton: Running, app: App) -> None:
    cookie = await log_in(jeton, app)

    found = await session(jeton, app, cookie)

    assert found.pop("sub").startswith("u_")
    found.pop("updated_at")
    assert found == {
        "signed_in": True,
        "name": "Alice Liddell",
        "preferred_username": "alice",
        "scope": "openid profile read",
        "expires_at": jeton.clock.now() + 14 * 86400,
    }
    assert await session(jeton, app, None) == SIGNED_OUT
    jeton.clock.advance(14 * 86400)
    assert await session(jeton, app, cookie) == SIGNED_OUT


@pytest.mark.requirement("BB07")
@pytest.mark.parametrize("path", [LOGOUT, "/oauth/revoke"])
async def test_logout_ends_the_session_and_deletes_the_cookie(jeton: Running, app: App, path: str) -> None:
    cookie = await log_in(jeton, app)
    sent = PAGE | {"Cookie": cookie}

    answers = [await jeton.post(path, app, sent), await jeton.post(path, app, PAGE)]

    assert [outcome(it) for it in answers] == [(200, None)] * 2
    deleted = cookie_of(answers[0])
    assert (deleted.key, deleted.value, deleted["max-age"]) == (cookie.split("=")[0], "", "0")
    assert await session(jeton, app, cookie) == SIGNED_OUT
    assert outcome(await refresh(jeton, app, cookie)) == (400, "invalid_grant")


async def test_logout_by_get_is_not_offered(jeton: Running, app: App) -> None:
    assert (await jeton.http.get(LOGOUT, headers=PAGE)).status_code == 405


@pytest.mark.parametrize("path", [SESSION, "/oauth/forward-auth"])
async def test_client_without_cookie_mode_has_no_session_endpoint(jeton: Running, path: str) -> None:
    jeton.add_client("plain", public=True, origins=frozenset({ORIGIN}))

    response = await jeton.http.get(path, params={"client_id": "plain"}, headers=PAGE)

    assert outcome(response) == (400, "unauthorized_client")


@pytest.mark.requirement("BB06")
@pytest.mark.parametrize(
    ("path", "origin", "allowed"),
    [
        *(((it), ORIGIN, "true") for it in ("/oauth/token", "/oauth/revoke", SESSION, LOGOUT)),
        *(((it), ORIGIN, None) for it in ("/oauth/userinfo", "/account", "/oauth/forward-auth")),
        ("/oauth/token", "https://plain.example", None),
        (SESSION, "https://plain.example", None),
        ("/oauth/token", "https://evil.example", None),
    ],
)
async def test_browsers_send_cookies_for_pages_of_cookie_mode_only(
    jeton: Running, app: App, path: str, origin: str, allowed: str | None
) -> None:
    jeton.add_client("plain", public=True, origins=frozenset({"https://plain.example"}))
    asked = {"Origin": origin, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "x-jeton"}

    preflight = await jeton.http.request("OPTIONS", path, headers=asked)
    answer = await jeton.post(path, app, {"Origin": origin, "X-Jeton": "1"}, grant_type="refresh_token")

    for response in (preflight, answer):
        assert response.headers.get("access-control-allow-credentials") == allowed
        assert allowed is None or response.headers["access-control-allow-origin"] == origin
