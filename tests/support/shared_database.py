"""One PostgreSQL database for all tests of a process, restored before each: a new one costs ten times as much."""

from typing import Final

import psycopg

from jeton.storage.tables import metadata

_END_OTHERS: Final = """
    SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
"""


class SharedDatabase:
    """A migrated database and its initial content."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._connection = psycopg.connect(url, autocommit=True, options="-c lock_timeout=10000")
        self._restoring = ";".join([_END_OTHERS, self._without_settings(), *self._restore_statements()])

    def _without_settings(self) -> str:
        return f"ALTER DATABASE {self._connection.info.dbname} RESET ALL"

    def _restore_statements(self) -> list[str]:
        """Return the statements that delete all rows and insert the initial ones, which are copied here."""
        names = [table.name for table in metadata.sorted_tables]
        kept = [name for name in names if self._connection.execute(f"SELECT 1 FROM {name} LIMIT 1".encode()).fetchone()]
        for name in kept:
            self._connection.execute(f"CREATE TEMPORARY TABLE kept_{name} AS TABLE {name}".encode())
        return [
            *(f"DELETE FROM {name}" for name in reversed(names)),
            *(f"INSERT INTO {name} SELECT * FROM kept_{name}" for name in kept),
        ]

    def restore(self) -> None:
        """Restore the initial rows and settings, and end all other connections."""
        self._connection.execute(self._restoring.encode())

    def close(self) -> None:
        self._connection.close()
