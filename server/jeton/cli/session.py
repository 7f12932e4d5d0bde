"""jeton session: list and end sessions."""

import click

from jeton.admin import sessions
from jeton.cli.options import TAKES_IDENTIFIER, configured, json_option, reading, transaction
from jeton.cli.output import print_limited, print_result
from jeton.config.settings import Settings

_COLUMNS = ("sid", "username", "client_id", "created_at", "last_used_at", "expires_at", "last_ip")


@click.group()
def session() -> None:
    """Sessions: one per login, on one device, for one client."""


@session.command(name="list")
@click.option("--user", "username", help="Only sessions of this user.")
@click.option("--client", "client_id", help="Only sessions with this client.")
@json_option
@configured
def list_(username: str | None, client_id: str | None, as_json: bool, settings: Settings) -> None:
    """List live sessions, the last used first (at most 1000)."""
    with reading(settings) as (connection, now):
        found = sessions.list_live(connection, now, username=username, client_id=client_id)
    print_limited(found, as_json=as_json, columns=_COLUMNS)


@session.command(context_settings=TAKES_IDENTIFIER)
@click.argument("sid", required=False)
@click.option("--user", "username", help="All sessions of this user.")
@click.option("--client", "client_id", help="All sessions with this client.")
@click.option("--all", "everything", is_flag=True, help="All sessions of all users.")
@json_option
@configured
def revoke(
    sid: str | None, username: str | None, client_id: str | None, everything: bool, as_json: bool, settings: Settings
) -> None:
    """End sessions at once.

    Their refresh tokens no longer work, and their access tokens are inactive at introspection.
    """
    if sum((sid is not None, username is not None, client_id is not None, everything)) != 1:
        raise click.UsageError("give exactly one of SID, --user, --client and --all")
    with transaction(settings) as (connection, now):
        if sid is not None:
            ended = sessions.revoke(connection, now, sid)
        elif username is not None:
            ended = sessions.revoke_of_user(connection, now, username)
        elif client_id is not None:
            ended = sessions.revoke_of_client(connection, now, client_id)
        else:
            ended = sessions.revoke_all(connection, now)
    print_result({"sessions_ended": ended}, as_json=as_json)
