"""jeton secrets: a new master key, and the sessions of the old one."""

import base64
import json
import sqlite3
from typing import Any

import pytest

from jeton.crypto.master_key import generate_master_key, parse_master_keys
from support.cli_runner import CommandLine
from support.in_process_server import MASTER_KEY, Running, running, settings_for

NEW = generate_master_key()
BOTH = f"{NEW},{MASTER_KEY}"


def _sealed_under(sqlite_url: str) -> set[str]:
    """Return the ids of the master keys that encrypt the stored private keys."""
    with sqlite3.connect(sqlite_url.removeprefix("sqlite:///")) as database:
        rows = database.execute("SELECT private_part FROM signing_keys WHERE private_part <> ''").fetchall()
    database.close()
    headers = [row[0].partition(".")[0] for row in rows]
    return {json.loads(base64.urlsafe_b64decode(header + "=" * (-len(header) % 4)))["kid"] for header in headers}


def _rewrapped(cli: CommandLine, master_key: str) -> dict[str, Any]:
    return dict(cli.with_variables(SECRETS__MASTER_KEY=master_key).json("secrets", "rewrap"))


@pytest.mark.requirement("O14")
def test_rewrap_encrypts_private_keys_with_newest_master_key(cli: CommandLine, sqlite_url: str) -> None:
    old, new = parse_master_keys(MASTER_KEY).newest, parse_master_keys(NEW).newest
    assert _sealed_under(sqlite_url) == {old}

    result = _rewrapped(cli, BOTH)

    assert (result["master_key_id"], result["signing_keys_sealed"]) == (new, 2)
    assert _sealed_under(sqlite_url) == {new}


def test_key_without_private_part_is_not_rewrapped(cli: CommandLine) -> None:
    cli.text("keys", "rotate")

    assert _rewrapped(cli, BOTH)["signing_keys_sealed"] == 2


@pytest.mark.requirement("O14")
async def test_server_starts_without_old_master_key_after_rewrap(
    cli: CommandLine, jeton: Running, sqlite_url: str
) -> None:
    signer = jeton.keyring.signer
    _rewrapped(cli, BOTH)

    async with running(settings_for(sqlite_url, SECRETS__MASTER_KEY=NEW)) as renewed:
        app = renewed.add_client()
        token = (await renewed.token(app, grant_type="client_credentials")).json()["access_token"]
        assert renewed.keyring.signer.kid == signer.kid
        assert (await renewed.introspect(app, token))["active"] is True


async def test_session_of_old_master_key_continues_and_is_counted(
    cli: CommandLine, jeton: Running, sqlite_url: str
) -> None:
    app = jeton.add_client()
    jeton.add_user()
    tokens = await jeton.log_in(app)

    result = _rewrapped(cli, BOTH)

    assert result["sessions_of_older_master_keys"] == 1
    assert result["last_of_them_ends_at"] == jeton.clock.now() + 7776000
    async with running(settings_for(sqlite_url, SECRETS__MASTER_KEY=BOTH)) as renewed:
        assert (await renewed.refresh(app, tokens["refresh_token"])).status_code == 200


async def test_session_without_its_master_key_is_unharmed(cli: CommandLine, jeton: Running, sqlite_url: str) -> None:
    app = jeton.add_client()
    jeton.add_user()
    tokens = await jeton.log_in(app)
    _rewrapped(cli, BOTH)

    async with running(settings_for(sqlite_url, SECRETS__MASTER_KEY=NEW)) as renewed:
        refused = await renewed.refresh(app, tokens["refresh_token"])
        assert (refused.status_code, refused.json()["error"]) == (503, "temporarily_unavailable")
    inspected = cli.with_variables(SECRETS__MASTER_KEY=NEW).json("token", "inspect", tokens["refresh_token"])
    assert "is not in secrets.master_key" in inspected["problems"][0]
    # The old master key was put back: nothing was lost.
    assert (await jeton.refresh(app, tokens["refresh_token"])).status_code == 200


async def test_new_sessions_do_not_need_older_master_key(cli: CommandLine, sqlite_url: str) -> None:
    async with running(settings_for(sqlite_url, SECRETS__MASTER_KEY=BOTH)) as renewed:
        app = renewed.add_client()
        renewed.add_user()
        await renewed.log_in(app)

    result = _rewrapped(cli, BOTH)

    assert (result["sessions_of_older_master_keys"], result["last_of_them_ends_at"]) == (0, None)


@pytest.mark.requirement("O14")
def test_rewrap_with_missing_master_key_changes_nothing(cli: CommandLine, sqlite_url: str) -> None:
    before = _sealed_under(sqlite_url)

    assert "secrets.master_key" in cli.with_variables(SECRETS__MASTER_KEY=NEW).refused("secrets", "rewrap")
    assert _sealed_under(sqlite_url) == before


@pytest.mark.requirement("O18")
def test_rewrap_prints_no_key(cli: CommandLine) -> None:
    text = cli.with_variables(SECRETS__MASTER_KEY=BOTH).text("secrets", "rewrap")

    assert NEW not in text
    assert MASTER_KEY not in text
