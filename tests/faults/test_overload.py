"""More logins than can be hashed: the surplus is refused with 503, and what needs no hash is still answered."""

import asyncio
from pathlib import Path

import pytest

from jeton.oauth.metadata import JWKS_PATH, METADATA_PATHS
from support.in_process_server import PASSWORD
from support.refresh_load import add_accounts, refresh_load
from support.server_processes import server_process

LOGINS = 30


@pytest.mark.requirement("O16", "O20")
async def test_surplus_logins_are_refused_and_documents_health_and_refreshes_answered(
    sqlite_url: str, tmp_path: Path
) -> None:
    secret = add_accounts(sqlite_url)
    memory = str(128 * 1024)
    with server_process(tmp_path, sqlite_url, PASSWORDS__CONCURRENCY="1", PASSWORDS__MEMORY_KIB=memory) as server:
        async with refresh_load([server.url], secret) as load:
            (session,) = await load.log_in(1)
            forms = [
                {"grant_type": "password", "username": f"nobody{number}", "password": PASSWORD}
                for number in range(LOGINS)
            ]
            logins = [asyncio.create_task(load.http.post(f"{server.url}/oauth/token", data=form)) for form in forms]
            await load.until(lambda: any(it.done() for it in logins), "the first login answered")
            for path in ("/livez", "/readyz", JWKS_PATH, *METADATA_PATHS):
                assert (await load.http.get(server.url + path)).status_code == 200, path
            assert (await load.refresh(session)).status_code == 200
            assert not all(it.done() for it in logins)
            responses = await asyncio.gather(*logins)

    refused = [it for it in responses if it.status_code == 503]
    assert {it.status_code for it in responses} == {400, 503}
    assert {it.json()["error"] for it in refused} == {"temporarily_unavailable"}
    assert all(int(it.headers["retry-after"]) >= 1 for it in refused)
