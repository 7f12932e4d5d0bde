"""Commands that only show something: they need no lock, and say so where they do not show everything."""

import sqlite3

import pytest

from jeton.storage.database_url import sqlite_file
from support.cli_runner import CommandLine

COMMANDS = """
browser-session list, client list, client show app, consent list, keys list, outbox list, registration token list,
resource list, session list, token inspect x, user list, user show alice, audit tail, audit verify
"""


def test_commands_that_show_something_run_while_another_process_writes(cli: CommandLine) -> None:
    cli.json("user", "add", "alice", "--generate-password")
    cli.json("client", "add", "app", "--public", "--grant", "password", "--scope", "read")
    writer = sqlite3.connect(str(sqlite_file(cli.environment["JETON_DATABASE__URL"])))
    writer.execute("BEGIN IMMEDIATE")
    for command in COMMANDS.split(","):
        cli.json(*command.split())
    writer.close()


@pytest.mark.parametrize(("number", "warning"), [(999, ""), (1000, "1,000 are listed, and there may be more")])
def test_list_that_may_be_cut_off_says_so(cli: CommandLine, number: int, warning: str) -> None:
    cli.json("user", "list")
    writer = sqlite3.connect(str(sqlite_file(cli.environment["JETON_DATABASE__URL"])))
    insert = "INSERT INTO logout_outbox (browser_session_id, client_id, sub, created_at, expires_at) VALUES (?,1,1,1,1)"
    writer.executemany(insert, [(str(it),) for it in range(number)])
    writer.commit()
    writer.close()
    result = cli.run("outbox", "list", "--json")
    assert result.stdout.count("browser_session_id") == number
    assert warning in result.stderr
    assert bool(warning) == bool(result.stderr)
