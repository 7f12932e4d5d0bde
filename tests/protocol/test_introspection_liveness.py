"""RFC 7662 sections 2.2 and 4: a token is active only while everything that it depends on still is."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from jeton.oauth.users import User
from jeton.storage.clients import delete_client
from jeton.storage.families import end_families
from jeton.storage.users import delete_user
from support.in_process_server import App, Running

INACTIVE = {"active": False}
KINDS = ["access_token", "refresh_token"]
# The one kind of client_id that may be registered again.
METADATA_DOCUMENT = "https://app.example/client.json"


@dataclass(frozen=True)
class Session:
    """A server, an app, and a user of it who is logged in."""

    jeton: Running
    app: App
    user: User
    tokens: dict[str, Any]

    async def introspected(self, kind: str, app: App | None = None) -> dict[str, Any]:
        return await self.jeton.introspect(app or self.app, self.tokens[kind])


@pytest.fixture
async def session(jeton: Running) -> Session:
    app = jeton.add_client(METADATA_DOCUMENT, lifetimes={"access_seconds": 300, "refresh_idle_seconds": 1000})
    user = jeton.add_user()
    return Session(jeton, app, user, await jeton.log_in(app))


def _end_the_session(session: Session) -> None:
    with session.jeton.database.write() as connection:
        assert end_families(connection, session.jeton.clock.now(), "test", sub=session.user.sub) == 1


def _delete_the_user(session: Session) -> None:
    with session.jeton.database.write() as connection:
        delete_user(connection, session.user.sub)


@pytest.mark.requirement("D04", "D05", "D08", "O03")
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "end",
    [
        _end_the_session,
        _delete_the_user,
        lambda it: it.jeton.set_user(it.user.sub, disabled=True),
    ],
    ids=["its session was ended", "its user is gone", "its user is disabled"],
)
async def test_a_token_is_inactive_as_soon_as(session: Session, kind: str, end: Callable[[Session], None]) -> None:
    assert (await session.introspected(kind))["active"] is True

    end(session)

    assert await session.introspected(kind) == INACTIVE


@pytest.mark.requirement("D04", "D05", "D08")
@pytest.mark.parametrize(("kind", "seconds"), [("access_token", 300), ("refresh_token", 1000)], ids=KINDS)
async def test_a_token_is_active_until_the_second_it_expires(session: Session, kind: str, seconds: int) -> None:
    session.jeton.clock.advance(seconds - 1)
    assert (await session.introspected(kind))["active"] is True

    session.jeton.clock.advance(1)
    assert await session.introspected(kind) == INACTIVE


@pytest.mark.requirement("D05", "D08")
async def test_no_access_token_outlives_the_absolute_end_of_its_session(jeton: Running) -> None:
    app = jeton.add_client(METADATA_DOCUMENT, lifetimes={"refresh_idle_seconds": 100, "refresh_absolute_seconds": 100})
    jeton.add_user()
    tokens = await jeton.log_in(app)
    jeton.clock.advance(100)

    assert tokens["expires_in"] == 100
    assert await jeton.introspect(app, tokens["access_token"]) == INACTIVE


@pytest.mark.requirement("D05", "D08")
async def test_a_token_is_inactive_for_a_service_too_when_its_client_is_disabled(session: Session) -> None:
    api = session.jeton.add_client("api", introspect=True)
    session.jeton.set_client(session.app.client_id, disabled=True)

    assert await session.introspected("access_token", api) == INACTIVE


@pytest.mark.requirement("D05")
async def test_a_token_is_active_again_when_its_client_is_enabled_again(session: Session) -> None:
    session.jeton.set_client(session.app.client_id, disabled=True)
    session.jeton.set_client(session.app.client_id, disabled=False)

    assert (await session.introspected("access_token"))["active"] is True


@pytest.mark.requirement("D05", "D08")
@pytest.mark.parametrize("kind", KINDS)
async def test_a_client_registered_again_under_an_old_name_inherits_no_tokens(session: Session, kind: str) -> None:
    with session.jeton.database.write() as connection:
        delete_client(connection, session.app.client_id)
    session.jeton.clock.advance(1)
    heir = session.jeton.add_client(session.app.client_id)

    assert await session.introspected(kind, heir) == INACTIVE


@pytest.mark.requirement("D05")
async def test_a_client_s_own_token_dies_with_its_registration(jeton: Running) -> None:
    app = jeton.add_client(METADATA_DOCUMENT)
    token = (await jeton.token(app, grant_type="client_credentials")).json()["access_token"]
    with jeton.database.write() as connection:
        delete_client(connection, app.client_id)
    jeton.clock.advance(1)

    assert await jeton.introspect(jeton.add_client(app.client_id), token) == INACTIVE


@pytest.mark.requirement("D08")
@pytest.mark.parametrize("kind", KINDS)
async def test_a_scope_taken_away_from_the_client_is_gone_from_its_tokens(session: Session, kind: str) -> None:
    assert (await session.introspected(kind))["scope"] == "read write"

    session.jeton.set_client(session.app.client_id, scope=frozenset({"read"}))

    assert (await session.introspected(kind))["scope"] == "read"


@pytest.mark.requirement("D05", "D08")
@pytest.mark.parametrize("kind", KINDS)
async def test_a_token_whose_whole_scope_was_taken_away_is_inactive(session: Session, kind: str) -> None:
    session.jeton.set_client(session.app.client_id, scope=frozenset({"other"}))

    assert await session.introspected(kind) == INACTIVE


@pytest.mark.requirement("D08")
async def test_a_scope_given_later_is_not_added_to_old_tokens(session: Session) -> None:
    session.jeton.set_client(session.app.client_id, scope=frozenset({"read", "write", "admin"}))

    assert (await session.introspected("access_token"))["scope"] == "read write"


@pytest.mark.requirement("D05", "D08")
async def test_a_refresh_token_is_inactive_when_its_client_lost_the_grant(session: Session) -> None:
    session.jeton.set_client(session.app.client_id, grant_types=frozenset({"password"}))

    assert await session.introspected("refresh_token") == INACTIVE


@pytest.mark.requirement("D05", "D08")
async def test_a_client_s_own_token_is_inactive_when_it_lost_the_grant(jeton: Running) -> None:
    app = jeton.add_client()
    token = (await jeton.token(app, grant_type="client_credentials")).json()["access_token"]
    jeton.set_client(app.client_id, grant_types=frozenset({"password"}))

    assert await jeton.introspect(app, token) == INACTIVE


@pytest.mark.requirement("D08")
async def test_a_service_that_lost_the_right_to_introspect_hears_nothing_more(session: Session) -> None:
    api = session.jeton.add_client("api", introspect=True)
    assert (await session.introspected("access_token", api))["active"] is True

    session.jeton.set_client("api", introspect=False)

    assert await session.introspected("access_token", api) == INACTIVE


@pytest.mark.requirement("D05")
async def test_a_replay_makes_every_token_of_the_family_inactive(session: Session) -> None:
    after = await session.jeton.refreshed(session.app, session.tokens["refresh_token"])
    await session.jeton.refresh(session.app, session.tokens["refresh_token"])

    for token in (session.tokens["access_token"], after["access_token"], after["refresh_token"]):
        assert await session.jeton.introspect(session.app, token) == INACTIVE
