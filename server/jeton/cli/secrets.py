"""jeton secrets: the master keys, and what depends on them."""

import click

from jeton.bootstrap.opening import open_master_keys
from jeton.cli.options import configured, json_option, opened, print_result
from jeton.config import Settings
from jeton.crypto.sealed_keys import SealedKeys
from jeton.keys.rewrap import rewrap_signing_keys
from jeton.storage.families import sessions_of_older_master_keys


@click.group()
def secrets() -> None:
    """Master keys."""


@secrets.command()
@json_option
@configured
def rewrap(as_json: bool, settings: Settings) -> None:
    """Seal every stored private key under the newest master key, the first in secrets.master_key.

    Sessions stay with the master key they were opened under: while it is configured they go on, and without it
    their refresh tokens are answered 503. The answer says how many still need an older one, and until when at the
    latest.
    """
    with opened(settings) as (database, clock):
        master_keys = open_master_keys(settings, database)
        with database.write() as connection:
            clock.follow(connection)
            count = rewrap_signing_keys(connection, SealedKeys(master_keys))
            sessions, last_ends_at = sessions_of_older_master_keys(connection, clock.now(), master_keys.newest)
    result = {
        "master_key_id": master_keys.newest,
        "signing_keys_sealed": count,
        "sessions_of_older_master_keys": sessions,
        "last_of_them_ends_at": last_ends_at,
    }
    print_result(result, as_json=as_json)
