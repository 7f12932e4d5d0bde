"""RFC 6750 and RFC 9068 section 4: who may enter by an access token, and what all others are told."""

from collections.abc import Awaitable, Callable
from typing import Any

import httpx2
import pytest
from sqlalchemy import delete

from jeton.storage.families import end_families
from jeton.storage.tables import families
from support.in_process_server import ISSUER, App, Running

StartServer = Callable[..., Awaitable[Running]]
ACCOUNT = frozenset({"account", "read"})
BARE = 'Bearer realm="jeton"'
SPA = "https://spa.example"
OPERATIONS = [
    ("GET", "/account"),
    ("POST", "/account/password"),
    ("GET", "/account/sessions"),
    ("DELETE", "/account/sessions"),
    ("DELETE", "/account/sessions/AAAAAAAAAAAAAAAAAAAAAA"),
]
everywhere = pytest.mark.parametrize(("method", "path"), OPERATIONS, ids=lambda it: it.strip("/"))


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    """One kind of database will do: what a token depends on is read by statements that introspection tests on both."""
    return sqlite_url


@pytest.fixture
def app(jeton: Running) -> App:
    jeton.add_user()
    return jeton.add_client(scope=ACCOUNT)


async def ask(
    jeton: Running, authorization: str | None, method: str = "GET", path: str = "/account", **options: Any
) -> httpx2.Response:
    headers = {**options.pop("headers", {}), **({"Authorization": authorization} if authorization is not None else {})}
    return await jeton.http.request(method, path, headers=headers, **options)


async def token(jeton: Running, app: App, **more: str) -> str:
    return f"Bearer {(await jeton.log_in(app, **more))['access_token']}"


def refusal(response: httpx2.Response) -> tuple[int, str | None]:
    """Status and code, which the challenge and the body tell alike."""
    error = response.json().get("error")
    challenge = response.headers["www-authenticate"]
    assert challenge.startswith(BARE)
    assert challenge.count("error=") == challenge.count("error_description=") == (error is not None)
    assert error is None or f', error="{error}", ' in challenge
    assert response.headers["cache-control"] == "no-store"
    return response.status_code, error


@pytest.mark.requirement("B01")
@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
async def test_a_token_in_the_authorization_header_lets_its_user_in(jeton: Running, app: App, scheme: str) -> None:
    authorization = (await token(jeton, app)).replace("Bearer", scheme)

    response = await ask(jeton, authorization)

    assert response.status_code == 200
    assert response.headers["cache-control"] == "no-store"
    assert response.json()["username"] == "alice"


@pytest.mark.parametrize("scope", ["account", "account read"])
async def test_the_scope_may_stand_alone_or_among_others(jeton: Running, app: App, scope: str) -> None:
    assert (await ask(jeton, await token(jeton, app, scope=scope))).status_code == 200


@pytest.mark.requirement("B05", "B06")
@everywhere
@pytest.mark.parametrize("authorization", [None, "Basic d2ViOnNlY3JldA==", ""], ids=["none", "Basic", "empty"])
async def test_who_sends_no_access_token_is_told_that_one_is_wanted_and_nothing_else(
    jeton: Running, method: str, path: str, authorization: str | None
) -> None:
    form = {"data": {"current_password": "x", "new_password": "y"}} if method == "POST" else {}

    response = await ask(jeton, authorization, method, path, **form)

    assert (response.status_code, response.json()) == (401, {})
    assert response.headers["www-authenticate"] == BARE


@pytest.mark.requirement("B05", "B07")
@everywhere
async def test_a_token_that_nobody_issued_is_refused(jeton: Running, method: str, path: str) -> None:
    form = {"data": {"current_password": "x", "new_password": "y"}} if method == "POST" else {}

    assert refusal(await ask(jeton, "Bearer garbage", method, path, **form)) == (401, "invalid_token")


@pytest.mark.requirement("B05", "B07", "B08")
@pytest.mark.parametrize(
    "change",
    [
        lambda bearer: bearer[:-6] + ("AAAAAA" if bearer[-6:] != "AAAAAA" else "BBBBBB"),
        lambda bearer: bearer.rpartition(".")[0] + ".",
        lambda bearer: bearer + "x" * 9000,
        lambda bearer: "Bearer",
        lambda bearer: "Bearer   ",
        lambda bearer: f"{bearer} {bearer}",
    ],
    ids=["signature changed", "no signature", "far too long", "nothing", "blanks", "two"],
)
async def test_a_token_that_was_changed_is_refused(jeton: Running, app: App, change: Callable[[str], str]) -> None:
    assert refusal(await ask(jeton, change(await token(jeton, app)))) == (401, "invalid_token")


