"""jeton session: who is logged in where."""

from typing import Any

import click

from jeton.cli.client import find_client
from jeton.cli.errors import CommandError
from jeton.cli.options import TAKES_IDENTIFIER, configured, json_option, print_result, print_results, transaction
from jeton.cli.user import find_sub
from jeton.config import Settings
from jeton.oauth.scope import format_scope
from jeton.oauth.sessions import Family
from jeton.storage.families import end_families, list_families, load_families
from jeton.storage.users import load_users


@click.group()
def session() -> None:
    """Sessions: one per login, on one device, for one client."""


@session.command(name="list")
@click.option("--user", "username", help="Only this user's.")
@click.option("--client", "client_id", help="Only with this client.")
@json_option
@configured
def list_(username: str | None, client_id: str | None, as_json: bool, settings: Settings) -> None:
    """List live sessions, the last used first (1000 at most)."""
    with transaction(settings) as (connection, now):
        sub = find_sub(connection, username) if username is not None else None
        if client_id is not None:
            find_client(connection, client_id)
        found = list_families(connection, now, sub=sub, client_id=client_id)
        names = {sub: user.username for sub, user in load_users(connection, {it.sub for it in found}).items()}
    described = [_described(it, names.get(it.sub)) for it in found]
    columns = ("sid", "username", "client_id", "created_at", "last_used_at", "expires_at", "last_ip")
    print_results(described, as_json=as_json, columns=columns)


@session.command(context_settings=TAKES_IDENTIFIER)
@click.argument("sid", required=False)
@click.option("--user", "username", help="All sessions of this user.")
@click.option("--client", "client_id", help="All sessions with this client.")
@click.option("--all", "everything", is_flag=True, help="All sessions of everybody.")
@json_option
@configured
def revoke(
    sid: str | None, username: str | None, client_id: str | None, everything: bool, as_json: bool, settings: Settings
) -> None:
    """End sessions at once: their refresh tokens die, their access tokens are inactive at introspection."""
    if sum((sid is not None, username is not None, client_id is not None, everything)) != 1:
        raise click.UsageError("say one of: SID, --user, --client, --all")
    with transaction(settings) as (connection, now):
        sub = find_sub(connection, username) if username is not None else None
        if client_id is not None:
            find_client(connection, client_id)
        if sid is not None and not load_families(connection, [sid]):
            raise CommandError(f"there is no session {sid}: see `jeton session list`")
        ended = end_families(connection, now, "revoked_by_operator", sid=sid, sub=sub, client_id=client_id)
    print_result({"sessions_ended": ended}, as_json=as_json)


def _described(it: Family, username: str | None) -> dict[str, Any]:
    return {
        "sid": it.sid,
        "username": username,
        "sub": it.sub,
        "client_id": it.client_id,
        "scope": format_scope(it.scope),
        "created_at": it.created_at,
        "last_used_at": it.rotated_at,
        "expires_at": min(it.idle_expires_at, it.absolute_expires_at),
        "refreshes": it.generation,
        "created_ip": it.created_ip,
        "created_user_agent": it.created_user_agent,
        "last_ip": it.last_ip,
        "last_user_agent": it.last_user_agent,
        "moves": it.moves,
    }
