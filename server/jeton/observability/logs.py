"""Log lines: one JSON object per line on standard error, in ASCII. Lines of a request have its `request_id`, and
its `trace_id` if it is traced.

Callers name each field, so that no whole request, header or secret is logged. Text is truncated and escaped here.
"""

import logging
import sys
from collections.abc import Mapping, MutableMapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, BinaryIO, Final, cast

import msgspec
import structlog

from jeton.observability.escaping import encode_json
from jeton.observability.exceptions import format_exception
from jeton.observability.origin import current_origin
from jeton.observability.tracing import tracing

MAX_TEXT: Final = 256
MAX_EXCEPTION: Final = 8192
_MAX_UNCUT_LINE: Final = 2048
_LEVEL: Final = logging.INFO
# Their DEBUG lines contain tokens, and rows of the database. SQLAlchemy's INFO lines are every statement.
_QUOTING_LOGGERS: Final = ("authlib", "sqlalchemy.engine")

# uvicorn's own messages, and warnings of other libraries. uvicorn's access log is off, because it contains queries.
UVICORN_LOGGING: Final[dict[str, Any]] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"json": {"()": "jeton.observability.logs.JsonFormatter"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json"}},
    "loggers": {"uvicorn": {"handlers": ["stderr"], "level": "INFO", "propagate": False}},
    "root": {"handlers": ["stderr"], "level": "WARNING"},
}


class JsonFormatter(logging.Formatter):
    """Formats records of the standard library like the lines of structlog."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            # In the lines after the first, asyncio quotes exceptions.
            "event": record.getMessage().partition("\n")[0],
            "logger": record.name,
            "level": record.levelname.lower(),
            "timestamp": datetime.fromtimestamp(record.created, UTC),
        }
        _add_request(line)
        if record.exc_info and record.exc_info[1] is not None:
            line["exception"] = format_exception(record.exc_info[1])
        return _encode(line).decode()


class _LossyStream:
    """A stream that drops what cannot be written, because a disk is full or the reader of a pipe has ended.

    Otherwise a request would not be answered after its commit, and a server that logs its end would not end.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def write(self, line: bytes) -> None:
        with suppress(OSError):
            self._stream.write(line)

    def flush(self) -> None:
        with suppress(OSError):
            self._stream.flush()


def configure_logs() -> None:
    """Configure logging of a server process. Call it once."""
    for name in _QUOTING_LOGGERS:
        logging.getLogger(name).setLevel(logging.WARNING)
    structlog.configure(
        processors=[_render_line],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVEL),
        logger_factory=structlog.BytesLoggerFactory(cast("BinaryIO", _LossyStream(sys.stderr.buffer))),
        cache_logger_on_first_use=True,
    )


def configure_logs_once() -> None:
    """Configure logging of a command, unless that was done. Logs go to standard error, results to standard output."""
    if not structlog.is_configured():
        configure_logs()


def _render_line(_logger: Any, level: str, fields: MutableMapping[str, Any]) -> bytes:
    """Render a log line. A single structlog processor, because every issued token is logged."""
    fields["level"], fields["timestamp"] = level, datetime.now(UTC)
    _add_request(fields)
    if fields.pop("exc_info", None) and (error := sys.exc_info()[1]) is not None:
        fields["exception"] = format_exception(error)
    return _encode(fields)


def _add_request(fields: MutableMapping[str, Any]) -> None:
    request_id = current_origin.get().request_id
    if request_id is not None:
        fields["request_id"] = request_id
    if tracing.is_on and (trace_id := tracing.trace_id) is not None:
        fields["trace_id"] = trace_id


def _encode(fields: Mapping[str, Any]) -> bytes:
    """Return the line as JSON. Short lines of printable ASCII take the fast path; others are truncated and escaped."""
    try:
        line = msgspec.json.encode(fields)
        if len(line) <= _MAX_UNCUT_LINE and line.isascii() and b"\x7f" not in line:
            return line
    except (TypeError, ValueError, OverflowError):
        pass  # a lone surrogate, or a type that JSON does not have
    return encode_json({name: _truncate(name, value) for name, value in fields.items()}).encode()


def _truncate(name: str, value: Any) -> Any:
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    text = str(value)
    if name == "exception":
        return text[-MAX_EXCEPTION:]
    return text if len(text) <= MAX_TEXT else text[:MAX_TEXT] + "..."
