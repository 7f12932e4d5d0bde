"""Log lines of Jeton and of libraries: one JSON object each."""

import io
import json
import logging
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any, Literal

import msgspec
import psycopg
import pytest
import structlog
from sqlalchemy.exc import DataError, IntegrityError

from jeton.observability.logs import MAX_EXCEPTION, MAX_TEXT, JsonFormatter, configure_logs


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(1_700_000_000.25, "2023-11-14T22:13:20.250000Z"), (1_700_000_000.0, "2023-11-14T22:13:20Z")],
    ids=["fraction", "whole second"],
)
def test_line_contains_its_time(seconds: float, expected: str) -> None:
    record = logging.makeLogRecord({"name": "uvicorn.error", "levelname": "INFO", "msg": "up", "created": seconds})

    assert json.loads(JsonFormatter().format(record)) == {
        "event": "up",
        "logger": "uvicorn.error",
        "level": "info",
        "timestamp": expected,
    }


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.BytesIO]:
    """The bytes that structlog wrote."""
    before, written = structlog.get_config(), io.BytesIO()
    stderr = io.TextIOWrapper(written)
    monkeypatch.setattr("sys.stderr", stderr)
    configure_logs()
    yield written
    structlog.configure(**before)


@pytest.fixture
def lines(written: io.BytesIO) -> Callable[[], list[dict[str, Any]]]:
    return lambda: [json.loads(line) for line in written.getvalue().splitlines()]


def test_structlog_line_contains_fields_level_and_time(lines: Callable[[], list[dict[str, Any]]]) -> None:
    began = datetime.now(UTC)

    structlog.get_logger("jeton.test").warning("request_refused", path="/oauth/token", client_id=None)

    (line,) = lines()
    assert began <= datetime.fromisoformat(line.pop("timestamp")) <= datetime.now(UTC)
    assert line == {"event": "request_refused", "level": "warning", "path": "/oauth/token", "client_id": None}


def test_error_is_logged_with_traceback(lines: Callable[[], list[dict[str, Any]]]) -> None:
    try:
        raise ZeroDivisionError("by what")
    except ZeroDivisionError:
        structlog.get_logger("jeton.test").exception("server_error")

    (line,) = lines()
    assert (line["event"], line["level"]) == ("server_error", "error")
    assert "test_logs.py" in line["exception"]
    assert line["exception"].endswith("ZeroDivisionError: by what")


def test_debug_lines_are_not_written(lines: Callable[[], list[dict[str, Any]]]) -> None:
    structlog.get_logger("jeton.test").debug("looked")

    assert lines() == []


HOSTILE = "\x1b]0;\x07\x7f\x9b31m\u202e\u2028\ud800"


@pytest.mark.parametrize("text", [HOSTILE, "\x9b31m", "\x7f", "x" * 20_000, "\u00fc" * 20_000], ids=range(5))
def test_untrusted_text_is_truncated_and_escaped(lines: Callable[[], list[dict[str, Any]]], text: str) -> None:
    structlog.get_logger("jeton.test").warning("request_refused", ip=text, status=404)
    record = logging.makeLogRecord({"name": "uvicorn", "msg": "met %s", "args": (text,), "created": 0.0})

    (line,) = lines()
    assert (line["event"], line["status"], len(line["ip"])) == ("request_refused", 404, min(len(text), MAX_TEXT + 3))
    rendered = JsonFormatter().format(record)
    assert rendered.isascii()
    assert rendered.isprintable()
    assert len(rendered) < 12 * MAX_TEXT


@pytest.mark.parametrize("text", [HOSTILE, "\x9b31m", "\x7f"], ids=range(3))
def test_lines_are_printable_ascii(written: io.BytesIO, text: str) -> None:
    structlog.get_logger("jeton.test").warning("request_refused", user_agent=text, other=object)

    assert written.getvalue().decode("ascii").removesuffix("\n").isprintable()


def raise_from_database() -> None:
    try:
        raise KeyError("secret")
    except KeyError:
        error = psycopg.errors.UniqueViolation("duplicate key\nDETAIL:  Key (name)=(secret)")
        raise IntegrityError("INSERT", {}, error) from None


def raise_with_cause() -> None:
    try:
        int("secret")
    except ValueError as error:
        raise LookupError("secret") from error


def raise_group() -> None:
    raise ExceptionGroup("both", [OSError("disk"), DataError("SELECT", {}, psycopg.DataError('invalid: "secret"'))])


@pytest.mark.parametrize(
    ("raising", "expected"),
    [
        (raise_from_database, ["IntegrityError: duplicate key"]),
        (raise_with_cause, ["ValueError\nwhich led to:", "\nLookupError"]),
        (raise_group, ["both", "OSError: disk", "\nDataError"]),
        (b"\xff".decode, ["UnicodeDecodeError"]),
        (lambda: msgspec.json.decode(b'"secret"', type=Literal["x"]), ["ValidationError"]),
    ],
)
def test_error_is_logged_without_quoted_values(
    lines: Callable[[], list[dict[str, Any]]], raising: Callable[[], object], expected: list[str]
) -> None:
    try:
        raising()
    except Exception as error:
        structlog.get_logger("jeton.test").exception("server_error")
        record = logging.makeLogRecord({"created": 0.0, "exc_info": (type(error), error, error.__traceback__)})

    (line,) = lines()
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
