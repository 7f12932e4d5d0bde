"""The operator's commands as functions of this process: the very code of `jeton`, on the test's database."""

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
    """Commands act on this database meanwhile."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JETON_DATABASE__URL", database_url)
        patch.setenv("JETON_SECRETS__MASTER_KEY", MASTER_KEY)
        patch.setenv("JETON_PASSWORDS__MEMORY_KIB", "8")
        yield


async def command(*words: str, **arguments: Any) -> None:
    """Runs `jeton WORDS` in a thread, with these arguments; raises what the command raises."""
    found: click.Command = jeton
    for word in words:
        assert isinstance(found, click.Group)
        next_one = found.get_command(click.Context(found), word)
        assert next_one is not None, words
        found = next_one
    assert found.callback is not None
    await asyncio.to_thread(found.callback, config_file=None, as_json=True, **arguments)


async def set_password(username: str) -> None:
    """Gives the user another, random password."""
    await command("user", "set-password", username=username, password_stdin=False, generate_password=True)


async def disable_user(username: str) -> None:
    await command("user", "disable", username=username)


async def delete_user(username: str) -> None:
    await command("user", "delete", username=username)


async def delete_client(client_id: str) -> None:
    await command("client", "delete", client_id=client_id)


async def revoke_all_sessions() -> None:
    await command("session", "revoke", sid=None, username=None, client_id=None, everything=True)
