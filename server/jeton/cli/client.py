"""jeton client: register and change clients."""

from typing import Any

import click
from sqlalchemy import Connection

from jeton.admin import clients
from jeton.admin.client_description import describe
from jeton.admin.errors import AlreadyExistsError
from jeton.cli.client_options import CLEARABLE, LOGO, changes_from, client_options
from jeton.cli.client_snippets import snippets
from jeton.cli.errors import CommandError
from jeton.cli.options import configured, json_option, reading, transaction
from jeton.cli.output import print_before_commit, print_result, print_results
from jeton.config.settings import Settings
from jeton.frozen import asdict
from jeton.oauth.clients import Client
from jeton.oauth.cookie_mode import cross_site_origins
from jeton.rules.images import MAX_LOGO_BYTES
from jeton.storage.clients import list_clients
from jeton.storage.consents import count_consents

_COLUMNS = (
    *("client_id", "public", "grant_types", "scope", "audience", "introspect", "disabled"),
    *("registration", "host", "last_used_at", "consents"),
)


@click.group()
def client() -> None:
    """Clients: applications and services."""


@client.command()
@click.argument("client_id")
@client_options
@json_option
@configured
def add(client_id: str, as_json: bool, settings: Settings, **options: Any) -> None:
    """Register a client. Its secret, if it has one, is printed this once.

    \b
    jeton client add web --grant password --grant refresh_token --scope read --scope write
    jeton client add spa --public --grant password --grant refresh_token --scope read --origin https://app.example
    jeton client add orders-api --introspect --audience https://orders.example
    jeton client add nightly --grant client_credentials --scope report
    jeton client add https://app.example/client.json --name "Our app" --scope read
    jeton client add shop --grant authorization_code --redirect-uri https://shop.example/callback --scope openid
    """
    try:
        with transaction(settings) as (connection, now):
            added, secret = clients.register(connection, now, client_id, changes_from(options))
            _check_site(added, settings)
            added = _with_logo(connection, added, options)
            print_before_commit(describe(added) | ({"client_secret": secret} if secret else {}), as_json=as_json)
    except AlreadyExistsError as error:
        # Its secret may be lost: a shell has emptied the file that the output of this command was to go to.
        raise CommandError(
            f"{error}: change it with `jeton client set`, or give it a new secret with `jeton client rotate-secret`"
        ) from None


@client.command(name="set")
@click.argument("client_id")
@client_options
@click.option(
    "--clear",
    "cleared",
    multiple=True,
    type=click.Choice(sorted((*CLEARABLE, LOGO))),
    help="Remove all values of this option (repeatable).",
)
@json_option
@configured
def set_(client_id: str, cleared: tuple[str, ...], as_json: bool, settings: Settings, **options: Any) -> None:
    """Change a client. A given option replaces the stored values; options left out change nothing.

    Removed permissions are gone at the next refresh and at introspection.
    """
    with transaction(settings) as (connection, now):
        names = [CLEARABLE[name] for name in cleared if name != LOGO]
        changed = clients.change(connection, now, client_id, changes_from(options), cleared=names)
        _check_site(changed, settings)
        if LOGO in cleared:
            changed = clients.set_logo(connection, client_id, None)
        changed = _with_logo(connection, changed, options)
    print_result(describe(changed), as_json=as_json)


@client.command()
@click.argument("client_id")
@click.option(
    "--overlap-seconds",
    type=click.IntRange(0, 30 * 86400),
    default=0,
    show_default=True,
    help="Seconds for which the old secret stays valid.",
)
@json_option
@configured
def rotate_secret(client_id: str, overlap_seconds: int, as_json: bool, settings: Settings) -> None:
    """Replace a client's secret. The new one is printed this once.

    At most two secrets are valid. If an even older one was still valid, it ends now, and the result says so.
    """
    with transaction(settings) as (connection, now):
        rotated = asdict(clients.rotate_secret(connection, now, client_id, overlap_seconds))
        if not rotated["older_secret_ended"]:
            del rotated["older_secret_ended"]
        print_before_commit({"client_id": client_id} | rotated, as_json=as_json)


@client.command()
@click.argument("client_id")
@json_option
@configured
def disable(client_id: str, as_json: bool, settings: Settings) -> None:
    """Refuse a client until it is enabled again. Its sessions are kept; `jeton session revoke` ends them."""
    with transaction(settings) as (connection, now):
        clients.disable(connection, now, client_id)
    print_result({"client_id": client_id, "disabled": True}, as_json=as_json)


@client.command()
@click.argument("client_id")
@json_option
@configured
def enable(client_id: str, as_json: bool, settings: Settings) -> None:
    """Accept a disabled client and its sessions again."""
    with transaction(settings) as (connection, _):
        clients.enable(connection, client_id)
    print_result({"client_id": client_id, "disabled": False}, as_json=as_json)


@client.command()
@click.argument("client_id")
@json_option
@configured
def delete(client_id: str, as_json: bool, settings: Settings) -> None:
    """Delete a client and its users' sessions with it. The client_id cannot be used again."""
    with transaction(settings) as (connection, now):
        clients.delete(connection, now, client_id)
    print_result({"client_id": client_id, "deleted": True}, as_json=as_json)


@client.command()
@click.argument("client_id")
@json_option
@configured
def show(client_id: str, as_json: bool, settings: Settings) -> None:
    """Show a client.

    If it signs users in, with configuration to paste into common programs. Its secret cannot be shown, because only a
    digest is stored.
    """
    with reading(settings) as (connection, _):
        found = clients.find(connection, client_id)
    print_result(describe(found), as_json=as_json)
    for snippet in () if as_json else snippets(found, settings.server.issuer):
        click.echo(f"\n{snippet}")


@client.command(name="list")
@json_option
@configured
def list_(as_json: bool, settings: Settings) -> None:
    """List all clients.

    Those with a metadata document are listed if users have allowed them something.
    """
    with reading(settings) as (connection, _):
        consents = count_consents(connection)
        found = [describe(it) | {"consents": consents.get(it.client_id, 0)} for it in list_clients(connection)]
    print_results(found, as_json=as_json, columns=_COLUMNS)


def _check_site(client: Client, settings: Settings) -> None:
    """Raise CommandError if browsers would never send the client's cookie, because its pages are of another site."""
    issuer = settings.server.issuer
    if origins := cross_site_origins(client, issuer):
        raise CommandError(
            f"--refresh-cookie: {' '.join(origins)} and the issuer {issuer} are different sites, so that browsers "
            "do not send the cookie: serve both below one domain, or leave the option out"
        )


def _with_logo(connection: Connection, client: Client, options: dict[str, Any]) -> Client:
    """Store the logo that the options name, if any. One byte too many is read, so that it is refused."""
    file = options[LOGO]
    return client if file is None else clients.set_logo(connection, client.client_id, file.read(MAX_LOGO_BYTES + 1))
