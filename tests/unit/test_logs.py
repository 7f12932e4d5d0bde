"""Log lines of other libraries: one JSON object each, with the fields that our own have."""

import json
import logging

import pytest

from jeton.logs import JsonFormatter


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
