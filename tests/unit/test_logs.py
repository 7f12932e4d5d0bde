"""Log lines, our own and those of other libraries: one JSON object each."""

import io
import json
import logging
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import structlog

from jeton.logs import JsonFormatter, configure_logs


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(1_700_000_000.25, "2023-11-14T22:13:20.250000Z"), (1_700_000_000.0, "2023-11-14T22:13:20Z")],
    ids=["fraction", "whole second"],
)
def test_a_line_says_when_it_was_logged(seconds: float, expected: str) -> None:
    record = logging.makeLogRecord({"name": "uvicorn.error", "levelname": "INFO", "msg": "up", "created": seconds})

    assert json.loads(JsonFormatter().format(record)) == {
        "event": "up",
        "logger": "uvicorn.error",
        "level": "info",
        "timestamp": expected,
    }


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], list[dict[str, Any]]]]:
    """What our own log wrote."""
    before, written = structlog.get_config(), io.BytesIO()
    stderr = io.TextIOWrapper(written)
    monkeypatch.setattr("sys.stderr", stderr)
    configure_logs()
    yield lambda: [json.loads(line) for line in written.getvalue().splitlines()]
    structlog.configure(**before)


def test_our_own_line_has_its_fields_its_level_and_the_time(lines: Callable[[], list[dict[str, Any]]]) -> None:
    began = datetime.now(UTC)

    structlog.get_logger("jeton.test").warning("request_refused", path="/oauth/token", client_id=None)

    (line,) = lines()
    assert began <= datetime.fromisoformat(line.pop("timestamp")) <= datetime.now(UTC)
    assert line == {"event": "request_refused", "level": "warning", "path": "/oauth/token", "client_id": None}


def test_an_error_is_told_with_where_it_came_from(lines: Callable[[], list[dict[str, Any]]]) -> None:
    try:
        raise ZeroDivisionError("by what")
    except ZeroDivisionError:
        structlog.get_logger("jeton.test").exception("server_error")

    (line,) = lines()
    assert (line["event"], line["level"]) == ("server_error", "error")
    assert "test_logs.py" in line["exception"]
    assert line["exception"].endswith("ZeroDivisionError: by what")


def test_what_is_of_no_importance_is_not_written(lines: Callable[[], list[dict[str, Any]]]) -> None:
    structlog.get_logger("jeton.test").debug("looked")

    assert lines() == []
