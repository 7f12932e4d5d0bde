"""Logs: one JSON object a line on standard error. Fields are named one by one where something is logged, so that no
request, header or secret can slip in whole."""

import logging
import sys
from collections.abc import MutableMapping
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
import structlog

_LEVEL: Final = logging.INFO

# uvicorn's own messages. No access log: ours says who got what, and never a query or a header.
UVICORN_LOGGING: Final[dict[str, Any]] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"json": {"()": "jeton.logs.JsonFormatter"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json"}},
    "loggers": {"uvicorn": {"handlers": ["stderr"], "level": "INFO", "propagate": False}},
}


class JsonFormatter(logging.Formatter):
    """Renders a record of the standard library as our own lines look."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "event": record.getMessage(),
            "logger": record.name,
            "level": record.levelname.lower(),
            "timestamp": datetime.fromtimestamp(record.created, UTC),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return msgspec.json.encode(line).decode()


def configure_logs() -> None:
    """For a server process, once."""
    # Its DEBUG lines hold tokens.
    logging.getLogger("authlib").setLevel(logging.INFO)
    structlog.configure(
        processors=[structlog.processors.format_exc_info, _as_line],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVEL),
        logger_factory=structlog.BytesLoggerFactory(sys.stderr.buffer),
        cache_logger_on_first_use=True,
    )


def _as_line(_logger: Any, level: str, fields: MutableMapping[str, Any]) -> bytes:
    """In one step: every token that is issued is a line."""
    fields["level"], fields["timestamp"] = level, datetime.now(UTC)
    return msgspec.json.encode(fields)
