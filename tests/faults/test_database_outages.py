"""A PostgreSQL that is stopped or hung under load (RFC 7009 section 2.2.1, ASVS 16.5): 503, and no session ends."""

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Final

import pytest

from support.crashable_postgresql import Cluster
from support.database_outage import assert_documents_answered, assert_temporary_in_time
from support.refresh_load import Load, Session, add_accounts, assert_nothing_lost_or_doubled, refresh_load
from support.server_processes import server_process

pytestmark = [pytest.mark.postgresql, pytest.mark.requirement("C10", "O19")]

RECOVERY_SECONDS: Final = 10
DEADLINE_SECONDS: Final = 2
# The server reads the keys every two seconds, and is not ready if it has not for eight. Requests end after five.
CONSTANTS: Final = {
    "jeton.background.maintenance._REFRESH_SECONDS": "0.5",
    "jeton.background.shared_state.STALE_SECONDS": "2",
    "jeton.keys.keyring.STALE_SECONDS": "2",
    "jeton.http.dispatch.DEADLINE_SECONDS": str(DEADLINE_SECONDS),
}


assert_all_refused: Final = partial(assert_temporary_in_time, deadline_seconds=DEADLINE_SECONDS)


async def assert_writes_refused(load: Load, resting: Sequence[Session]) -> None:
    """Check that refresh and revoke, without an idempotency key, are refused."""
    for response in (await load.refresh(resting[0]), await load.post("/oauth/revoke", resting[1].token)):
        assert (response.status_code, response.json()["error"]) == (503, "temporarily_unavailable")


# Read-only: the server's connections lead to a former leader that is now a standby.
@pytest.mark.parametrize(
    ("fail", "recover", "assert_refused"),
    [
        pytest.param(lambda it: it.stop("fast"), Cluster.start, assert_all_refused, id="stopped"),
        pytest.param(lambda it: it.stop("immediate"), Cluster.start, assert_all_refused, id="crashed"),
        pytest.param(Cluster.hang, Cluster.resume, assert_all_refused, id="hung"),
        pytest.param(
            lambda it: it.set_read_only(True), lambda it: it.set_read_only(False), assert_writes_refused,
            id="read-only",
        ),
    ],
)  # fmt: skip
async def test_a_database_outage_spends_nothing_and_ends_no_session(
    own_cluster: Cluster,
    own_postgresql_url: str,
    tmp_path: Path,
    fail: Callable[[Cluster], None],
    recover: Callable[[Cluster], None],
    assert_refused: Callable[[Load, Sequence[Session]], Awaitable[None]],
) -> None:
    secret = add_accounts(own_postgresql_url)
    with server_process(tmp_path, own_postgresql_url, begin_only=False, **CONSTANTS) as server:
        async with refresh_load([server.url], secret) as load:
            busy = await load.log_in(6)
            resting = await load.log_in(3, sends_keys=False)
            load.sessions = busy
            async with load.running():
                await load.until_answered(3)
                fail(own_cluster)
                load.pause_seconds = 0.1
                try:
                    await assert_refused(load, resting)
                    await load.until(lambda: load.statuses[503] > len(busy), "503 to each session")
                    await assert_documents_answered(load)
                    await load.until(lambda: not server.answers("/readyz"), "not ready")
                finally:
                    recover(own_cluster)
                await load.until_answered(3, RECOVERY_SECONDS)

            assert load.statuses.keys() == {200, 503}
            assert load.losses == []
            # Keys that were read before the outage may become too old before they are read again.
            await load.until(lambda: server.answers("/readyz"), "ready again", RECOVERY_SECONDS)
            # Each session continues without an idempotency key.
            for session in resting:
                assert (await load.refresh(session)).status_code == 200
            assert_nothing_lost_or_doubled(own_postgresql_url, [*busy, *resting])
