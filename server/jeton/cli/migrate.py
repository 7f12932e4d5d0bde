"""jeton migrate: bring the database to the current schema."""

import click

from jeton.cli.options import configured, json_option
from jeton.cli.output import print_result
from jeton.config.settings import Settings
from jeton.storage.database import Database
from jeton.storage.database_url import mask_database_url
from jeton.storage.migrate import migrate as migrate_database


@click.command()
@json_option
@configured
def migrate(as_json: bool, settings: Settings) -> None:
    """Migrate the database to the current schema. Several processes may run this at once."""
    database = Database(settings.database.url)
    try:
        revision = migrate_database(database)
    finally:
        database.close()
    print_result({"database": mask_database_url(settings.database.url), "revision": revision}, as_json=as_json)
