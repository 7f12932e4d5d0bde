"""Every statement of a request finds its rows by an index, even if PostgreSQL has no statistics of the tables."""

import json
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, Final

import psycopg
import pytest

from jeton.oauth.single_use import SingleUse
from jeton.storage.database import Database
from jeton.storage.ledger.replay_store import ReplayStore
from jeton.storage.raw_statement import execute_raw
from support.authorization_codes import add_app, redeem
from support.browsing import browser
from support.in_process_server import PASSWORD, App, Running, running, settings_for
from support.logout_receiver import deliver

pytestmark = [pytest.mark.postgresql, pytest.mark.requirement("O13")]

GROWING: Final = (
    *("families", "users", "ended_tokens", "invalid_statuses", "throttle_buckets", "single_uses"),
    *("browser_sessions", "browser_session_clients", "authorization_codes", "consents", "clients"),
    "logout_outbox",
)
_FILL: Final = """
    INSERT INTO users (sub, username, username_key, email_key, roles, disabled, created_at, password_version)
    SELECT 'u' || n, 'user' || n, 'user' || n, 'user' || n || '@x', '', false, 0, 1 FROM generate_series({0}, {1}) n;
    INSERT INTO families (sid, client_id, sub, scope, audience, auth_time, amr, created_at, rotated_at, idle_expires_at,
        absolute_expires_at, master_key_id, secret, generation, retries, access_expires_at, revoked_at)
    SELECT md5(n::text), 'web', 'u' || n, 'read', 'https://api.example', 0, 'pwd', 0, 0, 9e9, 9e9, '00000000',
        decode(repeat('ab', 32), 'hex'), 0, 0, 8e9, CASE WHEN n <= 20 THEN 5 END FROM generate_series({0}, {1}) n;
    INSERT INTO authorization_codes SELECT md5(n::text), 9e9, NULL, NULL FROM generate_series({0}, {1}) n;
    INSERT INTO browser_sessions (browser_session_id, sub, secret_digest, auth_time, amr, created_at, used_at,
        idle_expires_at, absolute_expires_at)
    SELECT 'b' || n, 'u' || n, decode(md5(n::text), 'hex'), 0, 'pwd', 0, 0, 9e9, 9e9 FROM generate_series({0}, {1}) n;
    INSERT INTO browser_session_clients SELECT 'b' || n, 'web' FROM generate_series({0}, {1}) n;
    INSERT INTO consents (sub, client_id, scope, resources, created_at, updated_at)
    SELECT 'u' || n, 'web', 'read', '', 0, 0 FROM generate_series({0}, {1}) n;
    INSERT INTO logout_outbox (browser_session_id, client_id, sub, created_at, expires_at)
    SELECT 'b' || n, 'web', 'u' || n, 0, 9e9 FROM generate_series({0}, {1}) n;
    INSERT INTO clients (client_id, public, created_at, disabled, introspect, auth_methods, grant_types, scope,
        default_scope, audience, claims, origins, lifetimes, registration, last_used_at, redirect_uris)
    SELECT 'dcr_' || n, true, 8e9, false, false, '', '', 'read', '', '', '', '', '{{}}', 'dynamic', 8e9,
        'https://app.example/' || repeat(md5(n::text), 10) FROM generate_series({0}, {1}) n;
    INSERT INTO ended_tokens SELECT 'j' || n, 9e9 FROM generate_series({0}, {1}) n;
    INSERT INTO invalid_statuses SELECT n + 1000000, 0 FROM generate_series({0}, {1}) n;
    INSERT INTO throttle_buckets SELECT decode(md5(n::text), 'hex'), 0, 1, 9e9 FROM generate_series({0}, {1}) n;
    INSERT INTO single_uses SELECT decode(md5(n::text), 'hex'), 9e9 FROM generate_series({0}, {1}) n
"""
# More than any request here needs, and far fewer than the smallest table holds.
_MAX_ROWS_READ: Final = 60
_PAGES: Final = "ORDER BY clients.client_id"


@pytest.fixture
async def node(new_postgresql: Callable[[], str], monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Running]:
    """A server on a separate database, whose statistics are gathered only on request."""
    monkeypatch.setattr("jeton.background.purge._MAX_ROWS", 10)
    # The replay store is counted up to this number, and then full.
    monkeypatch.setattr("jeton.storage.ledger.replay_store.MAX_ROWS", 10)
    monkeypatch.setattr(ReplayStore, "require_room", lambda _, registered: None)
    database = Database(url := new_postgresql())
    with database.write() as connection:
        for table in GROWING:
            connection.exec_driver_sql(f"ALTER TABLE {table} SET (autovacuum_enabled = off)")
    database.close()
    # Without metrics: what they count in the background grows with the tables, up to a limit.
    async with running(settings_for(url, REGISTRATION__DYNAMIC="open", METRICS__LISTEN="")) as server:
        yield server


