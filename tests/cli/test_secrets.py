"""jeton secrets: a new master key, and the sessions of the old one."""

import base64
import json
import sqlite3
from contextlib import closing
from typing import Any

import pytest

from jeton.crypto.master_key import generate_master_key, parse_master_keys
from support.cli_runner import CommandLine
from support.in_process_server import MASTER_KEY, App, Running, running, settings_for

NEW = generate_master_key()
BOTH = f"{NEW},{MASTER_KEY}"


def sealed_under(sqlite_url: str) -> set[str]:
    """Return the ids of the master keys that encrypt the stored private keys."""
    with closing(sqlite3.connect(sqlite_url.removeprefix("sqlite:///"))) as database:
        rows = database.execute("SELECT private_part FROM signing_keys WHERE private_part <> ''").fetchall()
    return {json.loads(base64.urlsafe_b64decode(row[0].partition(".")[0] + "=="))["kid"] for row in rows}


def rewrap(cli: CommandLine) -> dict[str, Any]:
    return dict(cli.with_variables(SECRETS__MASTER_KEY=BOTH).json("secrets", "rewrap"))


@pytest.mark.requirement("O14")
def test_rewrap_encrypts_private_keys_with_newest_master_key(cli: CommandLine, sqlite_url: str) -> None:
    cli.text("keys", "rotate")  # a key without its private part is not counted
    old, new = parse_master_keys(MASTER_KEY).newest, parse_master_keys(NEW).newest
    assert sealed_under(sqlite_url) == {old}

    assert "secrets.master_key" in cli.with_variables(SECRETS__MASTER_KEY=NEW).refused("secrets", "rewrap")
    assert sealed_under(sqlite_url) == {old}
    result = rewrap(cli)

    assert (result["master_key_id"], result["signing_keys_sealed"]) == (new, 2)
    assert sealed_under(sqlite_url) == {new}


@pytest.mark.requirement("O14")
async def test_sessions_need_their_master_key_and_tokens_do_not(
    cli: CommandLine, jeton: Running, app: App, sqlite_url: str
) -> None:
    tokens, signer = await jeton.log_in(app), jeton.keyring.signer.kid

    result = rewrap(cli)

    assert result["sessions_of_older_master_keys"] == 1
    assert result["last_of_them_ends_at"] == jeton.clock.now() + 7776000
    async with running(settings_for(sqlite_url, SECRETS__MASTER_KEY=NEW)) as renewed:
        assert renewed.keyring.signer.kid == signer
        assert (await renewed.introspect(app, tokens["access_token"]))["active"] is True
        assert (await renewed.refresh(app, tokens["refresh_token"])).status_code == 503
    inspected = cli.with_variables(SECRETS__MASTER_KEY=NEW).json("token", "inspect", tokens["refresh_token"])
    assert "is not in secrets.master_key" in inspected["problems"][0]
    # With the old master key restored, no session is lost.
    async with running(settings_for(sqlite_url, SECRETS__MASTER_KEY=BOTH)) as restored:
        assert (await restored.refresh(app, tokens["refresh_token"])).status_code == 200


async def test_new_sessions_do_not_need_older_master_key(cli: CommandLine, sqlite_url: str) -> None:
    async with running(settings_for(sqlite_url, SECRETS__MASTER_KEY=BOTH)) as renewed:
        app = renewed.add_client()
        renewed.add_user()
        await renewed.log_in(app)

    result = rewrap(cli)

    assert (result["sessions_of_older_master_keys"], result["last_of_them_ends_at"]) == (0, None)


@pytest.mark.requirement("O18")
def test_rewrap_prints_no_key(cli: CommandLine) -> None:
    text = cli.with_variables(SECRETS__MASTER_KEY=BOTH).text("secrets", "rewrap")

    assert NEW not in text
    assert MASTER_KEY not in text
