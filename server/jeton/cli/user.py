"""jeton user: accounts of people."""

import sys
from typing import Any, Final

import click
from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from jeton.bootstrap.opening import password_rules
from jeton.cli.errors import CommandError
from jeton.cli.options import configured, json_option, print_result, print_results, transaction
from jeton.cli.user_import import import_
from jeton.config import Settings
from jeton.crypto.credentials import generate_password, generate_sub
from jeton.crypto.passwords import Passwords
from jeton.oauth.registration_rules import check_roles
from jeton.oauth.users import User
from jeton.rules.login_identifiers import identifier_keys, login_key
from jeton.storage import users
from jeton.storage.families import count_live_families, end_families

_MAX_BYTES: Final = 64 * 1024

password_stdin = click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
generate = click.option("--generate-password", is_flag=True, help="Make a random password, and print it this once.")


@click.group()
def user() -> None:
    """People who log in."""


user.add_command(import_)


@user.command()
@click.argument("username")
@click.option("--email", help="An e-mail address: to log in with, and for clients that are given the claim.")
@click.option("--role", "roles", multiple=True, help="A role, put into access tokens as `roles`. May be repeated.")
@password_stdin
@generate
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
    keys = identifier_keys(username, email)
    check_roles(roles)
    password = _chosen_password(password_stdin, generate_password)
    if password_stdin:
        _check_choice(password, username, email, settings)
    password_hash = _hash(password, settings)
    taken = CommandError(f"there is a user {username} already, or one with this e-mail address (case does not count)")
    try:
        with transaction(settings) as (connection, now):
            if users.find_users(connection, [key for key in keys if key]):
                raise taken
            new = User(generate_sub(), username, email, roles, False, now, 1, password_hash)
            users.insert_user(connection, new)
    except IntegrityError:
        # Somebody else added them between our look and our write.
        raise taken from None
    print_result(_described(new) | ({"password": password} if generate_password else {}), as_json=as_json)


@user.command()
@click.argument("username")
@password_stdin
@generate
@json_option
@configured
def set_password(
    username: str, password_stdin: bool, generate_password: bool, as_json: bool, settings: Settings
) -> None:
    """Change a password. All sessions of the user end, at once."""
    password = _chosen_password(password_stdin, generate_password)
    if password_stdin:
        with transaction(settings) as (connection, _):
            found = _locked(connection, username)
        _check_choice(password, found.username, found.email, settings)
    password_hash = _hash(password, settings)
    with transaction(settings) as (connection, now):
        found = _locked(connection, username)
        version = found.password_version + 1
        users.update_user(connection, found.sub, password_hash=password_hash, password_version=version)
        ended = end_families(connection, now, "password_changed", sub=found.sub)
    result: dict[str, Any] = {"username": found.username, "sub": found.sub, "sessions_ended": ended}
    print_result(result | ({"password": password} if generate_password else {}), as_json=as_json)


@user.command()
@click.argument("username")
@json_option
@configured
def disable(username: str, as_json: bool, settings: Settings) -> None:
    """Refuse a user's logins from now on. All sessions of the user end, at once."""
    with transaction(settings) as (connection, now):
        found = _locked(connection, username)
        users.update_user(connection, found.sub, disabled=True)
        ended = end_families(connection, now, "user_disabled", sub=found.sub)
    print_result({"username": found.username, "disabled": True, "sessions_ended": ended}, as_json=as_json)


@user.command()
@click.argument("username")
@json_option
@configured
def enable(username: str, as_json: bool, settings: Settings) -> None:
    """Let a disabled user log in again. Ended sessions stay ended."""
    with transaction(settings) as (connection, _):
        found = _locked(connection, username)
        users.update_user(connection, found.sub, disabled=False)
    print_result({"username": found.username, "disabled": False}, as_json=as_json)


@user.command()
@click.argument("username")
@json_option
@configured
def delete(username: str, as_json: bool, settings: Settings) -> None:
    """Delete a user and all that is stored of them. Their `sub` is never used again."""
    with transaction(settings) as (connection, now):
        found = _locked(connection, username)
        end_families(connection, now, "user_deleted", sub=found.sub)
        users.delete_user(connection, found.sub)
    print_result({"username": found.username, "sub": found.sub, "deleted": True}, as_json=as_json)


@user.command()
@click.argument("username")
@json_option
@configured
def show(username: str, as_json: bool, settings: Settings) -> None:
    """Show a user."""
    with transaction(settings) as (connection, now):
        found = _locked(connection, username)
        sessions = count_live_families(connection, now, found.sub)
    print_result(_described(found) | {"sessions": sessions}, as_json=as_json)


@user.command(name="list")
@json_option
@configured
def list_(as_json: bool, settings: Settings) -> None:
    """List all users."""
    with transaction(settings) as (connection, _):
        found = [_described(it) for it in users.list_users(connection)]
    print_results(found, as_json=as_json, columns=("username", "sub", "email", "roles", "disabled", "created_at"))


def find_sub(connection: Connection, username: str) -> str:
    """The `sub` of the user with this name or e-mail address; refuses where there is no such user."""
    key = login_key(username)
    found = users.find_users(connection, [key] if key else [])
    if not found:
        raise _unknown(username)
    return next(iter(found.values())).sub


def _locked(connection: Connection, username: str) -> User:
    """The user as it is under its lock, which comes before the locks of sessions."""
    sub = find_sub(connection, username)
    found = users.lock_users(connection, [sub]).rows
    if not found:
        raise _unknown(username)
    return found[sub]


def _unknown(username: str) -> CommandError:
    return CommandError(f"there is no user {username}: see `jeton user list`")


def _chosen_password(from_stdin: bool, generated: bool) -> str:
    if from_stdin == generated:
        raise click.UsageError("say either --password-stdin or --generate-password")
    if generated:
        return generate_password()
    try:
        typed = sys.stdin.buffer.read(_MAX_BYTES).decode("utf-8")
    except UnicodeDecodeError:
        raise CommandError("the password is not valid UTF-8") from None
    return typed.removesuffix("\n").removesuffix("\r")


def _check_choice(password: str, username: str, email: str | None, settings: Settings) -> None:
    if refusal := password_rules(settings).rejection_reason(password, username, email):
        raise CommandError(refusal)


def _hash(password: str, settings: Settings) -> str:
    costs = settings.passwords
    return Passwords(costs.memory_kib, costs.iterations, costs.lanes).hash(password)


def _described(it: User) -> dict[str, Any]:
    return {
        "username": it.username,
        "sub": it.sub,
        "email": it.email,
        "roles": list(it.roles),
        "disabled": it.disabled,
        "created_at": it.created_at,
    }
