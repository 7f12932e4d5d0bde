"""jeton client: applications and services that are known to the server."""

from dataclasses import fields
from typing import Any

import click
from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from jeton.cli.client_registration import CLEARABLE, changed_by, described, registration_options, without
from jeton.cli.errors import CommandError
from jeton.cli.options import configured, json_option, print_result, print_results, transaction
from jeton.config import LONGEST_ACCESS_SECONDS, Settings
from jeton.crypto.credentials import digest_secret, generate_client_secret
from jeton.oauth.clients import Client
from jeton.oauth.metadata import SECRET_METHODS
from jeton.oauth.registration_rules import check_client_id
from jeton.oauth.token_status_list import revoked_client_status
from jeton.storage import clients
from jeton.storage.families import end_families, list_resting_families, unlist_resting_families
from jeton.storage.revoked_statuses import delete_revoked_statuses, insert_revoked_statuses
from jeton.storage.status_index_allocator import allocate_status_indexes
from jeton.storage.users import load_users


@click.group()
def client() -> None:
    """Applications and services."""


@client.command()
@click.argument("client_id")
@registration_options
@json_option
@configured
def add(client_id: str, as_json: bool, settings: Settings, **registration: Any) -> None:
    """Register a client, and print its secret this once.

    \b
    jeton client add web --grant password --grant refresh_token --scope read --scope write
    jeton client add spa --public --grant password --grant refresh_token --scope read --origin https://app.example
    jeton client add orders-api --introspect --audience https://orders.example
    jeton client add nightly --grant client_credentials --scope report
    """
    check_client_id(client_id)
    public = registration.pop("public")
    secret = None if public else generate_client_secret()
    digest = None if secret is None else digest_secret(secret)
    try:
        with transaction(settings) as (connection, now):
            if clients.load_clients(connection, [client_id]):
                raise _exists(client_id)
            if load_users(connection, [client_id]):
                raise CommandError(
                    f"there is a user whose sub is {client_id}: their tokens would be the client's (RFC 9700 4.15)"
                )
            index = allocate_status_indexes(connection, 1)[0]
            methods = _default_methods(public)
            blank = Client(client_id, public, now, auth_methods=methods, secret_digest=digest, status_index=index)
            new = changed_by(blank, registration)
            clients.insert_client(connection, new)
    except IntegrityError:
        # Somebody else added it between our look and our write.
        raise _exists(client_id) from None
    print_result(described(new) | ({"client_secret": secret} if secret else {}), as_json=as_json)


@client.command(name="set")
@click.argument("client_id")
@registration_options
@click.option("--clear", "cleared", multiple=True, type=click.Choice(sorted(CLEARABLE)), help="Take all of these away.")
@json_option
@configured
def set_(client_id: str, cleared: tuple[str, ...], as_json: bool, settings: Settings, **registration: Any) -> None:
    """Change a client. An option given replaces what was there; one left out changes nothing.

    What is taken away is gone at the next refresh and at introspection.
    """
    public = registration.pop("public")
    with transaction(settings) as (connection, _):
        before = _locked(connection, client_id)
        found = without(before, cleared)
        if public and not found.public:
            raise CommandError(f"{client_id} has a secret: add a public client with another client_id")
        changed = changed_by(found, registration)
        if changes := _differences(before, changed):
            clients.update_client(connection, client_id, **changes)
    print_result(described(changed), as_json=as_json)


@client.command()
@click.argument("client_id")
@click.option(
    "--overlap-seconds", type=click.IntRange(0, 30 * 86400), default=0, help="The old one stays valid so long."
)
@json_option
@configured
def rotate_secret(client_id: str, overlap_seconds: int, as_json: bool, settings: Settings) -> None:
    """Give a client a new secret, and print it this once.

    Two secrets are valid at most: an older one that is still in its overlap ends now, and the answer says so.
    """
    secret = generate_client_secret()
    with transaction(settings) as (connection, now):
        found = _locked(connection, client_id)
        if found.public:
            raise CommandError(f"{client_id} is a public client: it has no secret")
        cut_short = len(found.secret_digests(now)) > 1
        until = now + overlap_seconds if overlap_seconds else None
        clients.update_client(
            connection,
            client_id,
            secret_digest=digest_secret(secret),
            previous_secret_digest=found.secret_digest if until else None,
            previous_secret_expires_at=until,
        )
    result = {"client_id": client_id, "client_secret": secret, "old_secret_until": until}
    print_result(result | ({"older_secret_ended": True} if cut_short else {}), as_json=as_json)


