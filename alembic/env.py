"""Runs migrations on the connection it is given; the `alembic` command finds the configured database by itself."""

from typing import Any

from sqlalchemy import Connection

from alembic import context
from jeton.config.loading import load_settings
from jeton.storage.database import Database
from jeton.storage.tables import metadata


def _run(connection: Connection) -> None:
    arguments: dict[str, Any] = {"render_as_batch": connection.dialect.name == "sqlite", "compare_type": True}
    context.configure(connection=connection, target_metadata=metadata, **arguments)
    with context.begin_transaction():
        context.run_migrations()


given = context.config.attributes.get("connection")
if given is not None:
    _run(given)
else:
    with Database(load_settings().database.url).write() as opened:
        _run(opened)
