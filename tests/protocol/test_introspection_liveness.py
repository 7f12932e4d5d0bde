"""Liveness (RFC 7662 sections 2.2 and 4): a token is active only while everything that it depends on is."""

from collections.abc import Callable

import pytest

from jeton.storage.clients import delete_client
from jeton.storage.families import end_families
from jeton.storage.users import delete_user
from support.in_process_server import App, Running
from support.sessions import Session, new_session

INACTIVE = {"active": False}
pytestmark = pytest.mark.both_databases


async def are_active(jeton: Running, session: Session, app: App | None = None) -> list[bool]:
    """Whether the access token and the refresh token are."""
    told = [await jeton.introspect(app or session.app, token) for token in (session.access, session.refresh)]
    assert all(it["active"] or it == INACTIVE for it in told)
    return [it["active"] for it in told]


def end_session(jeton: Running, session: Session) -> None:
    with jeton.database.write() as connection:
        assert end_families(connection, jeton.clock.now(), "test", sub=session.user.sub) == 1


def remove_user(jeton: Running, session: Session) -> None:
    with jeton.database.write() as connection:
        delete_user(connection, session.user.sub)


def register_again(jeton: Running, session: Session) -> None:
    with jeton.database.write() as connection:
        delete_client(connection, session.app.client_id)
    jeton.clock.advance(1)
    jeton.add_client(session.app.client_id, secret_digest=session.app.client.secret_digest)


ENDS: dict[str, Callable[[Running, Session], None]] = {
    "session ended": end_session,
    "user deleted": remove_user,
    "user disabled": lambda jeton, it: jeton.set_user(it.user.sub, disabled=True),
    "whole scope lost": lambda jeton, it: jeton.set_client(it.app.client_id, scope=frozenset({"other"})),
    "client registered again": register_again,
}


@pytest.mark.requirement("D04", "D05", "D08", "O03")
async def test_tokens_are_inactive_as_soon_as_what_they_depend_on_has_ended(jeton: Running) -> None:
    for number, (name, end) in enumerate(ENDS.items()):
        # The one kind of client_id that may be registered again.
        session = await new_session(jeton, jeton.add_client(f"https://app.example/{number}.json"))
        assert await are_active(jeton, session) == [True, True]
        end(jeton, session)
        assert await are_active(jeton, session) == [False, False], name


@pytest.mark.requirement("D05", "D08")
async def test_tokens_are_active_until_the_second_they_expire(jeton: Running) -> None:
    lifetimes = {"access_seconds": 300, "refresh_idle_seconds": 1000}
    session = await new_session(jeton, lifetimes=lifetimes)
    short = await new_session(jeton, lifetimes={"refresh_idle_seconds": 100, "refresh_absolute_seconds": 100})
    assert short.tokens["expires_in"] == 100

    active = []
    for seconds in (99, 1, 199, 1, 699, 1):
        jeton.clock.advance(seconds)
        active.append((*await are_active(jeton, short), *await are_active(jeton, session)))

    assert active == [
        (True, True, True, True),
        (False, False, True, True),
        (False, False, True, True),
        (False, False, False, True),
        (False, False, False, True),
        (False, False, False, False),
    ]


@pytest.mark.requirement("D05", "D08")
async def test_access_token_is_inactive_for_a_resource_server_while_its_client_is_disabled(jeton: Running) -> None:
    api, session = jeton.add_client("api", introspect=True), await new_session(jeton)
    active = []
    for disabled in (True, False):
        jeton.set_client(session.app.client_id, disabled=disabled)
        active.append((await jeton.introspect(api, session.access))["active"])
    jeton.set_client("api", introspect=False)

    assert active == [False, True]
    assert await jeton.introspect(api, session.access) == INACTIVE


@pytest.mark.requirement("D08")
async def test_scope_is_what_both_the_token_and_the_client_have(jeton: Running) -> None:
    session = await new_session(jeton)
    for scope, expected in (({"read", "write", "admin"}, "read write"), ({"read"}, "read")):
        jeton.set_client(session.app.client_id, scope=frozenset(scope))
        for token in (session.access, session.refresh):
            assert (await jeton.introspect(session.app, token))["scope"] == expected


@pytest.mark.requirement("D05", "D08")
async def test_token_is_inactive_when_its_client_has_lost_the_grant(jeton: Running) -> None:
    session = await new_session(jeton)
    own = (await jeton.token(session.app, grant_type="client_credentials")).json()["access_token"]
    assert (await jeton.introspect(session.app, own))["active"] is True
    jeton.set_client(session.app.client_id, grant_types=frozenset({"password"}))

    assert await are_active(jeton, session) == [True, False]
    assert await jeton.introspect(session.app, own) == INACTIVE


@pytest.mark.requirement("D05")
async def test_client_credentials_token_ends_with_the_registration(jeton: Running) -> None:
    session = await new_session(jeton, jeton.add_client("https://app.example/client.json"))
    own = (await jeton.token(session.app, grant_type="client_credentials")).json()["access_token"]
    register_again(jeton, session)

    assert await jeton.introspect(session.app, own) == INACTIVE


@pytest.mark.requirement("D05")
async def test_replay_makes_every_token_of_the_session_inactive(jeton: Running) -> None:
    session = await new_session(jeton)
    after = Session(session.app, session.user, await jeton.refreshed(session.app, session.refresh))
    await jeton.refresh(session.app, session.refresh)

    assert await are_active(jeton, session) == [False, False]
    assert await are_active(jeton, after) == [False, False]
