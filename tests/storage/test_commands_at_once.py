"""Two operators at once: what each of them changed is changed, and nothing else (SQLite has one writer at a time)."""

import asyncio
import re
from collections.abc import Iterator

import pytest

from jeton.cli import REFUSALS
from jeton.cli import jeton as commands
from jeton.cli.errors import CommandError
from jeton.oauth.clients import Client
from jeton.storage.clients import load_clients
from support.cli_functions import configured_for
from support.in_process_server import App, Running, running, settings_for
from support.lock_contention import OnPostgresql, until


@pytest.fixture(autouse=True)
def _commands_act_on_this_database(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    secrets = iter(f"secret {number}" for number in range(10))
    monkeypatch.setattr("jeton.admin.clients.generate_client_secret", lambda: next(secrets))
    with configured_for(database_url):
        yield


@pytest.fixture
async def jeton(jeton: Running, monkeypatch: pytest.MonkeyPatch) -> Running:
    monkeypatch.setattr("jeton.cli.options.Clock", lambda: jeton.clock)
    return jeton


async def run(words: str) -> None:
    await asyncio.to_thread(commands.main, words.split(), prog_name="jeton", standalone_mode=False)


async def run_at_once(database_url: str, *lines: str) -> None:
    """Run commands over the client `web`, none of which can write before two of them have come that far."""
    if database_url.startswith("sqlite"):
        await asyncio.gather(*map(run, lines))
        return
    third = OnPostgresql(database_url)
    await third.race("client", "web", *map(run, lines))
    third.close()


def stored(jeton: Running) -> Client:
    with jeton.database.read() as connection:
        return load_clients(connection, ["web"])["web"]


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
async def test_neither_change_undoes_the_other(
    jeton: Running, database_url: str, line: str, field: str, value: object
) -> None:
    app = jeton.add_client()

    await run_at_once(database_url, "client set web --scope other --access-token-seconds 60", line)

    after = stored(jeton)
    assert (after.scope, after.lifetimes["access_seconds"]) == (frozenset({"other"}), 60)
    assert getattr(after, field) == value
    assert (after.secret_digest == app.client.secret_digest) is ("rotate-secret" not in line)


@pytest.mark.requirement("O14")
async def test_of_two_new_secrets_made_at_once_both_are_valid(jeton: Running, database_url: str) -> None:
    app = jeton.add_client()

    await run_at_once(database_url, *["client rotate-secret web --overlap-seconds 60"] * 2)

    for secret in ("secret 0", "secret 1"):
        assert (await jeton.token(App(app.client, secret), grant_type="client_credentials")).status_code == 200


@pytest.mark.parametrize(
    ("overlap", "valid"), [(60, {"secret 0", "secret 1"}), (0, {"secret 1"})], ids=["with an overlap", "without"]
)
async def test_a_second_new_secret_ends_the_first_of_three_and_says_so(
    jeton: Running, overlap: int, valid: set[str], capsys: pytest.CaptureFixture[str]
) -> None:
    app = jeton.add_client()
    await run("client rotate-secret web --overlap-seconds 60 --json")
    first = capsys.readouterr().out

    await run(f"client rotate-secret web --overlap-seconds {overlap} --json")

    assert "older_secret_ended" not in first
    assert '"older_secret_ended":true' in capsys.readouterr().out
    for secret in (app.secret or "", "secret 0", "secret 1"):
        response = await jeton.token(App(app.client, secret), grant_type="client_credentials")
        assert (response.status_code == 200) is (secret in valid)


@pytest.mark.postgresql
@pytest.mark.parametrize("line", ["client add api --public", "user add alice --generate-password"])
async def test_of_two_who_add_the_same_one_is_refused_in_a_sentence(postgresql_url: str, line: str) -> None:
    third = OnPostgresql(postgresql_url)
    with configured_for(postgresql_url):
        with third.holding_added_accounts():
            adding = [asyncio.ensure_future(run(line)) for _ in range(2)]
            await until(lambda: third.waiting() == 2, "two that add")
        results = await asyncio.gather(*adding, return_exceptions=True)
    third.close()

    (refusal,) = [it for it in results if it is not None]
    assert isinstance(refusal, REFUSALS)
    assert re.search("already|never given out again", str(refusal))


@pytest.mark.postgresql
@pytest.mark.parametrize("line", ["user disable alice", "user set-password alice --generate-password"])
async def test_a_user_deleted_meanwhile_is_unknown(postgresql_url: str, line: str) -> None:
    third = OnPostgresql(postgresql_url)
    async with running(settings_for(postgresql_url)) as node:
        user = node.add_user()
    with configured_for(postgresql_url):
        async with third.holding("user", user.sub):
            deleting = asyncio.ensure_future(run("user delete alice"))
            await until(lambda: third.waiting() == 1, "the deletion")
            other = asyncio.ensure_future(run(line))
            await until(lambda: third.waiting() == 2, "the other command")
        await deleting
        with pytest.raises(CommandError, match="there is no user alice"):
            await other
    third.close()
