"""Refreshing: rotation, what a replay ends, and lost answers (RFC 6749 section 6, RFC 9700 section 4.14)."""

from typing import Any

import httpx2
import pytest
from structlog.testing import capture_logs

from jeton.storage.family_lists import list_families
from support.client_addresses import from_address
from support.in_process_server import PASSWORD, App, Running
from support.responses import outcome
from support.statement_recorder import statements_of

REFUSED = (400, "invalid_grant")
both_kinds_of_client = pytest.mark.parametrize("public", [False, True], ids=["confidential", "public"])


async def refreshed_times(jeton: Running, app: App, times: int) -> list[dict[str, Any]]:
    """Log in, and refresh this number of times. Return all token responses in the order of their issue."""
    issued = [await jeton.log_in(app)]
    for _ in range(times):
        issued.append(await jeton.refreshed(app, issued[-1]["refresh_token"]))
    return issued


@pytest.mark.both_databases
@pytest.mark.requirement("A44", "G04", "I05", "K03", "O01")
async def test_refresh_issues_new_tokens_of_the_same_session_and_ends_no_access_token(jeton: Running, app: App) -> None:
    first, of_another_session = await jeton.log_in(app), await jeton.log_in(app)
    second = await jeton.refreshed(app, first["refresh_token"])
    issued = (first, second, of_another_session)
    told = [await jeton.introspect(app, it["access_token"]) for it in issued]

    assert [it["active"] for it in told] == [True, True, True]
    assert told[0]["sid"] == told[1]["sid"] != told[2]["sid"]
    assert len({it["jti"] for it in told}) == len({it["refresh_token"] for it in issued}) == 3


@pytest.mark.both_databases
@both_kinds_of_client
@pytest.mark.requirement("A47", "I05", "I08", "K03", "O08")
@pytest.mark.parametrize(
    ("replayed", "scope"),
    [(0, None), (2, None), (2, "admin")],
    ids=["the first token", "the parent", "the parent, with too much scope"],
)
async def test_replay_of_any_earlier_token_ends_the_session_and_no_other(
    jeton: Running, public: bool, replayed: int, scope: str | None
) -> None:
    jeton.add_user()
    app, api = jeton.add_client(public=public), jeton.add_client("api", introspect=True)
    [laptop], phone = await refreshed_times(jeton, app, 0), await refreshed_times(jeton, app, 3)

    await jeton.refresh(app, phone[replayed]["refresh_token"], **({"scope": scope} if scope else {}))

    assert outcome(await jeton.refresh(app, phone[-1]["refresh_token"])) == REFUSED
    assert [await jeton.introspect(api, it["access_token"]) for it in phone] == [{"active": False}] * 4
    assert await jeton.refreshed(app, laptop["refresh_token"])
    assert await jeton.log_in(app)


# A lost answer: the same refresh again, by Idempotency-Key or in the grace period of the client (RFC 9700 4.14.2).
# Which repetitions are permitted is decided, and tested, in oauth/refresh_rotation.py; many at once are in
# storage/test_session_races.py, with and without grace period.


@pytest.mark.both_databases
@pytest.mark.requirement("A43", "I08")
@pytest.mark.parametrize(("after", "scope"), [(0, "read write"), (300, "read write"), (1, "read")])
async def test_same_request_with_the_same_key_gets_the_same_answer_and_ends_no_session(
    jeton: Running, app: App, after: int, scope: str
) -> None:
    token = (await jeton.log_in(app))["refresh_token"]
    first = await jeton.refresh(app, token, "key", scope=scope)
    jeton.clock.advance(after)

    repeated = await jeton.refresh(app, token, "key", scope=scope)

    assert (repeated.status_code, repeated.content) == (200, first.content)
    assert repeated.json()["scope"] == scope
    assert await jeton.refreshed(app, repeated.json()["refresh_token"])
    assert outcome(await jeton.refresh(app, token, "key", scope=scope)) == REFUSED


@pytest.mark.requirement("O16")
async def test_key_has_no_meaning_for_other_grants(jeton: Running, app: App) -> None:
    headers = {"Idempotency-Key": "key"}
    answers = [await jeton.token(app, headers, grant_type="client_credentials") for _ in range(2)]

    assert answers[0].json()["access_token"] != answers[1].json()["access_token"]


# Sessions that move to another network or user agent (session_binding). What counts as another network is decided, and
# tested, in oauth/refresh_rotation.py and rules/network_prefix.py.


HOME, ABROAD = "192.0.2.1", "198.51.100.7"


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
@pytest.mark.parametrize("binding", ["off", "notice", "strict"])
async def test_session_binding_costs_a_refresh_no_statement(jeton: Running, binding: str) -> None:
    app, tokens = await log_in_at_home(jeton, binding)

    with statements_of(jeton) as statements:
        assert (await refresh_from(jeton, app, tokens, HOME)).status_code == 200

    *reads, write, record = [it.split()[0] for it in statements]
    assert (reads, write in ("UPDATE", "INSERT"), record) == (["SELECT"] * 3, True, "INSERT")