@pytest.fixture
def autocommit(node: Running) -> Iterator["psycopg.Connection[Any]"]:
    """A separate connection to the database of the server."""
    with psycopg.connect(node.database.url.render_as_string(), autocommit=True) as connection:
        yield connection


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Each statement that the driver was given, with its last parameters."""
    found: dict[str, Any] = {}
    execute, executemany = psycopg.Cursor.execute, psycopg.Cursor.executemany

    def record_one(cursor: Any, query: Any, parameters: Any = None, **more: Any) -> Any:
        found[str(query)] = parameters
        return execute(cursor, query, parameters, **more)

    def record_many(cursor: Any, query: Any, rows: Any, **more: Any) -> Any:
        found[str(query)] = rows[0]
        return executemany(cursor, query, rows, **more)

    monkeypatch.setattr(psycopg.Cursor, "execute", record_one)
    monkeypatch.setattr(psycopg.Cursor, "executemany", record_many)
    return found


async def request_everything(node: Running, app: App) -> None:
    """Send each kind of request, and run what the background loop does between them."""
    first, second, third = [await node.log_in(app) for _ in range(3)]
    await node.token(app, grant_type="password", username="alice", password="a wrong password")
    rotated = await node.refreshed(app, first["refresh_token"])
    await node.refresh(app, first["refresh_token"])
    bearer = {"Authorization": f"Bearer {second['access_token']}"}
    await node.http.get("/account/sessions", headers=bearer)
    own = (await node.token(app, grant_type="client_credentials")).json()["access_token"]
    for token in (own, rotated["access_token"], second["refresh_token"]):
        await node.introspect(app, token)
    for token in (own, third["refresh_token"]):
        await node.revoke(app, token)
    await visit_pages(node)
    assert await node.server.parts.storage.replay_store.use(SingleUse(b"proof", node.clock.now()))
    assert (await node.change_password(second["access_token"], PASSWORD[::-1])).status_code == 200
    await register(node)
    await deliver(node)
    node.shared_state.refresh()
    node.purge.delete_expired_batch()


async def register(node: Running) -> None:
    """Register a public client, and one that changes and deletes itself."""
    metadata = {"redirect_uris": ["https://app.example/callback"]}
    shared = await node.http.post("/oauth/register", json={**metadata, "token_endpoint_auth_method": "none"})
    assert shared.status_code == 201
    own = (await node.http.post("/oauth/register", json=metadata)).json()
    headers = {"Authorization": f"Bearer {own['registration_access_token']}"}
    update = {"client_id": own["client_id"], **metadata}
    assert (await node.http.put(own["registration_client_uri"], json=update, headers=headers)).status_code == 200
    assert (await node.http.delete(own["registration_client_uri"], headers=headers)).status_code == 204


async def visit_pages(node: Running) -> None:
    """Sign in in two browsers, consent, redeem the code, and end each item of the account page."""
    app = add_app(node, refresh_token="always", backchannel_logout_uri="http://127.0.0.1:9/")
    async with browser(node) as other, browser(node) as visitor:
        await other.open_account()
        await visitor.allow(app)
        await redeem(node, app, visitor.answer["code"])
        for form in ("/me/sessions/end", "/me/apps/end", "/me/browsers/end", "/sign-out"):
            await visitor.submit_on("/me", form)


def plan_nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for below in plan.get("Plans", ()):
        yield from plan_nodes(below)


def of_growing_tables(sent: dict[str, Any]) -> dict[str, Any]:
    """Return the statements on growing tables. Each of these tables must have some.

    Those that take one page after the other, in the background, are left out: a small table is rightly read as a whole.
    """
    found = {it: sent[it] for it in sent if any(f" {table}" in it for table in GROWING) and _PAGES not in it}
    assert all(any(f" {table}" in it for it in found) for table in GROWING)
    assert len(found) > 20
    return found


def explain(statement: str) -> str:
    """Return an EXPLAIN, which also runs the statement if it can be run twice."""
    run = "ANALYZE, " if "INSERT INTO" not in statement or " DO UPDATE " in statement else ""
    return f"EXPLAIN ({run}FORMAT JSON)"


def faults_of(statement: str, plan: Any) -> list[str]:
    """Return the steps of the statement's plan that read more rows than needed."""
    faults = []
    for step in plan_nodes((json.loads(plan) if isinstance(plan, str) else plan)[0]["Plan"]):
        kind, reads = step["Node Type"], step.get("Relation Name") in GROWING and step["Node Type"] != "ModifyTable"
        removed = sum(step.get(f"Rows Removed by {it}", 0) for it in ("Filter", "Index Recheck", "Join Filter"))
        rows = (step.get("Actual Rows", 0) + removed) * step.get("Actual Loops", 1)
        if kind in ("Hash Join", "Merge Join") or (reads and (kind == "Seq Scan" or rows > _MAX_ROWS_READ)):
            faults.append(f"{kind}, {rows} rows: {statement}")
    return faults


