"""The PostgreSQL database that tests share is restored after each test."""

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from jeton.storage.database import Database
from jeton.storage.signing_keys import load_signing_keys
from jeton.storage.tables import signing_keys
from support.shared_database import SharedDatabase


def test_rows_settings_and_connections_of_another_test_are_gone(
    postgresql_url: str, shared_postgresql: SharedDatabase
) -> None:
    database = Database(postgresql_url)
    with database.write() as connection:
        before = load_signing_keys(connection)
        connection.execute(signing_keys.delete().where(signing_keys.c.kid == before[0].kid))
        connection.execute(signing_keys.update().values(state="retired"))
        connection.exec_driver_sql(f"ALTER DATABASE {database.url.database} SET default_transaction_read_only = on")
    with database.engine.connect() as left_open:
        left_open.execute(text("LOCK TABLE users"))

        shared_postgresql.restore()

        with pytest.raises(OperationalError):
            left_open.execute(text("SELECT 1"))
    with database.write() as connection:
        assert load_signing_keys(connection) == before
        assert connection.scalar(text("SHOW default_transaction_read_only")) == "off"
    database.close()
