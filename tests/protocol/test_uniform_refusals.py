"""Refused logins and refused clients cost the same whether or not the name exists (ASVS 6.3.8)."""

import asyncio
from typing import Any

import pytest

from jeton.frozen import replace
from support.client_addresses import from_address
from support.in_process_server import App, Running, StartServer
from support.login_attempts import WRONG, attempt
from support.statement_recorder import statements_of

# bcrypt of PASSWORD at cost 4, as another system may have made it.
IMPORTED = "$2b$04$abcdefghijklmnopqrstuuFA8VCXmSMyd0uyAtKUWfYYbXaLqs8e2"
USERS: dict[str, dict[str, Any]] = {
    "alice": {},
    "disabled": {"disabled": True},
    "imported": {"password_hash": IMPORTED},
    "without": {"password_hash": None},
}
NAMES = (*USERS, "nobody", "not a name", "x" * 300, "\u200bno name")


@pytest.fixture(autouse=True)
def requests_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stop background work, so that only requests send statements."""
    for name in ("_BACKLOG_SECONDS", "_REFRESH_SECONDS"):
        monkeypatch.setattr(f"jeton.background.maintenance.{name}", 3600)


async def cost(jeton: Running, app: App, name: str, password: str = WRONG) -> tuple[int, list[str]]:
    """Return the status and the statements of a login."""
    await jeton.lookups.client(app.client_id)
    with statements_of(jeton) as sent:
        answer = await attempt(jeton, app, name, password)
    return answer.status_code, sent


@pytest.mark.both_databases
@pytest.mark.requirement("N15")
@pytest.mark.parametrize("limit", ["none", "address", "address, cached", "account"])
@pytest.mark.parametrize("password", [WRONG, "x" * 2000], ids=["wrong", "over-long"])
async def test_refused_login_costs_the_same_for_every_name(start: StartServer, limit: str, password: str) -> None:
    per_address, per_account = ("50", "2") if limit == "account" else ("2" if "address" in limit else "50", "10")
    jeton = await start(LIMITS__LOGIN_FAILURES_PER_ADDRESS=per_address, LIMITS__LOGIN_FAILURES_PER_ACCOUNT=per_account)
    app = jeton.add_client()
    for name, fields in USERS.items():
        jeton.add_user(name, **fields)
    for name in NAMES * 2 if limit == "account" else ("first", "second"):
        await cost(jeton, app, name)
    costs = {}
    for name in NAMES:
        jeton.clock.advance(2)
        if limit == "address, cached":
            await cost(jeton, app, "third")
        costs[name] = await cost(jeton, app, name, password)

    assert {status for status, _ in costs.values()} == {429 if "address" in limit else 400}
    assert costs == dict.fromkeys(NAMES, costs["nobody"])


@pytest.mark.requirement("N15")
@pytest.mark.parametrize("password", ["x" * 2000, WRONG], ids=["over-long", "wrong for an imported hash"])
async def test_only_checks_of_the_current_cost_set_the_duration_of_refusals(
    start: StartServer, monkeypatch: pytest.MonkeyPatch, password: str
) -> None:
    jeton = await start()
    app, _ = jeton.add_client(), jeton.add_user(password_hash=IMPORTED)
    # The first duration, which servers obtain at their start.
    await jeton.login.timing.run()
    recorded: list[float] = []
    monkeypatch.setattr(jeton.login.timing, "record", recorded.append)

    await attempt(jeton, app, "alice", password)
    assert recorded == []
    await attempt(jeton, app, "nobody")
    assert len(recorded) == 1


async def test_delayed_refusal_occupies_its_place_in_the_login_queue(
    start: StartServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    jeton = await start(LIMITS__LOGIN_FAILURES_PER_ACCOUNT="1")
    app = jeton.add_client()
    await attempt(jeton, app, "nobody")
    waiting, most, go_on = 0, 0, asyncio.Event()

    async def delay(_: float) -> None:
        nonlocal waiting, most
        waiting += 1
        most = max(most, waiting)
        await go_on.wait()
        waiting -= 1

    monkeypatch.setattr(jeton.login.timing, "delay", delay)
    refusals = [asyncio.create_task(attempt(jeton, app, "nobody")) for _ in range(6)]
    while waiting < 2:
        await asyncio.sleep(0)
    for _ in range(100):
        await asyncio.sleep(0)
    go_on.set()
    await asyncio.gather(*refusals)

    assert most == 2


@pytest.mark.both_databases
@pytest.mark.requirement("A09", "K06")
@pytest.mark.parametrize("path", ["/oauth/token", "/oauth/revoke", "/oauth/introspect"])
async def test_refused_client_costs_the_same_statements_for_every_client_id(start: StartServer, path: str) -> None:
    jeton = await start(LIMITS__SECRET_FAILURES_PER_CLIENT="2")
    app = jeton.add_client()
    jeton.add_client("disabled", disabled=True)
    jeton.add_client("post", auth_methods=frozenset({"client_secret_post"}))
    jeton.add_client("public", public=True)
    form = {"grant_type": "client_credentials", "token": "any"}
    names = ("web", "disabled", "post", "public", "nobody")
    guesses = {it: replace(app, client=replace(app.client, client_id=it), secret="wrong") for it in names}

    for expected in (401, 401, 429, 429):
        costs = {}
        for client_id, guess in guesses.items():
            jeton.lookups.clear_client_cache()
            await jeton.lookups.client("web")
            with statements_of(jeton) as sent:
                answer = await from_address(jeton, f"192.0.2.{len(client_id)}").post(path, guess, None, **form)
            costs[client_id] = (answer.status_code, sent)
        assert costs == dict.fromkeys(guesses, (expected, costs["nobody"][1]))


async def test_client_without_a_secret_costs_one_statement(start: StartServer) -> None:
    jeton = await start()
    app = jeton.add_client()
    for client_id in ("web", "nobody"):
        named = replace(app, client=replace(app.client, client_id=client_id), secret=None)
        with statements_of(jeton) as sent:
            await jeton.token(named, None, grant_type="client_credentials")
        assert len(sent) == 1
