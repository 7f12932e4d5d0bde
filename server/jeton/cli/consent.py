"""jeton consent: list and withdraw what users have allowed clients."""

import click

from jeton.admin import consents
from jeton.cli.options import configured, json_option, reading, transaction
from jeton.cli.output import print_limited, print_result
from jeton.config.settings import Settings

_COLUMNS = ("username", "client_id", "resource", "scope", "updated_at")


@click.group()
def consent() -> None:
    """Consents: what users have allowed clients."""


@consent.command(name="list")
@click.option("--user", "username", help="Only what this user has allowed.")
@click.option("--client", "client_id", help="Only what this client was allowed.")
@json_option
@configured
def list_(username: str | None, client_id: str | None, as_json: bool, settings: Settings) -> None:
    """List consents, the last changed first (at most 1000).

    Each resource has a line of its own.
    """
    with reading(settings) as (connection, _):
        found = consents.list_all(connection, username=username, client_id=client_id)
    print_limited(found, as_json=as_json, columns=_COLUMNS)


@consent.command()
@click.option("--user", "username", required=True, help="What this user has allowed.")
@click.option("--client", "client_id", help="Only what this client was allowed.")
@json_option
@configured
def revoke(username: str, client_id: str | None, as_json: bool, settings: Settings) -> None:
    """Withdraw consents at once. The user's sessions with these clients end, and the user is asked again."""
    with transaction(settings) as (connection, now):
        withdrawn, ended = consents.withdraw(connection, now, username, client_id)
    print_result({"consents_withdrawn": withdrawn, "sessions_ended": ended}, as_json=as_json)
