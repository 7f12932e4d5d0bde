"""Sessions that move (session_binding): what clients, logs and the session list make of another network or device."""

from typing import Any

import httpx2
import pytest
from structlog.testing import capture_logs

from jeton.storage.families import list_families
from support.client_addresses import seen_from
from support.in_process_server import App, Running
from support.statement_recorder import statements_of

HOME, ABROAD = "192.0.2.1", "198.51.100.7"


async def refresh_from(
    jeton: Running, app: App, tokens: dict[str, Any], ip: str, agent: str = "one"
) -> httpx2.Response:
    form = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
    return await seen_from(jeton, ip).token(app, {"User-Agent": agent}, **form)


async def log_in_at_home(jeton: Running, binding: str) -> tuple[App, dict[str, Any]]:
    jeton.add_user()
    app = jeton.add_client(session_binding=binding)
    form = {"grant_type": "password", "username": "alice", "password": "correct horse battery staple"}
    return app, (await seen_from(jeton, HOME).token(app, {"User-Agent": "one"}, **form)).json()


def moves(jeton: Running) -> list[int]:
    """Those of all live sessions."""
    with jeton.database.read() as connection:
        return [it.moves for it in list_families(connection, jeton.clock.now())]


@pytest.mark.parametrize(("binding", "noticed"), [("off", 0), ("notice", 1)])
async def test_a_session_goes_on_elsewhere_and_is_noticed_where_the_client_wants_that(
    jeton: Running, binding: str, noticed: int
) -> None:
    app, tokens = await log_in_at_home(jeton, binding)

    with capture_logs() as lines:
        abroad = await refresh_from(jeton, app, tokens, ABROAD)
        there_still = await refresh_from(jeton, app, abroad.json(), ABROAD)

    assert [abroad.status_code, there_still.status_code] == [200, 200]
    assert moves(jeton) == [noticed]
    logged = [(it["ip"], it["moves"], it["client_id"]) for it in lines if it["event"] == "session_moved"]
    assert logged == [(ABROAD, 1, app.client_id)] * noticed


async def test_another_user_agent_is_noticed_too(jeton: Running) -> None:
    app, tokens = await log_in_at_home(jeton, "notice")

    assert (await refresh_from(jeton, app, tokens, HOME, "two")).status_code == 200

    assert moves(jeton) == [1]


async def test_user_agents_are_told_apart_by_their_first_256_characters(jeton: Running) -> None:
    app, tokens = await log_in_at_home(jeton, "strict")
    jeton.set_client(app.client_id, session_binding="off")
    tokens = (await refresh_from(jeton, app, tokens, HOME, "x" * 256)).json()
    jeton.set_client(app.client_id, session_binding="strict")

    assert (await refresh_from(jeton, app, tokens, HOME, "x" * 300)).status_code == 200


@pytest.mark.parametrize(("ip", "agent"), [(ABROAD, "one"), (HOME, "two")], ids=["network", "user agent"])
async def test_a_strict_client_s_session_ends_where_it_moves_with_all_its_tokens(
    jeton: Running, ip: str, agent: str
) -> None:
    app, tokens = await log_in_at_home(jeton, "strict")
    at_home = (await refresh_from(jeton, app, tokens, HOME)).json()

    elsewhere = await refresh_from(jeton, app, at_home, ip, agent)

    assert (elsewhere.status_code, elsewhere.json()["error"]) == (400, "invalid_grant")
    assert (await refresh_from(jeton, app, at_home, HOME)).json()["error"] == "invalid_grant"
    assert await jeton.introspect(app, at_home["access_token"]) == {"active": False}


async def test_a_setting_that_is_changed_holds_for_sessions_that_are_open(jeton: Running) -> None:
    app, tokens = await log_in_at_home(jeton, "off")
    jeton.set_client(app.client_id, session_binding="strict")

    assert (await refresh_from(jeton, app, tokens, ABROAD)).json()["error"] == "invalid_grant"


@pytest.mark.parametrize("binding", ["off", "notice", "strict"])
async def test_noticing_costs_a_refresh_no_statement(jeton: Running, binding: str) -> None:
    app, tokens = await log_in_at_home(jeton, binding)

    with statements_of(jeton) as statements:
        assert (await refresh_from(jeton, app, tokens, HOME)).status_code == 200

    *reads, write = [it.split()[0] for it in statements]
    assert (reads, write in ("UPDATE", "INSERT")) == (["SELECT"] * 3, True)
