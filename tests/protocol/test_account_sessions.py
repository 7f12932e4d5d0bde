"""GET and DELETE /account/sessions: users see where they are logged in, and log out elsewhere (ASVS 7.5.2)."""

from typing import Any

import httpx2
import pytest

from support.client_addresses import from_address
from support.in_process_server import PASSWORD, START, Running
from support.sessions import Session, are_live, new_session

PATH = "/account/sessions"
pytestmark = pytest.mark.requirement("O03", "O04")


@pytest.fixture
async def here(jeton: Running) -> Session:
    return await new_session(jeton, scope=frozenset({"account"}))


async def request(jeton: Running, session: Session, method: str = "GET", path: str = PATH) -> httpx2.Response:
    return await jeton.http.request(method, path, headers=session.bearer)


async def listed(jeton: Running, session: Session) -> list[dict[str, Any]]:
    response = await request(jeton, session)
    assert response.status_code == 200, response.text
    return list(response.json()["sessions"])


@pytest.mark.both_databases
async def test_session_is_listed_with_client_device_address_and_times(jeton: Running, here: Session) -> None:
    await jeton.revoke(here.app, here.refresh)
    form = {"grant_type": "password", "username": here.user.username, "password": PASSWORD}
    device = {"User-Agent": "Orders/1.0 (phone)"}
    tokens = (await from_address(jeton, "192.0.2.1").token(here.app, device, **form)).json()
    jeton.clock.advance(30)
    form = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
    tokens = (await from_address(jeton, "192.0.2.2").token(here.app, device, **form)).json()

    (session,) = await listed(jeton, Session(here.app, here.user, tokens))

    assert len(session.pop("sid")) == 22
    assert session == {
        "client_id": here.app.client_id,
        "current": True,
        "created_at": START,
        "last_used_at": START + 30,
        "expires_at": START + 30 + 14 * 86400,
        "address": "192.0.2.2",
        "user_agent": "Orders/1.0 (phone)",
    }


@pytest.mark.both_databases
async def test_only_live_sessions_of_the_user_are_listed_last_used_first(jeton: Running, here: Session) -> None:
    jeton.clock.advance(1)
    other = await new_session(jeton, user=here.user)
    ended = await new_session(jeton, here.app, here.user)
    await jeton.revoke(here.app, ended.refresh)
    await new_session(jeton, here.app)

    sessions = await listed(jeton, here)

    assert [(it["client_id"], it["current"]) for it in sessions] == [
        (other.app.client_id, False),
        (here.app.client_id, True),
    ]


async def test_session_of_another_user_is_not_found_like_an_unknown_one(jeton: Running, here: Session) -> None:
    theirs = await new_session(jeton, here.app)
    (session,) = await listed(jeton, theirs)
    sids = [session["sid"], "AAAAAAAAAAAAAAAAAAAAAA", "x", "%00", "%C3%A9"]

    answers = [await request(jeton, here, "DELETE", f"{PATH}/{it}") for it in sids]

    assert {(it.status_code, it.content) for it in answers} == {(404, answers[0].content)}
    assert answers[0].headers["cache-control"] == "no-store"
    assert await are_live(jeton, theirs) == [True]


@pytest.mark.both_databases
@pytest.mark.parametrize(
    ("path", "status", "ended", "alive"),
    [
        pytest.param("/{other}", 200, 1, [True, False], id="another"),
        pytest.param("/{own}", 200, 1, [False, True], id="its own"),
        pytest.param("?keep_current=false", 200, 2, [False, False], id="all"),
        pytest.param("?keep_current=true", 200, 1, [True, False], id="all others"),
        pytest.param("?keep_current=1", 400, None, [True, True], id="malformed"),
    ],
)
async def test_sessions_of_the_user_end_at_once_and_no_other(
    jeton: Running, here: Session, path: str, status: int, ended: int | None, alive: list[bool]
) -> None:
    there, stranger = await new_session(jeton, here.app, here.user), await new_session(jeton, here.app)
    sids = {"own" if it["current"] else "other": it["sid"] for it in await listed(jeton, here)}

    response = await request(jeton, here, "DELETE", PATH + path.format(**sids))

    assert (response.status_code, response.json().get("sessions_ended")) == (status, ended)
    assert await are_live(jeton, here, there, stranger) == [*alive, True]
    if path == "/{other}":
        assert (await request(jeton, here, "DELETE", f"{PATH}/{sids['other']}")).status_code == 404
