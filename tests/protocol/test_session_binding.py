"""Sessions that move to another network or user agent (session_binding): responses, log lines, and the count of moves.

What counts as another network is decided, and tested, in oauth/refresh_rotation.py and rules/network_prefix.py.
"""

from typing import Any

import httpx2
import pytest
from structlog.testing import capture_logs

from jeton.storage.family_lists import list_families
from support.client_addresses import from_address
from support.in_process_server import PASSWORD, App, Running
from support.responses import outcome
from support.statement_recorder import statements_of

HOME, ABROAD = "192.0.2.1", "198.51.100.7"
REFUSED = (400, "invalid_grant")


async def refresh_from(
    jeton: Running, app: App, tokens: dict[str, Any], ip: str, agent: str = "one"
) -> httpx2.Response:
    form = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
    return await from_address(jeton, ip).token(app, {"User-Agent": agent}, **form)


async def log_in_at_home(jeton: Running, binding: str) -> tuple[App, dict[str, Any]]:
    jeton.add_user()
    app = jeton.add_client(session_binding=binding)
    form = {"grant_type": "password", "username": "alice", "password": PASSWORD}
    return app, (await from_address(jeton, HOME).token(app, {"User-Agent": "one"}, **form)).json()


@pytest.mark.both_databases
@pytest.mark.parametrize(
    ("binding", "ip", "agent", "counted"),
    [("off", ABROAD, "two", 0), ("notice", ABROAD, "one", 1), ("notice", HOME, "two", 1)],
    ids=["off", "network", "user agent"],
)
async def test_moved_session_continues_and_is_counted_and_logged_if_so_configured(
    jeton: Running, binding: str, ip: str, agent: str, counted: int
) -> None:
    app, tokens = await log_in_at_home(jeton, binding)

    with capture_logs() as lines:
        moved = await refresh_from(jeton, app, tokens, ip, agent)
        stayed = await refresh_from(jeton, app, moved.json(), ip, agent)

    assert [moved.status_code, stayed.status_code] == [200, 200]
    with jeton.database.read() as connection:
        assert [it.moves for it in list_families(connection, jeton.clock.now())] == [counted]
    logged = [(it["ip"], it["moves"], it["client_id"]) for it in lines if it["event"] == "session_moved"]
    assert logged == [(ip, 1, app.client_id)] * counted


@pytest.mark.both_databases
@pytest.mark.parametrize(
    ("ip", "agent"),
    [(ABROAD, "x" * 300), (HOME, "x" * 255)],
    ids=["network", "user agent, of which 256 characters are compared"],
)
async def test_session_of_a_client_that_has_become_strict_ends_with_all_its_tokens_if_it_moves(
    jeton: Running, ip: str, agent: str
) -> None:
    app, tokens = await log_in_at_home(jeton, "off")
    tokens = (await refresh_from(jeton, app, tokens, HOME, "x" * 256)).json()
    jeton.set_client(app.client_id, session_binding="strict")
    at_home = (await refresh_from(jeton, app, tokens, HOME, "x" * 300)).json()

    assert outcome(await refresh_from(jeton, app, at_home, ip, agent)) == REFUSED
    assert outcome(await refresh_from(jeton, app, at_home, HOME, "x" * 300)) == REFUSED
    assert await jeton.introspect(app, at_home["access_token"]) == {"active": False}


@pytest.mark.both_databases
@pytest.mark.parametrize("binding", ["off", "notice", "strict"])
async def test_session_binding_costs_a_refresh_no_statement(jeton: Running, binding: str) -> None:
    app, tokens = await log_in_at_home(jeton, binding)

    with statements_of(jeton) as statements:
        assert (await refresh_from(jeton, app, tokens, HOME)).status_code == 200

    *reads, write, record = [it.split()[0] for it in statements]
    assert (reads, write in ("UPDATE", "INSERT"), record) == (["SELECT"] * 3, True, "INSERT")
