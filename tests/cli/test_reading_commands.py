"""Commands that only show something need no lock: they neither wait for a writer nor keep servers from writing."""

import sqlite3

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
