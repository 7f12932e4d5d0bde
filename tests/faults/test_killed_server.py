"""A server killed with SIGKILL under load: what it answered is durable, nothing is spent twice (RFC 9700 4.14.2)."""

from pathlib import Path

import pytest

from support.refresh_load import add_accounts, assert_nothing_lost_or_doubled, refresh_load, stored
from support.server_processes import server_process


@pytest.mark.requirement("I08", "O16")
async def test_after_kill_and_restart_every_answered_token_is_the_newest(durable_url: str, tmp_path: Path) -> None:
    secret = add_accounts(durable_url)
    with server_process(tmp_path, durable_url) as server:
        async with refresh_load([server.url], secret) as load:
            await load.log_in(8)
            async with load.running():
                await load.until_answered(5)
                server.kill()
                await load.until(lambda: load.losses, "a request that the killed server did not answer")
            assert_nothing_lost_or_doubled(durable_url, load.sessions)

            server.start()
            async with load.running():
                await load.until_answered(3)

            assert_nothing_lost_or_doubled(durable_url, load.sessions)
            assert load.statuses.keys() == {200}
            # Tokens spent before the restart are not valid after it.
            session = load.sessions[0]
            newest, session.token = session.token, next(iter(session.successors))
            assert (await load.refresh(session)).status_code == 400
            session.token = newest
            assert (await load.refresh(session)).status_code == 400
            assert stored(durable_url, [session])[0].revoke_reason == "refresh_token_reused"


@pytest.mark.requirement("I08", "O16")
async def test_sessions_of_a_killed_server_continue_on_another(own_postgresql_url: str, tmp_path: Path) -> None:
    secret = add_accounts(own_postgresql_url)
    with server_process(tmp_path, own_postgresql_url) as first, server_process(tmp_path, own_postgresql_url) as second:
        async with refresh_load([first.url, second.url], secret) as load:
            await load.log_in(8)
            async with load.running():
                await load.until_answered(4)
                first.kill()
                await load.until_answered(4)
                await load.until(lambda: load.losses, "a request that the killed server did not answer")

            assert_nothing_lost_or_doubled(own_postgresql_url, load.sessions)
            assert load.statuses.keys() == {200}
