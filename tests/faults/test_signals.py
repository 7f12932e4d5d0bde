"""Replacing and stopping a server under load: no request is lost, and what is under way is finished."""

import asyncio
import signal
import socket
from pathlib import Path

import pytest

from support.crashable_postgresql import Cluster, children_of
from support.lock_contention import OnPostgresql, until
from support.refresh_load import add_accounts, assert_nothing_lost_or_doubled, load_on, place_of, stored
from support.server_processes import ServerProcess, server_process


def workers_of(server: ServerProcess) -> set[int]:
    return set(children_of(server.pid))


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
    with server_process(tmp_path, own_postgresql_url, SERVER__DRAIN_SECONDS="0") as server:
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


@pytest.mark.parametrize("workers", ["1", "2"])
async def test_a_server_that_stops_under_load_answers_what_it_reads(
    own_postgresql_url: str, tmp_path: Path, workers: str
) -> None:
    secret = add_accounts(own_postgresql_url)
    with server_process(tmp_path, own_postgresql_url, "--workers", workers) as server:
        async with load_on([server.url], secret, keeps_alive=True) as load:
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
            # A connection that nobody has accepted when the socket is closed is reset; its request was never read.
            generations = [place_of(it.token)[1] for it in sessions]
            assert [it.generation for it in stored(own_postgresql_url, sessions)] == generations


async def test_an_idle_connection_is_closed_and_a_begun_request_answered(
    sqlite_template_of_today: Path, tmp_path: Path
) -> None:
    with server_process(tmp_path, f"sqlite:///{tmp_path}/jeton.db", SERVER__DRAIN_SECONDS="0") as server:
        idle, begun = (socket.create_connection(("127.0.0.1", server.port), timeout=10) for _ in range(2))
        with idle, begun:
            begun.sendall(b"GET /livez HTTP/1.1\r\n")
            server.signal(signal.SIGTERM)
            assert idle.recv(1) == b""
            begun.sendall(b"Host: a\r\n\r\n")
            answer = b"".join(iter(lambda: begun.recv(65536), b""))

        assert answer.startswith(b"HTTP/1.1 200 ")
        assert b"connection: close\r\n" in answer
        assert server.wait() == 0


@pytest.mark.parametrize("workers", ["1", "2"])
async def test_new_connections_are_refused_while_a_stopping_server_finishes_a_request(
    sqlite_template_of_today: Path, tmp_path: Path, workers: str
) -> None:
    url = f"sqlite:///{tmp_path}/jeton.db"
    with server_process(tmp_path, url, "--workers", workers, SERVER__DRAIN_SECONDS="0") as server:
        with socket.create_connection(("127.0.0.1", server.port), timeout=10) as begun:
            begun.sendall(b"GET /livez HTTP/1.1\r\n")
            server.signal(signal.SIGTERM)
            await until(lambda: not is_listening(server.port), "new connections refused")

            begun.sendall(b"Host: a\r\n\r\n")
            assert begun.recv(65536).startswith(b"HTTP/1.1 200 ")
        assert server.wait() == 0


def is_listening(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except ConnectionRefusedError:
        return False
    return True


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
