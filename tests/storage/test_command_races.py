"""Concurrent commands of two operators: each change is kept, and no other (SQLite has one writer at a time)."""

import asyncio
import re
from collections.abc import Iterator

import pytest

from jeton.cli import REFUSALS
from jeton.cli import jeton as commands
from jeton.cli.errors import CommandError
from jeton.storage.clients import load_clients
from support.cli_functions import configured_for
from support.in_process_server import App, Running, running, settings_for
from support.lock_contention import PostgresqlContention, until


@pytest.fixture
def database_url(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A database for commands, which generate known secrets."""
    secrets = iter(f"secret {number}" for number in range(10))
    monkeypatch.setattr("jeton.admin.clients.generate_client_secret", lambda: next(secrets))
    with configured_for(database_url):
        yield database_url


@pytest.fixture
async def jeton(jeton: Running, monkeypatch: pytest.MonkeyPatch) -> Running:
    monkeypatch.setattr("jeton.cli.options.Clock", lambda: jeton.clock)
    return jeton


async def run(words: str) -> None:
    await asyncio.to_thread(commands.main, words.split(), prog_name="jeton", standalone_mode=False)


async def run_at_once(database_url: str, *lines: str) -> None:
    """Run commands that change the client `web`; none can write before two of them wait for its row."""
    if database_url.startswith("sqlite"):
        await asyncio.gather(*map(run, lines))
        return
    contention = PostgresqlContention(database_url)
    await contention.race("client", "web", *map(run, lines))
    contention.close()


async def valid_secrets(jeton: Running, app: App) -> set[str]:
    secrets = (app.secret or "", "secret 0", "secret 1")
    responses = [await jeton.token(App(app.client, it), grant_type="client_credentials") for it in secrets]
    return {it for it, response in zip(secrets, responses, strict=True) if response.status_code == 200}


@pytest.mark.requirement("O14")
@pytest.mark.parametrize(
    ("line", "field", "value"),
    [
        ("client set web --audience https://api.example", "audience", ("https://api.example",)),
        ("client set web --clear grant", "grant_types", frozenset()),
        ("client set web --retry-grace-seconds 30", "lifetimes", {"access_seconds": 60, "retry_grace_seconds": 30}),
        ("client set web --session-binding strict", "session_binding", "strict"),
        ("client disable web", "disabled", True),
        ("client rotate-secret web", "previous_secret_digest", None),
    ],
)
async def test_neither_change_of_a_client_undoes_the_other(
    jeton: Running, database_url: str, line: str, field: str, value: object
) -> None:
    app = jeton.add_client()

    await run_at_once(database_url, "client set web --scope other --access-token-seconds 60", line)

    with jeton.database.read() as connection:
        after = load_clients(connection, ["web"])["web"]
    assert (after.scope, after.lifetimes["access_seconds"]) == (frozenset({"other"}), 60)
    assert getattr(after, field) == value
    assert (after.secret_digest == app.client.secret_digest) is ("rotate-secret" not in line)


@pytest.mark.requirement("O14")
async def test_two_new_secrets_made_at_once_are_both_valid(jeton: Running, database_url: str) -> None:
    app = jeton.add_client()

    await run_at_once(database_url, *["client rotate-secret web --overlap-seconds 60"] * 2)

    assert await valid_secrets(jeton, app) == {"secret 0", "secret 1"}


@pytest.mark.postgresql
@pytest.mark.parametrize("line", ["client add api --public", "user add alice --generate-password"])
async def test_of_two_commands_that_add_the_same_one_is_refused(
    postgresql_url: str, locks: PostgresqlContention, line: str
) -> None:
    with configured_for(postgresql_url):
        with locks.locked_tables("clients, users"):
            adding = [asyncio.ensure_future(run(line)) for _ in range(2)]
            await until(lambda: locks.waiting_connections() == 2, "two that add")
        results = await asyncio.gather(*adding, return_exceptions=True)

    (refusal,) = [it for it in results if it is not None]
    assert isinstance(refusal, REFUSALS)
    assert re.search("already|never given out again", str(refusal))


@pytest.mark.postgresql
@pytest.mark.parametrize("line", ["user disable alice", "user set-password alice --generate-password"])
async def test_a_concurrently_deleted_user_is_unknown(
    postgresql_url: str, locks: PostgresqlContention, line: str
) -> None:
    async with running(settings_for(postgresql_url)) as node:
        user = node.add_user()
    with configured_for(postgresql_url):
        async with locks.locked_row("user", user.sub):
            deleting = asyncio.ensure_future(run("user delete alice"))
            await until(lambda: locks.waiting_connections() == 1, "the deletion")
            other = asyncio.ensure_future(run(line))
            await until(lambda: locks.waiting_connections() == 2, "the other command")
        await deleting
        with pytest.raises(CommandError, match="there is no user alice"):
            await other
