"""jeton browser-session: list and end browser sessions."""

import click

from jeton.admin import browser_sessions
from jeton.cli.options import TAKES_IDENTIFIER, configured, json_option, reading, transaction
from jeton.cli.output import print_limited, print_result
from jeton.config.settings import Settings

_COLUMNS = ("browser_session_id", "username", "signed_in_at", "last_used_at", "expires_at", "ip")


@click.group(name="browser-session")
def browser_session() -> None:
    """Browser sessions: one per browser that is signed in."""


@browser_session.command(name="list")
@click.option("--user", "username", help="Only browser sessions of this user.")
@json_option
@configured
def list_(username: str | None, as_json: bool, settings: Settings) -> None:
    """List live browser sessions, the last used first (at most 1000)."""
    with reading(settings) as (connection, now):
        found = browser_sessions.list_live(connection, now, username=username)
    print_limited(found, as_json=as_json, columns=_COLUMNS)


@browser_session.command(context_settings=TAKES_IDENTIFIER)
@click.argument("browser_session_id", required=False)
@click.option("--user", "username", help="All browser sessions of this user.")
@click.option("--all", "everything", is_flag=True, help="All browser sessions of all users.")
@json_option
@configured
def revoke(
    browser_session_id: str | None, username: str | None, everything: bool, as_json: bool, settings: Settings
) -> None:
    """Sign users out at once. Sessions of apps that came from there end, except those that last while users are away.

    Those are the ones with the scope offline_access, and those of clients with --refresh-token always.
    """
    if sum((browser_session_id is not None, username is not None, everything)) != 1:
        raise click.UsageError("give exactly one of BROWSER_SESSION_ID, --user and --all")
    with transaction(settings) as (connection, now):
        if browser_session_id is not None:
            ended = browser_sessions.revoke(connection, now, browser_session_id)
        elif username is not None:
            ended = browser_sessions.revoke_of_user(connection, now, username)
        else:
            ended = browser_sessions.revoke_all(connection, now)
    counts = {"browser_sessions_ended": len(ended.sessions), "sessions_ended": len(ended.families)}
    print_result(counts, as_json=as_json)
