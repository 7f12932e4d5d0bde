"""jeton migrate."""

import click

from jeton.cli.options import configured, json_option, print_result
from jeton.config import Settings
from jeton.storage.database import Database
from jeton.storage.database_url import mask_database_url
from jeton.storage.migrate import migrate as migrate_database


@click.command()
@json_option
@configured
def migrate(as_json: bool, settings: Settings) -> None:
    """Bring the database's schema up to date. May be run by several at once; whoever comes second finds it done."""
    database = Database(settings.database.url)
    try:
        revision = migrate_database(database)
    finally:
        database.close()
    print_result({"database": mask_database_url(settings.database.url), "revision": revision}, as_json=as_json)
