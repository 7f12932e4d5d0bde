"""Scope: requested, omitted, narrowed and removed; tokens of clients (RFC 6749 sections 3.3, 4.4 and 6)."""

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
async def test_granted_scope_is_in_the_response_and_in_the_token(
    jeton: Running, grant_type: str, registered: dict[str, Any], asked: str | None, granted: str | None
) -> None:
    app = jeton.add_client(uuid4().hex, **registered)

    answer = (await ask(jeton, app, grant_type, asked)).json()

    told = await jeton.introspect(app, answer["access_token"])
    assert (told["active"], answer.get("scope"), told.get("scope")) == (True, granted, granted)


@grants
@pytest.mark.requirement("A17", "A39", "O10")
@pytest.mark.parametrize("asked", ["admin", "read admin", "READ", "rea", "*", "read,write", "read  write", '"read"'])
async def test_request_with_any_other_scope_is_refused_as_a_whole(
    jeton: Running, app: App, grant_type: str, asked: str
) -> None:
    assert outcome(await ask(jeton, app, grant_type, asked)) == (400, "invalid_scope")


# The client credentials grant (section 4.4).


async def claims_of(jeton: Running, app: App, **more: str) -> dict[str, object]:
    response = await jeton.token(app, None, grant_type="client_credentials", **more)
    assert response.status_code == 200, response.text
    assert response.json().keys() == {"access_token", "token_type", "expires_in", "scope"}
    return jeton.claims(response.json()["access_token"])


@pytest.mark.requirement("A14", "A25", "A26", "A32", "F02", "G02", "G03")
async def test_token_names_the_client_and_neither_user_nor_session(jeton: Running) -> None:
    user = jeton.add_user(uuid4().hex)
    app = jeton.add_client(uuid4().hex, claims=frozenset({"preferred_username", "email"}))
    named = {"username": user.username, "password": "x", "sub": user.sub, "refresh_token": "x"}

    first, second = await claims_of(jeton, app), await claims_of(jeton, app, **named)

    assert first.keys() == {"iss", "sub", "aud", "exp", "iat", "jti", "client_id", "scope", "status"}
    assert (first["sub"], first["client_id"]) == (app.client_id, app.client_id)
    assert second == first | {"jti": second["jti"], "status": second["status"]}
    assert second["jti"] != first["jti"]


@pytest.mark.requirement("A25", "A39", "O07")
async def test_public_client_is_unauthorized_although_it_has_the_grant(jeton: Running) -> None:
    app = jeton.add_client(uuid4().hex, public=True, grant_types=frozenset({"client_credentials"}))

    assert outcome(await jeton.token(app, grant_type="client_credentials")) == (400, "unauthorized_client")
