"""Engines with separate databases that share compiled statements and types of SQLAlchemy.

Otherwise each server would compile the same statements again, which takes longer than a test.
"""

from typing import Any

from sqlalchemy import Engine, create_engine


class SharedCacheEngines:
    """A replacement for `create_engine`."""

    def __init__(self) -> None:
        self._first: dict[str, Engine] = {}
        self._compiled: dict[str, dict[Any, Any]] = {}

    def __call__(self, url: Any, **options: Any) -> Engine:
        engine = create_engine(url, **options)
        first = self._first.setdefault(engine.name, engine)
        # A dialect has all facts about its server after the first connection.
        if first.dialect.server_version_info is None:
            self._first[engine.name] = engine
        else:
            engine.dialect = first.dialect
        engine.update_execution_options(compiled_cache=self._compiled.setdefault(engine.name, {}))
        return engine
