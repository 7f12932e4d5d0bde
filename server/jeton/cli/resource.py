"""jeton resource: what the parameter `resource` may name (RFC 8707)."""

from typing import Any, TypeVar

import click

from jeton.admin import resources
from jeton.admin.errors import AlreadyExistsError
from jeton.admin.resources import ResourceChanges
from jeton.cli.errors import CommandError
from jeton.cli.options import configured, json_option, reading, transaction
from jeton.cli.output import print_result, print_results
from jeton.config.settings import Settings
from jeton.storage.resources import list_resources

Command = TypeVar("Command", bound=Any)


@click.group()
def resource() -> None:
    """Resources: APIs that clients request tokens for."""


def _resource_options(command: Command) -> Command:
    options = (
        click.option("--name", help="Name that people see on the consent page. Without one, it is the URI."),
        click.option(
            "--scope", "scope", multiple=True, metavar="S", help="Scope that means something there (repeatable)."
        ),
        click.option("--open/--no-open", "is_open", default=None, help="Let unregistered clients request it."),
    )
    for option in reversed(options):
        command = option(command)
    return command


@resource.command()
@click.argument("uri")
@_resource_options
@json_option
@configured
def add(
    uri: str, name: str | None, scope: tuple[str, ...], is_open: bool | None, as_json: bool, settings: Settings
) -> None:
    """Register a resource. Its URI is the audience of tokens for it.

    \b
    jeton resource add https://api.example --name "Orders" --scope read --scope write
    jeton client set web --resource https://api.example
    """
    try:
        with transaction(settings) as (connection, now):
            added = resources.register(connection, now, uri, _changes(name, scope, is_open))
    except AlreadyExistsError as error:
        raise CommandError(f"{error}: change it with `jeton resource set`") from None
    print_result(resources.describe(added), as_json=as_json)


@resource.command(name="set")
@click.argument("uri")
@_resource_options
@json_option
@configured
def set_(
    uri: str, name: str | None, scope: tuple[str, ...], is_open: bool | None, as_json: bool, settings: Settings
) -> None:
    """Change a resource. A given option replaces the stored values; options left out change nothing."""
    with transaction(settings) as (connection, _):
        changed = resources.change(connection, uri, _changes(name, scope, is_open))
    print_result(resources.describe(changed), as_json=as_json)


@resource.command()
@click.argument("uri")
@json_option
@configured
def delete(uri: str, as_json: bool, settings: Settings) -> None:
    """Delete a resource that no client may use any more."""
    with transaction(settings) as (connection, _):
        resources.delete(connection, uri)
    print_result({"uri": uri, "deleted": True}, as_json=as_json)


@resource.command(name="list")
@json_option
@configured
def list_(as_json: bool, settings: Settings) -> None:
    """List all resources."""
    with reading(settings) as (connection, _):
        found = [resources.describe(it) for it in list_resources(connection)]
    print_results(found, as_json=as_json, columns=("uri", "name", "scope", "open", "created_at"))


def _changes(name: str | None, scope: tuple[str, ...], is_open: bool | None) -> ResourceChanges:
    changes = ResourceChanges()
    if name is not None:
        changes["name"] = name
    if scope:
        changes["scope"] = frozenset(scope)
    if is_open is not None:
        changes["open"] = is_open
    return changes