@client.command()
@click.argument("client_id")
@json_option
@configured
def disable(client_id: str, as_json: bool, settings: Settings) -> None:
    """Refuse a client. Its sessions rest, and go on when it is enabled; `jeton session revoke` ends them."""
    with transaction(settings) as (connection, now):
        found = _locked(connection, client_id)
        clients.update_client(connection, client_id, disabled=True)
        list_resting_families(connection, now, client_id)
        insert_revoked_statuses(connection, [revoked_client_status(found, now, LONGEST_ACCESS_SECONDS)])
    print_result({"client_id": client_id, "disabled": True}, as_json=as_json)


@client.command()
@click.argument("client_id")
@json_option
@configured
def enable(client_id: str, as_json: bool, settings: Settings) -> None:
    """Let a disabled client in again."""
    with transaction(settings) as (connection, _):
        found = _locked(connection, client_id)
        clients.update_client(connection, client_id, disabled=False)
        unlist_resting_families(connection, client_id)
        delete_revoked_statuses(connection, [found.status_index])
    print_result({"client_id": client_id, "disabled": False}, as_json=as_json)


@client.command()
@click.argument("client_id")
@json_option
@configured
def delete(client_id: str, as_json: bool, settings: Settings) -> None:
    """Delete a client, and the sessions its users have with it. Its client_id is never used again."""
    with transaction(settings) as (connection, now):
        found = _locked(connection, client_id)
        end_families(connection, now, "client_deleted", client_id=client_id)
        insert_revoked_statuses(connection, [revoked_client_status(found, now, LONGEST_ACCESS_SECONDS)])
        clients.delete_client(connection, client_id)
    print_result({"client_id": client_id, "deleted": True}, as_json=as_json)


@client.command()
@click.argument("client_id")
@json_option
@configured
def show(client_id: str, as_json: bool, settings: Settings) -> None:
    """Show a client. A secret cannot be shown: it is not stored."""
    with transaction(settings) as (connection, _):
        found = find_client(connection, client_id)
    print_result(described(found), as_json=as_json)


@client.command(name="list")
@json_option
@configured
def list_(as_json: bool, settings: Settings) -> None:
    """List all clients."""
    with transaction(settings) as (connection, _):
        found = [described(it) for it in clients.list_clients(connection)]
    columns = ("client_id", "public", "grant_types", "scope", "audience", "introspect", "disabled")
    print_results(found, as_json=as_json, columns=columns)


def find_client(connection: Connection, client_id: str) -> Client:
    """The client; refuses where there is none."""
    found = clients.load_clients(connection, [client_id])
    if not found:
        raise _unknown(client_id)
    return found[client_id]


def _differences(before: Client, after: Client) -> dict[str, Any]:
    """Return the columns to write: only what was changed."""
    names = (it.name for it in fields(Client))
    return {name: getattr(after, name) for name in names if getattr(after, name) != getattr(before, name)}


def _unknown(client_id: str) -> CommandError:
    return CommandError(f"there is no client {client_id}: see `jeton client list`")


def _exists(client_id: str) -> CommandError:
    return CommandError(f"there is a client {client_id} already: change it with `jeton client set`")


def _locked(connection: Connection, client_id: str) -> Client:
    """The client as it is under its lock, which comes before the locks of sessions."""
    found = clients.lock_client(connection, client_id)
    if found is None:
        raise _unknown(client_id)
    return found


def _default_methods(public: bool) -> frozenset[str]:
    return frozenset() if public else frozenset(SECRET_METHODS)
