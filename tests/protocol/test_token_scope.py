"""RFC 6749 section 3.3: what is granted where scope is asked, left out, malformed or too much."""

import httpx2
import pytest

from support.in_process_server import PASSWORD, App, Running

BOTH = "read write"
GRANTS = ["password", "client_credentials"]
grants = pytest.mark.parametrize("grant_type", GRANTS)


async def ask(jeton: Running, app: App, grant_type: str, **more: str) -> httpx2.Response:
    return await jeton.token(app, None, grant_type=grant_type, username="alice", password=PASSWORD, **more)


async def granted(jeton: Running, app: App, grant_type: str, **more: str) -> str | None:
    """The scope that the answer tells; the token is seen to hold the same."""
    response = await ask(jeton, app, grant_type, **more)
    assert response.status_code == 200, response.text
    told = response.json().get("scope")
    introspected = await jeton.introspect(app, response.json()["access_token"])
    assert introspected["active"] is True
    assert introspected.get("scope") == told
    return None if told is None else str(told)


@pytest.fixture
def app(jeton: Running) -> App:
    jeton.add_user()
    return jeton.add_client()


@grants
@pytest.mark.requirement("A17", "A18")
@pytest.mark.parametrize(
    ("asked", "expected"),
    [("read", "read"), ("write", "write"), ("read write", BOTH), ("write read", BOTH), ("read read", "read")],
)
async def test_what_is_asked_and_registered_is_granted_and_told(
    jeton: Running, app: App, grant_type: str, asked: str, expected: str
) -> None:
    assert await granted(jeton, app, grant_type, scope=asked) == expected


@grants
@pytest.mark.requirement("A13", "A18", "A19")
@pytest.mark.parametrize("more", [{}, {"scope": ""}], ids=["left out", "empty"])
async def test_without_scope_all_that_is_registered_is_granted_and_told(
    jeton: Running, app: App, grant_type: str, more: dict[str, str]
) -> None:
    assert await granted(jeton, app, grant_type, **more) == BOTH


@grants
@pytest.mark.requirement("A18", "A19", "I11")
async def test_a_client_may_have_a_narrower_default(jeton: Running, grant_type: str) -> None:
    jeton.add_user()
    app = jeton.add_client(default_scope=frozenset({"read"}))

    assert await granted(jeton, app, grant_type) == "read"
    assert await granted(jeton, app, grant_type, scope=BOTH) == BOTH


@grants
@pytest.mark.requirement("A18", "A19")
async def test_a_client_without_scope_gets_a_token_without_scope(jeton: Running, grant_type: str) -> None:
    jeton.add_user()
    app = jeton.add_client(scope=frozenset())

    assert await granted(jeton, app, grant_type) is None


@grants
@pytest.mark.requirement("A17", "A39", "O10")
@pytest.mark.parametrize(
    "asked",
    [
        pytest.param("admin", id="not registered"),
        pytest.param("read admin", id="one of two not registered"),
        pytest.param("READ", id="another case"),
        pytest.param("rea", id="the beginning of one"),
        pytest.param("*", id="wildcard"),
        pytest.param("read,write", id="comma"),
        pytest.param("read  write", id="two spaces"),
        pytest.param(" read", id="leading space"),
        pytest.param("read\twrite", id="tab"),
        pytest.param('"read"', id="quotes"),
        pytest.param("lés", id="not ASCII"),
        pytest.param("read " * 500 + "read", id="too long"),
    ],
)
async def test_anything_else_is_refused_as_a_whole(jeton: Running, app: App, grant_type: str, asked: str) -> None:
    response = await ask(jeton, app, grant_type, scope=asked)

    assert (response.status_code, response.json()["error"]) == (400, "invalid_scope")


@pytest.mark.requirement("A18", "A42", "A43")
async def test_a_refresh_may_narrow_the_access_token_but_never_the_session(jeton: Running, app: App) -> None:
    first = await jeton.log_in(app)

    narrowed = await jeton.refreshed(app, first["refresh_token"], scope="read")
    full = await jeton.refreshed(app, narrowed["refresh_token"])

    assert (narrowed["scope"], full["scope"]) == ("read", BOTH)
    assert (await jeton.introspect(app, narrowed["access_token"]))["scope"] == "read"
    assert (await jeton.introspect(app, full["access_token"]))["scope"] == BOTH


@pytest.mark.requirement("A42", "I07")
async def test_a_session_of_narrow_scope_never_grows(jeton: Running, app: App) -> None:
    first = await jeton.log_in(app, scope="read")

    wider = await jeton.refresh(app, first["refresh_token"], scope=BOTH)

    assert (wider.status_code, wider.json()["error"]) == (400, "invalid_scope")
    assert (await jeton.refreshed(app, first["refresh_token"]))["scope"] == "read"


@pytest.mark.requirement("A42", "I07")
async def test_a_session_without_scope_stays_without(jeton: Running) -> None:
    jeton.add_user()
    app = jeton.add_client(scope=frozenset())
    first = await jeton.log_in(app)
    jeton.set_client(app.client_id, scope=frozenset({"read"}))

    assert "scope" not in await jeton.refreshed(app, first["refresh_token"])
