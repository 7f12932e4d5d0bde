"""jeton user: register and change users."""

import sys
from collections.abc import Iterable
from typing import Any, Final

import click

from jeton.admin import users
from jeton.admin.errors import AlreadyExistsError
from jeton.bootstrap.from_settings import password_rules
from jeton.cli.errors import CommandError
from jeton.cli.options import configured, json_option, reading, transaction
from jeton.cli.output import print_before_commit, print_result, print_results
from jeton.cli.user_import import import_
from jeton.config.settings import Settings
from jeton.crypto.credentials import generate_password as random_password
from jeton.crypto.passwords import Passwords
from jeton.oauth.user_claims import parse_claim
from jeton.storage.users import list_users

_MAX_PASSWORD_BYTES: Final = 64 * 1024

password_stdin_option = click.option(
    "--password-stdin", is_flag=True, help="Read the password from standard input; a terminal asks for it."
)
generate_password_option = click.option(
    "--generate-password", is_flag=True, help="Generate a random password. It is printed this once."
)


@click.group()
def user() -> None:
    """Users: people who log in."""


user.add_command(import_)


@user.command()
@click.argument("username")
@click.option("--email", help="E-mail address: works for login, and is a claim for clients with --claim email.")
@click.option("--role", "roles", multiple=True, help="Role, added to access tokens as `roles` (repeatable).")
@password_stdin_option
@generate_password_option
@json_option
@configured
def add(
    username: str,
    email: str | None,
    roles: tuple[str, ...],
    password_stdin: bool,
    generate_password: bool,
    as_json: bool,
    settings: Settings,
) -> None:
    """Register a user.

    \b
    jeton user add alice --generate-password --role admin
    printf '%s' "$PASSWORD" | jeton user add bob --email bob@example.com --password-stdin
    """
    users.check_names(username, email, roles)
    password = _new_password(password_stdin, generate_password)
    if password_stdin:
        users.check_password(password_rules(settings), password, username, email)
    password_hash = _hash(password, settings)
    try:
        with transaction(settings) as (connection, now):
            added = users.register(connection, now, username, email, roles, password_hash)
            result = users.describe(added) | ({"password": password} if generate_password else {})
            print_before_commit(result, as_json=as_json)
    except AlreadyExistsError as error:
        raise CommandError(
            f"{error}: change it with `jeton user set`, or give it a new password with `jeton user set-password`"
        ) from None


@user.command(name="set")
@click.argument("username")
@click.option("--email", help="E-mail address; an empty one removes it.")
@click.option("--email-verified/--no-email-verified", default=None, help="Whether the address is proven to be theirs.")
@click.option("--role", "roles", multiple=True, help="Role, instead of all previous ones (repeatable); '' for none.")
@click.option(
    "--claim", "claims", multiple=True, metavar="NAME=VALUE", help="Claim for apps (repeatable); NAME= removes it."
)
@json_option
@configured
def set_(
    username: str,
    email: str | None,
    email_verified: bool | None,
    roles: tuple[str, ...],
    claims: tuple[str, ...],
    as_json: bool,
    settings: Settings,
) -> None:
    """Change what is known of a user. Sessions continue.

    \b
    jeton user set alice --claim name='Alice Archer' --claim locale=de-AT
    jeton user set alice --email alice@example.com --email-verified --role editor
    jeton user set alice --claim address='{"locality": "Vienna", "country": "Austria"}'
    """
    changes = users.UserChanges(
        email, email_verified, tuple(it for it in roles if it) if roles else None, _parse_claims(claims)
    )
    with transaction(settings) as (connection, now):
        users.change(connection, now, username, changes)
        shown = users.show(connection, now, username)
    print_result(shown, as_json=as_json)


def _parse_claims(options: Iterable[str]) -> dict[str, Any]:
    """Return the claims by name; None for one that is to be removed. Raise UserClaimError if one is not valid."""
    claims = {}
    for name, is_given, text in (it.partition("=") for it in options):
        if not is_given:
            raise click.UsageError("write claims as --claim NAME=VALUE")
        claims[name] = parse_claim(name, text) if text else None
    return claims


@user.command()
@click.argument("username")
@password_stdin_option
@generate_password_option
@json_option
@configured
def set_password(
    username: str, password_stdin: bool, generate_password: bool, as_json: bool, settings: Settings
) -> None:
    """Change a user's password, and end all their sessions."""
    password = _new_password(password_stdin, generate_password)
    if password_stdin:
        with reading(settings) as (connection, _):
            found = users.find(connection, username)
        users.check_password(password_rules(settings), password, found.username, found.email)
    password_hash = _hash(password, settings)
    with transaction(settings) as (connection, now):
        found, ended = users.set_password(connection, now, username, password_hash)
        result = {"username": found.username, "sub": found.sub, "sessions_ended": ended}
        print_before_commit(result | ({"password": password} if generate_password else {}), as_json=as_json)


@user.command()
@click.argument("username")
@json_option
@configured
def disable(username: str, as_json: bool, settings: Settings) -> None:
    """Refuse a user's logins, and end all their sessions."""
    with transaction(settings) as (connection, now):
        found, ended = users.disable(connection, now, username)
    print_result({"username": found.username, "disabled": True, "sessions_ended": ended}, as_json=as_json)


@user.command()
@click.argument("username")
@json_option
@configured
def enable(username: str, as_json: bool, settings: Settings) -> None:
    """Let a disabled user log in again. Ended sessions stay ended."""
    with transaction(settings) as (connection, _):
        found = users.enable(connection, username)
    print_result({"username": found.username, "disabled": False}, as_json=as_json)


@user.command()
@click.argument("username")
@json_option
@configured
def delete(username: str, as_json: bool, settings: Settings) -> None:
    """Delete a user and everything stored about the user. The `sub` cannot be used again."""
    with transaction(settings) as (connection, now):
        deleted = users.delete(connection, now, username)
    print_result({"username": deleted.username, "sub": deleted.sub, "deleted": True}, as_json=as_json)


@user.command()
@click.argument("username")
@json_option
@configured
def show(username: str, as_json: bool, settings: Settings) -> None:
    """Show a user."""
    with reading(settings) as (connection, now):
        shown = users.show(connection, now, username)
    print_result(shown, as_json=as_json)


@user.command(name="list")
@json_option
@configured
def list_(as_json: bool, settings: Settings) -> None:
    """List all users."""
    with reading(settings) as (connection, _):
        found = [users.describe(it) for it in list_users(connection)]
    print_results(found, as_json=as_json, columns=("username", "sub", "email", "roles", "disabled", "created_at"))


def _new_password(from_stdin: bool, generated: bool) -> str:
    if from_stdin == generated:
        raise click.UsageError("give either --password-stdin or --generate-password")
    if generated:
        return random_password()
    try:
        if sys.stdin.isatty():
            return str(click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True))
        text = sys.stdin.buffer.read(_MAX_PASSWORD_BYTES).decode("utf-8")
    except UnicodeDecodeError:
        raise CommandError("the password is not valid UTF-8") from None
    password = text.removesuffix("\n").removesuffix("\r")
    if "\n" in password or "\r" in password:
        raise CommandError("standard input has several lines: give the password alone, as one line")
    return password


def _hash(password: str, settings: Settings) -> str:
    costs = settings.passwords
    return Passwords(costs.memory_kib, costs.iterations, costs.lanes).hash(password)
