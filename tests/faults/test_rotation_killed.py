"""A node killed with SIGKILL while it rotates the signing keys (RFC 7517): one key signs, and it is published."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import httpx2
import jwt
import pytest
from sqlalchemy import Engine, create_engine, text

from support.crashable_postgresql import Cluster
from support.in_process_server import PASSWORD
from support.lock_contention import until
from support.refresh_load import CLIENT_ID, CONNECTION_ERRORS, TIMEOUT_SECONDS, add_accounts
from support.server_processes import ServerProcess, server_process

pytestmark = [pytest.mark.postgresql, pytest.mark.slow]

_LET_GO: Final = 815
_DAYS: Final = 100 * 86400
# Each of the three rows that a rotation writes is a step before and after it is written; the commit is the last.
_POINTS: Final = range(1, 8)
_FAULTS: Final = """
CREATE TABLE fault (stop_at bigint NOT NULL);
INSERT INTO fault VALUES (0);
CREATE SEQUENCE passed;
CREATE FUNCTION pass_or_stop() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (SELECT stop_at FROM fault) > 0 AND nextval('passed') = (SELECT stop_at FROM fault) THEN
        PERFORM pg_advisory_xact_lock(815);
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER a_before BEFORE INSERT OR UPDATE ON signing_keys FOR EACH ROW EXECUTE FUNCTION pass_or_stop();
CREATE TRIGGER b_after AFTER INSERT OR UPDATE ON signing_keys FOR EACH ROW EXECUTE FUNCTION pass_or_stop();
CREATE CONSTRAINT TRIGGER c_commit AFTER INSERT OR UPDATE ON signing_keys DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION pass_or_stop();
CREATE ROLE node_0 SUPERUSER LOGIN;
CREATE ROLE node_1 SUPERUSER LOGIN;
"""
_STOPPED: Final = text(
    "SELECT usename FROM pg_stat_activity JOIN pg_locks USING (pid)"
    " WHERE locktype = 'advisory' AND NOT granted AND objid = :lock AND datname = current_database()"
)
_LATER: Final = text(
    "UPDATE signing_keys SET created_at = created_at - :seconds, ready_at = ready_at - :seconds,"
    " activated_at = activated_at - :seconds, gone_at = gone_at - :seconds"
)


@dataclass
class RotationFaults:
    """Stops the rotating node at a chosen step, and tells which node it is."""

    engine: Engine

    def active(self) -> list[str]:
        with self.engine.connect() as connection:
            return list(connection.scalars(text("SELECT kid FROM signing_keys WHERE state = 'active'")))

    def make_rotation_due(self, stop_at: int) -> None:
        """Move all keys a hundred days into the past. The rotating node then waits at that step."""
        with self.engine.begin() as connection:
            connection.execute(_LATER, {"seconds": _DAYS})
        # Not earlier, because the commit of the update above passes these steps too.
        with self.engine.begin() as connection:
            connection.execute(text("SELECT setval('passed', 1, false)"))
            connection.execute(text("UPDATE fault SET stop_at = :stop_at"), {"stop_at": stop_at})

    @contextmanager
    def rotation_stopped_at(self, point: int) -> Iterator[None]:
        """Make a rotation due, which waits at its `point`-th step until the end of the block."""
        with self.engine.connect() as holding, holding.begin():
            holding.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LET_GO})
            self.make_rotation_due(point)
            yield
        with self.engine.begin() as connection:
            connection.execute(text("UPDATE fault SET stop_at = 0"))

    def stopped(self) -> str | None:
        """Return the role of the node that waits."""
        with self.engine.connect() as connection:
            stopped: str | None = connection.scalar(_STOPPED, {"lock": _LET_GO})
            return stopped


@dataclass
class TokenMonitor:
    """Requests tokens continuously from every node, and fetches the key set of every node."""

    http: httpx2.AsyncClient
    nodes: list[ServerProcess] = field(default_factory=list)
    down: set[int] = field(default_factory=set)
    checked: int = 0
    unpublished: list[str] = field(default_factory=list)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self._run())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait([task])
        assert task.cancelled(), task.exception()

    async def _run(self) -> None:
        while True:
            for number in range(len(self.nodes)):
                kid = await self._kid_of_new_token(number)
                for other in range(len(self.nodes)):
                    published = await self._published(other) if kid else None
                    if published is not None and kid not in published:
                        self.unpublished.append(f"node {number} signed with {kid}, node {other} has {published}")
                    self.checked += published is not None
            await asyncio.sleep(0.02)

    async def _kid_of_new_token(self, number: int) -> str | None:
        form = {"grant_type": "password", "username": "alice", "password": PASSWORD}
        response = await self._ask("POST", number, "/oauth/token", form)
        if response is None or response.status_code == 503:
            return None
        assert response.status_code == 200, response.text
        return str(jwt.get_unverified_header(response.json()["access_token"])["kid"])

    async def _published(self, number: int) -> set[str] | None:
        response = await self._ask("GET", number, "/.well-known/jwks.json")
        return None if response is None else {key["kid"] for key in json.loads(response.content)["keys"]}

    async def _ask(
        self, method: str, number: int, path: str, form: dict[str, str] | None = None
    ) -> httpx2.Response | None:
        try:
            return await self.http.request(method, self.nodes[number].url + path, data=form)
        except CONNECTION_ERRORS:
            assert number in self.down, f"node {number} is not available although it was not killed"
            return None

    async def kill(self, number: int) -> None:
        self.down.add(number)
        await asyncio.to_thread(self.nodes[number].kill)


@pytest.mark.timeout(300)
async def test_a_node_killed_at_any_point_of_a_rotation_leaves_one_key_that_signs_and_is_published(
    own_cluster: Cluster, own_postgresql_url: str, tmp_path: Path
) -> None:
    secret, faults = add_accounts(own_postgresql_url), RotationFaults(create_engine(own_postgresql_url))
    with faults.engine.begin() as connection:
        connection.exec_driver_sql(_FAULTS)
    async with AsyncExitStack() as stack:
        http = httpx2.AsyncClient(auth=(CLIENT_ID, secret), timeout=TIMEOUT_SECONDS, trust_env=False)
        watching = TokenMonitor(await stack.enter_async_context(http))
        for role in ("node_0", "node_1"):
            url = own_postgresql_url.replace("//jeton@", f"//{role}@")
            # One user logs in all the time.
            node = server_process(tmp_path, url, LIMITS__LOGINS_PER_ACCOUNT="0")
            watching.nodes.append(stack.enter_context(node))
        await stack.enter_async_context(watching.running())
        for point in _POINTS:
            await killed_at(point, faults, watching)
    faults.engine.dispose()
    assert watching.unpublished == []
    assert watching.checked > 100


async def killed_at(point: int, faults: RotationFaults, watching: TokenMonitor) -> None:
    """Kill the rotating node at that step. The other node rotates instead, and the killed one restarts."""
    before = faults.active()
    with faults.rotation_stopped_at(point):
        await until(faults.stopped, f"a node that rotates at step {point}", TIMEOUT_SECONDS)
        await watching.kill(int(str(faults.stopped()).removeprefix("node_")))
        assert faults.active() == before
    await rotated_and_restarted(before, faults, watching)


async def rotated_and_restarted(before: list[str], faults: RotationFaults, watching: TokenMonitor) -> None:
    await until(lambda: faults.active() != before, "the other node rotates", TIMEOUT_SECONDS)
    assert len(faults.active()) == 1
    for number in list(watching.down):
        await asyncio.to_thread(watching.nodes[number].start)
        watching.down.discard(number)
    assert len(faults.active()) == 1
