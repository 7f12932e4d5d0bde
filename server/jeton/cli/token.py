"""jeton token: explain tokens."""

import sys

import click

from jeton.admin.token_inspection import Inspection, inspect_access_token, inspect_refresh_token
from jeton.bootstrap.from_settings import open_master_keys
from jeton.cli.options import configured, json_option, opened
from jeton.cli.output import print_result
from jeton.config.settings import Settings
from jeton.crypto.refresh_token import parse_refresh_token
from jeton.observability.escaping import encode_json, escape


@click.group()
def token() -> None:
    """Tokens."""


@token.command()
@click.argument("presented", metavar="TOKEN")
@json_option
@configured
def inspect(presented: str, as_json: bool, settings: Settings) -> None:
    """Decode and verify a token, and say why it is not active. `-` reads it from standard input."""
    if presented == "-":
        presented = sys.stdin.buffer.read(16 * 1024).decode("utf-8", "replace").strip()
    _print(_inspect(presented, settings), as_json)


def _inspect(presented: str, settings: Settings) -> Inspection:
    refresh_token, issuer = parse_refresh_token(presented), settings.server.issuer
    with opened(settings) as (database, clock):
        master_keys = None if refresh_token is None else open_master_keys(settings, database)
        with database.read() as connection:
            clock.follow(connection)
            if refresh_token is None or master_keys is None:
                return inspect_access_token(
                    connection, clock.now(), presented, issuer, settings.tokens.default_audience
                )
            return inspect_refresh_token(connection, clock.now(), refresh_token, issuer, master_keys)


def _print(inspection: Inspection, as_json: bool) -> None:
    parts = {"header": inspection.header, "claims": inspection.claims}
    if as_json:
        result = {"kind": inspection.kind, "active": inspection.active, "problems": inspection.problems}
        print_result(result | {name: it for name, it in parts.items() if it is not None}, as_json=True)
        return
    click.echo(f"{inspection.kind}: {'active' if inspection.active else 'not active'}")
    for problem in inspection.problems:
        click.echo(f"  - {escape(problem)}")
    for name, part in parts.items():
        if part:
            click.echo(f"{name}: {encode_json(part, indent=2)}")
