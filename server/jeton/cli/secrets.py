"""jeton secrets: master keys."""

import click

from jeton.admin import master_keys
from jeton.bootstrap.from_settings import open_master_keys
from jeton.cli.options import configured, json_option, opened
from jeton.cli.output import print_result
from jeton.config.settings import Settings


@click.group()
def secrets() -> None:
    """Master keys."""


@secrets.command()
@json_option
@configured
def rewrap(as_json: bool, settings: Settings) -> None:
    """Encrypt all private keys with the newest master key.

    That is the first in secrets.master_key. A session needs the master key under which it began: keep that key
    configured until the session has ended, or its refresh token is answered with 503. The result says how many sessions
    still need an older key, and until when.
    """
    with opened(settings) as (database, clock):
        configured_keys = open_master_keys(settings, database)
        with database.write() as connection:
            clock.follow(connection)
            report = master_keys.rewrap(connection, clock.now(), configured_keys)
    print_result(report, as_json=as_json)
