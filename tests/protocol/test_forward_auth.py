"""Forward authentication: which requests of a page are forwarded with an access token (RFC 10017 section 6.1)."""

import httpx2
import pytest

from jeton.crypto.refresh_token import generate_sid
from support.cookie_pages import LOGIN, ORIGIN, PAGE, add_page, log_in, refreshed, sent_cookie
from support.dpop import DpopKey
from support.in_process_server import App, Running, StartServer
from support.responses import outcome
from support.signing_keys import revoke_key, signer_of

PATH = "/oauth/forward-auth"
ACCESS_SECONDS = 600


@pytest.fixture
def api(jeton: Running) -> App:
    """The API behind the proxy, as a client that introspects the tokens it receives."""
    return jeton.add_client("api", introspect=True, audience=("https://api.example",))


@pytest.fixture
def app(jeton: Running) -> App:
    return page_of(jeton)


def page_of(jeton: Running) -> App:
    """Return a page in cookie mode of a new user."""
    jeton.add_user()
    return add_page(jeton, audience=("https://api.example",), scope=frozenset({"read"}))


async def ask(
    jeton: Running, app: App, cookie: str | None, headers: dict[str, str] | None = None, path: str = PATH
) -> httpx2.Response:
    sent = (PAGE if headers is None else headers) | ({} if cookie is None else {"Cookie": cookie})
    return await jeton.http.get(path, params={"client_id": app.client_id}, headers=sent)


async def forwarded(jeton: Running, app: App, cookie: str) -> str:
    """Return the access token with which the request of the page is forwarded."""
    response = await ask(jeton, app, cookie)
    assert response.status_code == 204, response.text
    scheme, _, token = response.headers["authorization"].partition(" ")
    assert scheme == "Bearer"
    return str(token)


@pytest.mark.both_databases
@pytest.mark.requirement("BB08")
async def test_request_of_the_page_is_forwarded_with_an_access_token(jeton: Running, app: App, api: App) -> None:
    cookie = await log_in(jeton, app)
    jeton.clock.advance(100)

    response = await ask(jeton, app, cookie)

    assert (response.headers["cache-control"], "set-cookie" in response.headers) == ("no-store", False)
    assert "access-control-allow-origin" not in response.headers
    seen = await jeton.introspect(api, response.headers["authorization"].removeprefix("Bearer "))
    assert (seen["active"], seen["scope"], seen["client_id"]) == (True, "read", "spa")
    assert seen["exp"] == jeton.clock.now() + ACCESS_SECONDS


@pytest.mark.requirement("BB08")
async def test_page_behind_a_web_server_with_forward_auth_gets_no_token(jeton: Running, app: App) -> None:
    behind = PAGE | {"X-Jeton-Forward-Auth": "1"}

    responses = [await jeton.token(app, behind, **LOGIN)]
    responses.append(await jeton.token(app, behind, grant_type="refresh_token"))

    assert [sorted(it.json()) for it in responses] == [["expires_in", "scope", "token_type"]] * 2
    assert await forwarded(jeton, app, sent_cookie(jeton))


async def test_token_is_kept_until_shortly_before_it_expires(jeton: Running, app: App) -> None:
    cookie = await log_in(jeton, app)
    jeton.clock.advance(1)

    first = await forwarded(jeton, app, cookie)
    jeton.clock.advance(ACCESS_SECONDS - 31)
    second = await forwarded(jeton, app, cookie)
    jeton.clock.advance(1)
    third = await forwarded(jeton, app, cookie)

    assert first == second != third


@pytest.mark.requirement("DP09", "L14")
async def test_a_session_that_is_bound_to_a_key_is_not_forwarded_as_bearer(jeton: Running, app: App) -> None:
    cookie = await log_in(jeton, app, DPoP=DpopKey().proof())

    assert outcome(await ask(jeton, app, cookie)) == (401, "invalid_token")
    unbound = await log_in(jeton, app)
    jeton.set_client(app.client_id, require_dpop=True)
    assert outcome(await ask(jeton, app, unbound)) == (401, "invalid_token")


async def test_a_session_that_is_bound_to_its_source_is_not_forwarded_from_elsewhere(jeton: Running, app: App) -> None:
    jeton.set_client(app.client_id, session_binding="strict")
    cookie = await log_in(jeton, app)
    for _ in range(2):  # with a token that was kept for the page, too
        assert outcome(await ask(jeton, app, cookie, PAGE | {"User-Agent": "another"})) == (401, "invalid_token")
        assert await forwarded(jeton, app, cookie)


