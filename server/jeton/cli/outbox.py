"""jeton outbox: what clients were told of ended browser sessions, and telling them again."""

import click

from jeton.admin import logout_outbox
from jeton.cli.options import TAKES_IDENTIFIER, configured, json_option, reading, transaction
from jeton.cli.output import print_limited, print_result
from jeton.config.settings import Settings

_COLUMNS = ("browser_session_id", "client_id", "state", "attempts", "last_status", "next_attempt_at", "created_at")


@click.group()
def outbox() -> None:
    """Logout tokens that are sent to clients.

    Clients with --backchannel-logout-uri are notified that a browser session has ended.
    """


@outbox.command(name="list")
@click.option("--client", "client_id", help="Only those of this client.")
@json_option
@configured
def list_(client_id: str | None, as_json: bool, settings: Settings) -> None:
    """List logout tokens, the newest first (at most 1000).

    The last status is the HTTP status of the client's response, or says why there was none. Delivered ones are listed
    for a day, others for a week.
    """
    with reading(settings) as (connection, _):
        found = logout_outbox.list_all(connection, client_id)
    print_limited(found, as_json=as_json, columns=_COLUMNS)


@outbox.command(context_settings=TAKES_IDENTIFIER)
@click.argument("browser_session_id", required=False)
@click.option("--client", "client_id", help="All that this client has not received.")
@click.option("--all", "everything", is_flag=True, help="All that no client has received.")
@json_option
@configured
def retry(
    browser_session_id: str | None, client_id: str | None, everything: bool, as_json: bool, settings: Settings
) -> None:
    """Send again what was not delivered.

    The first attempt is made at once, and all attempts are ahead again.
    """
    if sum((browser_session_id is not None, client_id is not None, everything)) != 1:
        raise click.UsageError("give exactly one of BROWSER_SESSION_ID, --client and --all")
    with transaction(settings) as (connection, now):
        restarted = logout_outbox.retry(connection, now, browser_session_id=browser_session_id, client_id=client_id)
    print_result({"logout_tokens_due": restarted}, as_json=as_json)
