"""jeton registration: clients that register themselves (RFC 7591), and the tokens that let them."""

from typing import Final

import click

from jeton.admin import initial_access_tokens
from jeton.admin.initial_access_tokens import MAX_SECONDS, MAX_USES
from jeton.bootstrap.from_settings import deletion_of_unused_clients
from jeton.cli.options import TAKES_IDENTIFIER, configured, json_option, reading, transaction
from jeton.cli.output import print_before_commit, print_result, print_results
from jeton.config.settings import Settings
from jeton.storage.initial_access_tokens import list_initial_access_tokens

_BATCH: Final = 500


@click.group()
def registration() -> None:
    """Clients that register themselves (RFC 7591)."""


@registration.group()
def token() -> None:
    """Initial access tokens: each lets programs register clients."""


@token.command()
@click.option(
    "--uses", type=click.IntRange(1, MAX_USES), default=1, show_default=True, help="Clients that it registers at most."
)
@click.option(
    "--expires-seconds", type=click.IntRange(1, MAX_SECONDS), default=86400, show_default=True, help="Its lifetime."
)
@click.option("--name", help="Whom it is for, for your own list.")
@json_option
@configured
def create(uses: int, expires_seconds: int, name: str | None, as_json: bool, settings: Settings) -> None:
    """Create a token, and print it this once.

    \b
    jeton registration token create --uses 10 --expires-seconds 604800 --name "Team Blue"
    """
    with transaction(settings) as (connection, now):
        created, presented = initial_access_tokens.create(
            connection, now, max_uses=uses, seconds=expires_seconds, name=name
        )
        is_off = settings.registration.dynamic == "off"
        warning = 'Registration is switched off: set registration.dynamic = "token".' if is_off else None
        result = {**initial_access_tokens.describe(created), "token": presented, "warning": warning}
        print_before_commit(result, as_json=as_json)


@token.command(name="list")
@json_option
@configured
def list_(as_json: bool, settings: Settings) -> None:
    """List all tokens, the newest first."""
    with reading(settings) as (connection, _):
        found = [initial_access_tokens.describe(it) for it in list_initial_access_tokens(connection)]
    print_results(found, as_json=as_json, columns=("token_id", "name", "uses", "max_uses", "created_at", "expires_at"))


@token.command(context_settings=TAKES_IDENTIFIER)
@click.argument("token_id")
@json_option
@configured
def revoke(token_id: str, as_json: bool, settings: Settings) -> None:
    """Revoke a token. Clients that were registered with it stay."""
    with transaction(settings) as (connection, _):
        initial_access_tokens.revoke(connection, token_id)
    print_result({"token_id": token_id, "revoked": True}, as_json=as_json)


@registration.command()
@json_option
@configured
def prune(as_json: bool, settings: Settings) -> None:
    """Delete unregistered clients that are not used.

    They came by metadata document, or registered themselves without a token. Servers do the same every minute, by
    registration.never_used_seconds and registration.unused_seconds.
    """
    delete = deletion_of_unused_clients(settings)
    deleted = 0
    while True:
        with transaction(settings) as (connection, now):
            batch = delete(connection, now, _BATCH)
        deleted += batch
        if not batch:
            break
    print_result({"clients_deleted": deleted}, as_json=as_json)