@pytest.mark.parametrize("end", ["logout", "password", "client", "replay"])
async def test_kept_token_is_not_used_after_the_session_has_ended(jeton: Running, app: App, api: App, end: str) -> None:
    cookie = await log_in(jeton, app)
    token, newest = await forwarded(jeton, app, cookie), cookie
    if end == "logout":
        await jeton.post("/oauth/session/logout", app, PAGE | {"Cookie": cookie})
    elif end == "password":
        jeton.set_user((await jeton.introspect(api, token))["sub"], disabled=True)
    elif end == "client":
        jeton.set_client(app.client_id, disabled=True)
    else:
        newest = await refreshed(jeton, app, cookie)
        await jeton.token(app, PAGE | {"Cookie": cookie}, grant_type="refresh_token")

    answers = [await ask(jeton, app, it) for it in (cookie, newest)]

    assert [it.status_code for it in answers] == [401, 401]
    assert not [it for it in answers if "authorization" in it.headers]
    assert not (await jeton.introspect(api, token))["active"]


async def test_kept_token_is_replaced_after_its_signing_key_was_revoked(jeton: Running, app: App, api: App) -> None:
    cookie = await log_in(jeton, app)
    jeton.clock.advance(1)
    revoke_key(jeton, signer_of(await forwarded(jeton, app, cookie)))

    token = await forwarded(jeton, app, cookie)

    assert (await jeton.introspect(api, token))["active"]


async def test_spent_cookie_is_refused_and_ends_nothing(jeton: Running, app: App) -> None:
    first = await log_in(jeton, app)
    second = await refreshed(jeton, app, first)

    assert outcome(await ask(jeton, app, first)) == (401, "invalid_token")
    assert await forwarded(jeton, app, second)


@pytest.mark.requirement("K07")
@pytest.mark.parametrize(("path", "unknown"), [(PATH, 401), ("/oauth/session", 200)])
async def test_forged_tokens_count_against_the_address_and_a_genuine_one_is_never_refused(
    start: StartServer, path: str, unknown: int
) -> None:
    jeton = await start(LIMITS__TOKEN_FAILURES_PER_ADDRESS="3")
    app = page_of(jeton)
    cookie = await log_in(jeton, app)
    name, _ = cookie.split("=")
    made_up = jeton.refresh_tokens.derive(generate_sid(), 0, jeton.server.parts.master_key_id, b"x" * 32)

    answers = [await ask(jeton, app, f"{name}={made_up}", path=path) for _ in range(5)]

    assert [it.status_code for it in answers] == [unknown, unknown, unknown, 429, 429]
    assert (await ask(jeton, app, cookie, path=path)).is_success


@pytest.mark.requirement("BB13", "BB14")
@pytest.mark.parametrize(
    ("status", "headers"),
    [
        # Any site may cause a navigation: it passes, without a token.
        (204, {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Site": "cross-site"}),
        (204, {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Site": "none"}),
        (401, {}),
        (401, {"Sec-Fetch-Mode": "cors", "Sec-Fetch-Site": "same-origin"}),
        (401, {"Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Site": "cross-site"}),
        (403, {"X-Jeton": "1"}),
        (403, {"X-Jeton": "1", "Sec-Fetch-Mode": "navigate"}),
        (403, {"X-Jeton": "1", "Origin": "https://evil.example"}),
        (403, {"X-Jeton": "1", "Origin": ORIGIN, "Sec-Fetch-Site": "cross-site"}),
    ],
)
async def test_other_requests_get_no_token(jeton: Running, app: App, status: int, headers: dict[str, str]) -> None:
    response = await ask(jeton, app, await log_in(jeton, app), headers)

    assert (response.status_code, "authorization" in response.headers) == (status, False)


@pytest.mark.requirement("BB15")
async def test_authorization_header_of_the_page_is_ignored(jeton: Running, app: App) -> None:
    cookie = await log_in(jeton, app)

    with_it = await ask(jeton, app, cookie, PAGE | {"Authorization": "Bearer stolen"})
    alone = await ask(jeton, app, None, PAGE | {"Authorization": "Bearer stolen"})

    assert "stolen" not in with_it.headers["authorization"]
    assert outcome(alone) == (401, "invalid_token")
    assert "authorization" not in alone.headers
