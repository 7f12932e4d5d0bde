"""Commands of `jeton` as function calls in this process, on the database of the test."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click
import pytest

from jeton.cli import jeton
from support.in_process_server import MASTER_KEY


@contextmanager
def configured_for(database_url: str) -> Iterator[None]:
    """Let commands use this database until the end of the block."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JETON_DATABASE__URL", database_url)
        patch.setenv("JETON_SECRETS__MASTER_KEY", MASTER_KEY)
        patch.setenv("JETON_PASSWORDS__MEMORY_KIB", "8")
        yield


async def command(*words: str, **arguments: Any) -> None:
    """Run `jeton WORDS` with these arguments in a thread. Raise what the command raises."""
    found: click.Command = jeton
    for word in words:
        assert isinstance(found, click.Group)
        next_one = found.get_command(click.Context(found), word)
        assert next_one is not None, words
        found = next_one
    assert found.callback is not None
    await asyncio.to_thread(found.callback, config_file=None, as_json=True, **arguments)


async def set_password(username: str) -> None:
    """Set another, random password for the user."""
    await command("user", "set-password", username=username, password_stdin=False, generate_password=True)


async def disable_user(username: str) -> None:
    await command("user", "disable", username=username)


async def delete_user(username: str) -> None:
    await command("user", "delete", username=username)


async def delete_client(client_id: str) -> None:
    await command("client", "delete", client_id=client_id)


async def revoke_all_sessions() -> None:
    await command("session", "revoke", sid=None, username=None, client_id=None, everything=True)