class PreparedStatements:
    """Statements prepared in a session of a serving process that always uses generic plans."""

    def __init__(self, session: Any, statements: dict[str, Any]) -> None:
        self._session = session
        self._statements = statements
        session.execute("SET plan_cache_mode = force_generic_plan")
        for number, (sent, parameters) in enumerate(statements.items()):
            statement = sent
            for place, name in enumerate(parameters, 1):
                statement = statement.replace(f"%({name})s", f"${place}")
            session.execute(f"PREPARE p{number} AS {statement}")
        self.plans("EXPLAIN (FORMAT JSON)")

    def plans(self, explain_all: str | None = None) -> dict[str, Any]:
        """Return the plan of each statement. Changes are rolled back."""
        found = {}
        for number, (statement, parameters) in enumerate(self._statements.items()):
            values = f"({', '.join(['%s'] * len(parameters))})" if parameters else ""
            execute = f"{explain_all or explain(statement)} EXECUTE p{number}{values}"
            cursor: Any = psycopg.ClientCursor(self._session)
            # Not by the driver, which deallocates all prepared statements after a ROLLBACK of its own.
            self._session.pgconn.exec_(b"BEGIN")
            found[statement] = cursor.execute(execute, list(parameters.values())).fetchone()[0]
            self._session.pgconn.exec_(b"ROLLBACK")
        return found


async def begin(node: Running, connection: "psycopg.Connection[Any]", analysed: str) -> App:
    """Open a first session. `analysed` says when PostgreSQL gathers statistics."""
    app, _ = node.add_client(introspect=True, scope=frozenset({"account", "read"})), node.add_user()
    await node.log_in(app)
    if analysed == "while almost empty":
        connection.execute("ANALYZE")
    return app


def grow(connection: "psycopg.Connection[Any]", first: int, last: int, analysed: str) -> None:
    """Insert the rows with these numbers into each table."""
    connection.execute(_FILL.format(first, last).encode())
    if analysed == "now":
        connection.execute("ANALYZE")


@pytest.mark.parametrize("analysed", ["never", "while almost empty", "now"])
@pytest.mark.parametrize(
    "rows", [200, 3000, pytest.param(1_000_000, marks=[pytest.mark.slow, pytest.mark.timeout(900)])]
)
async def test_no_request_reads_more_of_a_growing_table_than_it_needs(
    node: Running, sent: dict[str, Any], autocommit: "psycopg.Connection[Any]", rows: int, analysed: str
) -> None:
    app = await begin(node, autocommit, analysed)
    grow(autocommit, 1, rows, analysed)
    # Filling a million rows takes longer than signing keys may be used without reading them again.
    node.shared_state.refresh()
    sent.clear()

    await request_everything(node, app)

    for statement, parameters in of_growing_tables(sent).items():
        query = f"{explain(statement)} {statement}"
        with node.database.write() as connection:
            plan = execute_raw(connection, lambda cursor: cursor.execute(query, parameters).fetchone()[0])  # noqa: B023
        assert faults_of(statement, plan) == []


@pytest.mark.parametrize("analysed", ["never", "while almost empty", "now"])
async def test_generic_plans_of_prepared_statements_read_no_more_than_they_need(
    node: Running, sent: dict[str, Any], autocommit: "psycopg.Connection[Any]", analysed: str
) -> None:
    app = await begin(node, autocommit, analysed)
    sent.clear()
    await request_everything(node, app)
    session: Any = node.database.engine.raw_connection()
    prepared = PreparedStatements(session.driver_connection, of_growing_tables(sent))
    for first, last in ((1, 200), (201, 3000)):
        grow(autocommit, first, last, analysed)

        plans = prepared.plans()

        assert [fault for statement, plan in plans.items() for fault in faults_of(statement, plan)] == []
    session.invalidate()