@pytest.mark.requirement("B07")
async def test_a_refresh_token_is_no_access_token(jeton: Running, app: App) -> None:
    tokens = await jeton.log_in(app)

    assert refusal(await ask(jeton, f"Bearer {tokens['refresh_token']}")) == (401, "invalid_token")


@pytest.mark.requirement("O06")
@pytest.mark.parametrize(
    ("audience", "status"),
    [((), 200), ((ISSUER,), 200), (("https://orders.example", ISSUER), 200), (("https://orders.example",), 401)],
    ids=["by default", "this server", "this server too", "another service"],
)
async def test_a_token_lets_in_only_where_this_server_is_in_its_audience(
    jeton: Running, audience: tuple[str, ...], status: int
) -> None:
    jeton.add_user()
    app = jeton.add_client(scope=ACCOUNT, audience=audience)

    assert (await ask(jeton, await token(jeton, app))).status_code == status


# Whatever ends a token ends it here, at once.


async def _revoke(jeton: Running, app: App, tokens: dict[str, Any]) -> None:
    await jeton.revoke(app, tokens["access_token"])


async def _log_out(jeton: Running, app: App, tokens: dict[str, Any]) -> None:
    await jeton.revoke(app, tokens["refresh_token"])


async def _replay(jeton: Running, app: App, tokens: dict[str, Any]) -> None:
    for _ in range(2):
        await jeton.refresh(app, tokens["refresh_token"])


async def _end_by_operator(jeton: Running, app: App, tokens: dict[str, Any]) -> None:
    with jeton.database.write() as connection:
        end_families(connection, jeton.clock.now(), "test")


async def _forget_session(jeton: Running, app: App, tokens: dict[str, Any]) -> None:
    with jeton.database.write() as connection:
        connection.execute(delete(families))


async def _expire(jeton: Running, app: App, tokens: dict[str, Any]) -> None:
    jeton.clock.advance(tokens["expires_in"])


async def _disable_client(jeton: Running, app: App, tokens: dict[str, Any]) -> None:
    jeton.set_client(app.client_id, disabled=True)


async def _disable_user(jeton: Running, app: App, tokens: dict[str, Any]) -> None:
    found = jeton.keyring.verifier.verify(tokens["access_token"])
    assert found is not None
    jeton.set_user(found.claims["sub"], disabled=True)


@pytest.mark.requirement("B05", "B07", "O03", "O06")
@pytest.mark.parametrize(
    "end",
    [_revoke, _log_out, _replay, _end_by_operator, _forget_session, _expire, _disable_client, _disable_user],
    ids=lambda it: it.__name__.strip("_").replace("_", " "),
)
async def test_a_token_lets_nobody_in_any_more_once_it_or_what_it_stands_for_has_ended(
    jeton: Running, app: App, end: Callable[..., Awaitable[None]]
) -> None:
    tokens = await jeton.log_in(app)
    authorization = f"Bearer {tokens['access_token']}"
    assert (await ask(jeton, authorization)).status_code == 200

    await end(jeton, app, tokens)

    assert refusal(await ask(jeton, authorization)) == (401, "invalid_token")


# Scope: a client has it only where it was given it.


@pytest.mark.requirement("B07", "O10")
@everywhere
async def test_a_token_without_the_scope_is_told_which_one_is_wanted(
    jeton: Running, app: App, method: str, path: str
) -> None:
    form = {"data": {"current_password": "x", "new_password": "y"}} if method == "POST" else {}

    response = await ask(jeton, await token(jeton, app, scope="read"), method, path, **form)

    assert refusal(response) == (403, "insufficient_scope")
    assert response.headers["www-authenticate"].endswith(', scope="account"')


@pytest.mark.requirement("O10")
@pytest.mark.parametrize(
    "fields",
    [{}, {"public": True}, {"scope": frozenset()}, {"scope": frozenset({"accounts", "Account"})}],
    ids=["confidential", "public", "no scope", "names like it"],
)
async def test_no_client_gets_the_scope_that_was_not_given_it(jeton: Running, fields: dict[str, Any]) -> None:
    jeton.add_user()
    app = jeton.add_client(**fields)

    asked = await jeton.token(
        app, None, grant_type="password", username="alice", password="correct horse battery staple", scope="account"
    )
    by_default = await jeton.log_in(app)
    widened = await jeton.refresh(app, by_default["refresh_token"], scope="account")

    assert [asked.json()["error"], widened.json()["error"]] == ["invalid_scope", "invalid_scope"]
    assert "account" not in by_default.get("scope", "").split()
    assert refusal(await ask(jeton, f"Bearer {by_default['access_token']}")) == (403, "insufficient_scope")


