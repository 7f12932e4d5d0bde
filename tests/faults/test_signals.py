"""Replacing and stopping a server under load: no request is lost, and what is under way is finished."""

import asyncio
import signal
import socket
from pathlib import Path
from typing import Final

import pytest

from support.crashable_postgresql import Cluster
from support.lock_contention import PostgresqlContention, until
from support.refresh_load import add_accounts, assert_nothing_lost_or_doubled, refresh_load, sid_and_generation, stored
from support.server_processes import ServerProcess, is_listening, server_process

# Of the five seconds that a request may take, and of the two that a thread is waited for.
CONSTANTS: Final = {"jeton.http.dispatch.DEADLINE_SECONDS": "1", "jeton.storage.batching._CLOSING_SECONDS": "0.4"}


async def replace_workers_under_load(server: ServerProcess, url: str, secret: str) -> None:
    async with refresh_load([server.url], secret, pause_seconds=0.1) as load:
        await load.log_in(8)
        before = server.workers
        async with load.running():
            await load.until_answered(1)
            server.signal(signal.SIGHUP)
            await load.until(lambda: len(now := server.workers) == 2 and not now & before, "both workers replaced", 60)
            await load.until_answered(3)

        # A worker that ends closes connections whose request it has not read yet, new ones too: those are repeated.
        assert set(load.statuses) == {200}
        assert [it for it in load.losses if it.startswith("ConnectError")] == []
        assert_nothing_lost_or_doubled(url, load.sessions)


async def stop_under_load(server: ServerProcess, url: str, secret: str) -> None:
    async with refresh_load([server.url], secret, keeps_alive=True) as load:
        sessions = await load.log_in(12)
        async with load.running():
            await load.until_answered(3)
            server.signal(signal.SIGTERM)
            await load.until(lambda: not server.answers("/readyz"), "not ready any more")
            assert server.answers("/livez")
            await load.until_answered(3)
            await load.until(lambda: server.process and server.process.poll() is not None, "the server's end")

        assert server.wait() == 0
        assert set(load.statuses) == {200}
        # A connection that was not accepted when the socket is closed is reset; its request was never read.
        generations = [sid_and_generation(it.token)[1] for it in sessions]
        assert [it.generation for it in stored(url, sessions)] == generations


@pytest.mark.parametrize("workers", [1, 2])
async def test_workers_are_replaced_and_a_server_stops_without_refusing_or_losing_a_request(
    own_postgresql_url: str, tmp_path: Path, workers: int
) -> None:
    secret = add_accounts(own_postgresql_url)
    with server_process(tmp_path, own_postgresql_url, "--workers", str(workers), SERVER__DRAIN_SECONDS="1") as server:
        if workers > 1:
            await replace_workers_under_load(server, own_postgresql_url, secret)
        await stop_under_load(server, own_postgresql_url, secret)


async def test_a_server_that_stops_finishes_what_waits_for_a_lock_and_takes_nothing_new(
    own_postgresql_url: str, tmp_path: Path
) -> None:
    secret, third = add_accounts(own_postgresql_url), PostgresqlContention(own_postgresql_url)
    with server_process(tmp_path, own_postgresql_url, SERVER__DRAIN_SECONDS="0") as server:
        async with refresh_load([server.url], secret) as load:
            sessions = await load.log_in(5)
            async with third.locked_row("family", min(sid_and_generation(it.token)[0] for it in sessions)):
                asking = [asyncio.ensure_future(load.refresh(it)) for it in sessions]
                await until(lambda: third.waiting_connections() == 1, "the ledger waiting")
                server.signal(signal.SIGTERM)
                await until(lambda: "Shutting down" in server.log, "the server stopping")
                assert not server.answers("/livez")
            responses = await asyncio.gather(*asking)

            assert [it.status_code for it in responses] == [200] * 5
            assert server.wait() == 0
            assert "Traceback" not in server.log
            assert_nothing_lost_or_doubled(own_postgresql_url, sessions)
    third.close()


@pytest.mark.parametrize("workers", ["1", "2"])
async def test_a_server_that_stops_closes_idle_connections_refuses_new_ones_and_answers_a_begun_request(
    sqlite_url: str, tmp_path: Path, workers: str
) -> None:
    with server_process(tmp_path, sqlite_url, "--workers", workers, SERVER__DRAIN_SECONDS="0") as server:
        idle, begun = (socket.create_connection(("127.0.0.1", server.port), timeout=10) for _ in range(2))
        with idle, begun:
            begun.sendall(b"GET /livez HTTP/1.1\r\n")
            server.signal(signal.SIGTERM)
            assert idle.recv(1) == b""
            await until(lambda: not is_listening(server.port), "new connections refused")
            begun.sendall(b"Host: a\r\n\r\n")
            answer = b"".join(iter(lambda: begun.recv(65536), b""))

        assert answer.startswith(b"HTTP/1.1 200 ")
        assert b"connection: close\r\n" in answer
        assert server.wait() == 0


async def test_a_server_stops_in_time_although_its_database_hangs(
    own_cluster: Cluster, own_postgresql_url: str, tmp_path: Path
) -> None:
    secret = add_accounts(own_postgresql_url)
    with server_process(
        tmp_path, own_postgresql_url, begin_only=False, SERVER__DRAIN_SECONDS="0", **CONSTANTS
    ) as server:
        async with refresh_load([server.url], secret) as load:
            session, *_ = await load.log_in(1)
            own_cluster.hang()
            try:
                response = await load.refresh(session)
                server.signal(signal.SIGTERM)
                server.wait()
            finally:
                own_cluster.resume()
            assert response.status_code == 503
