"""Log lines of Jeton and of libraries: one JSON object each, without secrets and control characters."""

import io
import json
import logging
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal

import msgspec
import psycopg
import pytest
import structlog
from sqlalchemy.exc import DataError, IntegrityError

from jeton.observability.logs import MAX_EXCEPTION, MAX_TEXT, JsonFormatter, configure_logs

HOSTILE = ["\x1b]0;\x07\x7f\x9b31m\u202e\u2028\ud800", "\x9b31m", "\x7f", "x" * 20_000, "\u00fc" * 20_000]


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.BytesIO]:
    """The bytes written by structlog."""
    before, written = structlog.get_config(), io.BytesIO()
    stderr = io.TextIOWrapper(written)
    monkeypatch.setattr("sys.stderr", stderr)
    configure_logs()
    yield written
    structlog.configure(**before)


def only_line(written: io.BytesIO) -> dict[str, Any]:
    (line,) = written.getvalue().splitlines()
    return dict(json.loads(line))


def test_line_of_a_library_contains_its_time() -> None:
    for seconds, expected in ((0.25, "2023-11-14T22:13:20.250000Z"), (0.0, "2023-11-14T22:13:20Z")):
        fields = {"name": "uvicorn.error", "levelname": "INFO", "msg": "up", "created": 1_700_000_000 + seconds}
        line = {"event": "up", "logger": "uvicorn.error", "level": "info", "timestamp": expected}
        assert json.loads(JsonFormatter().format(logging.makeLogRecord(fields))) == line


def test_structlog_line_contains_fields_level_and_time_and_debug_is_not_written(written: io.BytesIO) -> None:
    began = datetime.now(UTC)

    structlog.get_logger("jeton.test").debug("looked")
    structlog.get_logger("jeton.test").warning("request_refused", path="/oauth/token", client_id=None)

    line = only_line(written)
    assert began <= datetime.fromisoformat(line.pop("timestamp")) <= datetime.now(UTC)
    assert line == {"event": "request_refused", "level": "warning", "path": "/oauth/token", "client_id": None}


def test_line_that_cannot_be_written_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    """A request that is logged must be answered, and a server that logs its end must end."""
    before = structlog.get_config()
    with Path("/dev/full").open("wb", buffering=0) as full:
        monkeypatch.setattr("sys.stderr", SimpleNamespace(buffer=full))
        configure_logs()
        structlog.get_logger("jeton.test").info("token_issued")
    structlog.configure(**before)


def test_line_of_asyncio_does_not_quote_the_exception_of_a_task() -> None:
    message = "Task exception was never retrieved\nfuture: <Task finished exception=ValueError('secret')>"
    record = logging.makeLogRecord({"name": "asyncio", "msg": message, "created": 0.0})

    assert json.loads(JsonFormatter().format(record))["event"] == "Task exception was never retrieved"


@pytest.mark.parametrize("text", HOSTILE, ids=range(5))
def test_untrusted_text_is_truncated_and_escaped(written: io.BytesIO, text: str) -> None:
    structlog.get_logger("jeton.test").warning("request_refused", ip=text, status=404, other=object)
    record = logging.makeLogRecord({"name": "uvicorn", "msg": "met %s", "args": (text,), "created": 0.0})

    line = only_line(written)
    assert (line["event"], line["status"], len(line["ip"])) == ("request_refused", 404, min(len(text), MAX_TEXT + 3))
    for rendered in (JsonFormatter().format(record), written.getvalue().decode("ascii").removesuffix("\n")):
        assert rendered.isascii()
        assert rendered.isprintable()
        assert len(rendered) < 12 * MAX_TEXT


def caused_by(cause: Exception, error: Exception, *, suppressed: bool = False) -> Callable[[], None]:
    def fail() -> None:
        try:
            raise cause
        except Exception:
            raise error from (None if suppressed else cause)

    return fail


DUPLICATE = psycopg.errors.UniqueViolation("duplicate key\nDETAIL:  Key (name)=(secret)")
INVALID = DataError("SELECT", {}, psycopg.DataError('invalid: "secret"'))
GROUP = ExceptionGroup("both", [OSError("disk"), INVALID])


@pytest.mark.parametrize(
    ("raising", "expected"),
    [
        (
            caused_by(KeyError("secret"), IntegrityError("INSERT", {}, DUPLICATE), suppressed=True),
            ["IntegrityError: duplicate key"],
        ),
        (caused_by(ValueError("secret"), LookupError("secret")), ["ValueError\nwhich led to:", "\nLookupError"]),
        (caused_by(KeyError("secret"), GROUP, suppressed=True), ["both", "OSError: disk", "\nDataError"]),
        (b"\xff".decode, ["UnicodeDecodeError"]),
        (lambda: msgspec.json.decode(b'"secret"', type=Literal["x"]), ["ValidationError"]),
        (lambda: 1 // 0, ["test_logs.py", "ZeroDivisionError: integer division"]),
    ],
)
def test_error_is_logged_with_traceback_and_without_quoted_values(
    written: io.BytesIO, raising: Callable[[], object], expected: list[str]
) -> None:
    try:
        raising()
    except Exception as error:
        structlog.get_logger("jeton.test").exception("server_error")
        record = logging.makeLogRecord({"created": 0.0, "exc_info": (type(error), error, error.__traceback__)})

    line = only_line(written)
    assert (line["event"], line["level"]) == ("server_error", "error")
    assert json.loads(JsonFormatter().format(record))["exception"] == line["exception"]
    said = [it for it in line["exception"].splitlines() if not it.startswith("    ")]
    assert "secret" not in "".join(said)
    assert [it for it in expected if it not in line["exception"]] == []


def test_long_error_is_truncated_at_its_start() -> None:
    deepest = OSError("the end")
    for _ in range(100):
        try:
            raise deepest
        except OSError as error:
            deepest = OSError("the end")
            deepest.__cause__ = error

    record = logging.makeLogRecord({"created": 0.0, "exc_info": (OSError, deepest, None)})
    line = json.loads(JsonFormatter().format(record))

    assert len(line["exception"]) == MAX_EXCEPTION
    assert line["exception"].endswith("OSError: the end")
