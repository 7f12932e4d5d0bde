"""Scope that is asked for, left out, narrowed and taken away (RFC 6749 sections 3.3 and 6)."""

from typing import Any
from uuid import uuid4

import httpx2
import pytest

from support.in_process_server import PASSWORD, App, Running, shared_server
from support.responses import outcome

BOTH = "read write"
NONE: frozenset[str] = frozenset()
READ = frozenset({"read"})
grants = pytest.mark.parametrize("grant_type", ["password", "client_credentials"])
jeton = shared_server("alice")


@pytest.fixture
def app(jeton: Running) -> App:
    return jeton.add_client(uuid4().hex)


async def ask(jeton: Running, app: App, grant_type: str, scope: str | None) -> httpx2.Response:
    more = {} if scope is None else {"scope": scope}
    return await jeton.token(app, None, grant_type=grant_type, username="alice", password=PASSWORD, **more)


@grants
@pytest.mark.requirement("A13", "A17", "A18", "A19", "I11")
@pytest.mark.parametrize(
    ("registered", "asked", "granted"),
    [
        pytest.param({}, "read", "read", id="one"),
        pytest.param({}, "write read", BOTH, id="any order"),
        pytest.param({}, "read read", "read", id="twice"),
        pytest.param({}, None, BOTH, id="left out: all that is registered"),
        pytest.param({}, "", BOTH, id="empty: all that is registered"),
        pytest.param({"default_scope": READ}, None, "read", id="left out: the default"),
        pytest.param({"default_scope": READ}, BOTH, BOTH, id="more than the default"),
        pytest.param({"scope": NONE}, None, None, id="no scope registered"),
    ],
)
async def test_scope_is_granted_told_and_in_the_token(
    jeton: Running, grant_type: str, registered: dict[str, Any], asked: str | None, granted: str | None
) -> None:
    app = jeton.add_client(uuid4().hex, **registered)

    answer = (await ask(jeton, app, grant_type, asked)).json()

    told = await jeton.introspect(app, answer["access_token"])
    assert (told["active"], answer.get("scope"), told.get("scope")) == (True, granted, granted)


@grants
@pytest.mark.requirement("A17", "A39", "O10")
@pytest.mark.parametrize("asked", ["admin", "read admin", "READ", "rea", "*", "read,write", "read  write", '"read"'])
async def test_anything_else_is_refused_as_a_whole(jeton: Running, app: App, grant_type: str, asked: str) -> None:
    assert outcome(await ask(jeton, app, grant_type, asked)) == (400, "invalid_scope")


@pytest.mark.requirement("A18", "A42", "A43")
async def test_refresh_may_narrow_the_access_token_but_never_the_session(jeton: Running, app: App) -> None:
    first = await jeton.log_in(app)

    narrowed = await jeton.refreshed(app, first["refresh_token"], scope="read")
    full = await jeton.refreshed(app, narrowed["refresh_token"])

    assert (narrowed["scope"], full["scope"]) == ("read", BOTH)
    assert (await jeton.introspect(app, narrowed["access_token"]))["scope"] == "read"
    assert (await jeton.introspect(app, full["access_token"]))["scope"] == BOTH


@pytest.mark.requirement("A42", "I07", "O03")
async def test_scope_is_lost_with_the_client_s_and_comes_back_with_it(jeton: Running, app: App) -> None:
    token = (await jeton.log_in(app))["refresh_token"]

    jeton.set_client(app.client_id, scope=READ)
    assert outcome(await jeton.refresh(app, token, scope=BOTH)) == (400, "invalid_scope")
    narrowed = await jeton.refreshed(app, token)
    jeton.set_client(app.client_id, scope=NONE)
    assert outcome(await jeton.refresh(app, narrowed["refresh_token"])) == (400, "invalid_scope")
    jeton.set_client(app.client_id, scope=frozenset({"read", "write", "admin"}))

    assert narrowed["scope"] == "read"
    assert (await jeton.refreshed(app, narrowed["refresh_token"]))["scope"] == BOTH
