"""The exact log output of a serving process, with the logging configuration of the server."""

import io
import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest
import structlog

from jeton.observability.logs import JsonFormatter, configure_logs


class WrittenLog:
    """The log output of Jeton and of loggers of the standard library, at all levels."""

    def __init__(self) -> None:
        self.written = io.BytesIO()
        self.stream = io.TextIOWrapper(self.written, write_through=True)

    @property
    def text(self) -> str:
        return self.written.getvalue().decode("ascii")

    def lines(self, event: str | None = None) -> list[dict[str, Any]]:
        """Return all lines, or those of one event."""
        lines = [json.loads(it) for it in self.text.splitlines()]
        return [it for it in lines if event in (None, it["event"])]


@contextmanager
def written_log() -> Iterator[WrittenLog]:
    log, before, root = WrittenLog(), structlog.get_config(), logging.getLogger()
    handler = logging.StreamHandler(log.stream)
    handler.setFormatter(JsonFormatter())
    levels = dict.fromkeys(("", "asyncio", "authlib", "sqlalchemy", "sqlalchemy.engine", "uvicorn"), logging.DEBUG)
    # The HTTP client of the tests, which logs the URLs that it requests.
    levels["httpx2"] = logging.WARNING
    with pytest.MonkeyPatch.context() as patch, _levels(levels):
        patch.setattr(root, "handlers", [*root.handlers, handler])
        configure_logs()
        # Loggers that are not cached write to this log only while it is installed.
        settings = structlog.get_config() | {"logger_factory": structlog.BytesLoggerFactory(log.written)}
        structlog.configure(**settings | {"cache_logger_on_first_use": False})
        yield log
    structlog.configure(**before)


@contextmanager
def _levels(levels: Mapping[str, int]) -> Iterator[None]:
    """Set these log levels until the end of the block. Loggers cache them until `setLevel` is called."""
    before = {name: logging.getLogger(name).level for name in levels}
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)
    yield
    for name, level in before.items():
        logging.getLogger(name).setLevel(level)