@pytest.mark.requirement("O10")
async def test_a_client_in_its_own_name_gets_the_scope_only_where_given_and_has_no_account_even_then(
    jeton: Running,
) -> None:
    without, given = jeton.add_client("without"), jeton.add_client("given", scope=ACCOUNT)

    refused = await jeton.token(without, grant_type="client_credentials", scope="account")
    own = await jeton.token(given, grant_type="client_credentials", scope="account")

    assert refused.json()["error"] == "invalid_scope"
    assert refusal(await ask(jeton, f"Bearer {own.json()['access_token']}")) == (401, "invalid_token")


@pytest.mark.requirement("O10")
async def test_a_scope_taken_away_from_the_client_is_gone_at_once(jeton: Running, app: App) -> None:
    authorization = await token(jeton, app)
    jeton.set_client(app.client_id, scope=frozenset({"read"}))

    assert refusal(await ask(jeton, authorization)) == (403, "insufficient_scope")


# One way to send it.


@pytest.mark.requirement("B02", "B04", "K05")
@everywhere
@pytest.mark.parametrize("also_in_the_header", [False, True], ids=["alone", "beside the header"])
async def test_a_token_in_the_uri_is_refused(
    jeton: Running, app: App, method: str, path: str, also_in_the_header: bool
) -> None:
    authorization = await token(jeton, app)
    form = {"data": {"current_password": "x", "new_password": "y"}} if method == "POST" else {}

    response = await ask(
        jeton,
        authorization if also_in_the_header else None,
        method,
        path,
        params={"access_token": authorization.removeprefix("Bearer ")},
        **form,
    )

    assert refusal(response) == (400, "invalid_request")


@pytest.mark.requirement("B02", "B03")
@pytest.mark.parametrize("also_in_the_header", [False, True], ids=["alone", "beside the header"])
async def test_a_token_in_the_body_is_refused(jeton: Running, app: App, also_in_the_header: bool) -> None:
    authorization = await token(jeton, app)
    form = {"current_password": "x", "new_password": "y", "access_token": authorization.removeprefix("Bearer ")}

    response = await ask(jeton, authorization if also_in_the_header else None, "POST", "/account/password", data=form)

    assert refusal(response) == (400, "invalid_request")


@pytest.mark.requirement("B02")
async def test_two_authorization_headers_are_refused(jeton: Running, app: App) -> None:
    authorization = await token(jeton, app)

    response = await jeton.http.get(
        "/account", headers=[("Authorization", authorization), ("Authorization", authorization)]
    )

    assert (response.status_code, response.json()["error"]) == (400, "invalid_request")


@pytest.mark.requirement("B04", "O17")
@everywhere
@pytest.mark.parametrize(
    "query", ["unknown=1", "keep_current=true&keep_current=true", "keep_current=", "%zz", "x", "\u00e9=1", "&"]
)
async def test_what_has_no_place_in_the_uri_is_refused(
    jeton: Running, app: App, method: str, path: str, query: str
) -> None:
    response = await ask(jeton, await token(jeton, app), method, f"{path}?{query}")

    assert refusal(response) == (400, "invalid_request")


# Pages.


@pytest.mark.requirement("I14", "O12")
@everywhere
async def test_a_preflight_tells_pages_of_registered_origins_the_methods_of_the_path(
    jeton: Running, method: str, path: str
) -> None:
    jeton.add_client("spa", public=True, scope=ACCOUNT, origins=frozenset({SPA}))

    ours, others = [await jeton.http.options(path, headers={"Origin": it}) for it in (SPA, "https://evil.example")]

    assert ours.status_code == others.status_code == 204
    assert ours.headers["access-control-allow-origin"] == SPA
    assert method in ours.headers["access-control-allow-methods"].split(", ")
    assert not [name for name in others.headers if name.startswith("access-control")]


@pytest.mark.requirement("I14", "O12")
async def test_only_pages_of_the_client_s_own_origins_may_read_what_its_user_is_told(jeton: Running, app: App) -> None:
    jeton.add_client("other", public=True, origins=frozenset({"https://other.example"}))
    spa = jeton.add_client("spa", public=True, scope=ACCOUNT, origins=frozenset({SPA}))
    authorization = await token(jeton, spa)

    answers = {
        origin: await ask(jeton, authorization, headers={"Origin": origin})
        for origin in (SPA, "https://other.example", "https://evil.example")
    }

    assert {it.headers.get("access-control-allow-origin") for it in answers.values()} == {SPA, None}
    assert answers[SPA].headers["access-control-allow-origin"] == SPA
    assert {it.headers["vary"] for it in answers.values()} == {"Origin"}
