"""Replacing and stopping a server under load: no request is lost, and what is under way is finished."""

import asyncio
import signal
from contextlib import suppress
from pathlib import Path

from cluster import Cluster, children_of
from contention import OnPostgresql, until
from load import add_accounts, assert_nothing_lost_or_doubled, load_on, place_of
from processes import ServerProcess, server_process


def workers_of(server: ServerProcess) -> set[int]:
    """The processes that answer; the resource tracker of multiprocessing is none."""
    return {pid for pid in children_of(server.pid) if "spawn_main" in command_of(pid)}


def command_of(pid: int) -> str:
    """Nothing, of a process that has just ended."""
    with suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{pid}/cmdline").read_text(encoding="utf-8")
    return ""


async def test_workers_replaced_one_by_one_refuse_nothing_and_lose_no_session(
    own_postgresql_url: str, tmp_path: Path
) -> None:
    secret = add_accounts(own_postgresql_url)
    with server_process(tmp_path, own_postgresql_url, "--workers", "2") as server:
        async with load_on([server.url], secret) as load:
            await load.log_in(16)
            before = workers_of(server)
            async with load.running():
                await load.until_answered(1)
                server.signal(signal.SIGHUP)
                await load.until(
                    lambda: len(workers_of(server) - before) == 2 and not workers_of(server) & before,
                    "both workers replaced",
                )
                await load.until_answered(3)

            # A worker that ends closes connections whose request it has not read yet, new ones too: those are repeated.
            assert set(load.statuses) == {200}
            assert [it for it in load.losses if it.startswith("ConnectError")] == []
            assert_nothing_lost_or_doubled(own_postgresql_url, load.sessions)
            server.signal(signal.SIGTERM)
            assert server.wait() == 0


async def test_a_server_told_to_stop_finishes_what_is_under_way_and_takes_nothing_new(
    own_postgresql_url: str, tmp_path: Path
) -> None:
    secret, third = add_accounts(own_postgresql_url), OnPostgresql(own_postgresql_url)
    with server_process(tmp_path, own_postgresql_url) as server:
        async with load_on([server.url], secret) as load:
            sessions = await load.log_in(5)
            sids = [place_of(it.token)[0] for it in sessions]
            async with third.holding("family", min(sids)):
                asking = [asyncio.ensure_future(load.refresh(it)) for it in sessions]
                await until(lambda: third.waiting() == 1, "the ledger waiting")
                server.signal(signal.SIGTERM)
                await until(lambda: "Shutting down" in server.log, "the server stopping")
                assert not server.answers("/livez")
            responses = await asyncio.gather(*asking)

            assert [it.status_code for it in responses] == [200] * 5
            assert server.wait() == 0
            assert "Traceback" not in server.log
            assert_nothing_lost_or_doubled(own_postgresql_url, sessions)
    third.close()


async def test_a_server_stops_in_time_although_its_database_hangs(
    own_cluster: Cluster, own_postgresql_url: str, tmp_path: Path
) -> None:
    secret = add_accounts(own_postgresql_url)
    with server_process(tmp_path, own_postgresql_url) as server:
        async with load_on([server.url], secret) as load:
            session, *_ = await load.log_in(1)
            own_cluster.hang()
            try:
                response = await load.refresh(session)
                server.signal(signal.SIGTERM)
                server.wait()
            finally:
                own_cluster.resume()
            assert response.status_code == 503
