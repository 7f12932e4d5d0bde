"""Findings: what one check of an installation has shown, and what to do about it."""

from enum import StrEnum
from typing import Final

from jeton.frozen import Frozen

_UNITS: Final = ((86400, "day"), (3600, "hour"), (60, "minute"), (1, "second"))


class Level(StrEnum):
    OK = "ok"
    WARN = "warn"  # works, but not as it should
    FAIL = "fail"  # does not work, or is not safe


class Finding(Frozen):
    """The result of one check. `advice` says what to do; it is empty if the message does, or nothing is to be done."""

    check: str
    level: Level
    message: str
    advice: str = ""


def ok(check: str, message: str, advice: str = "") -> Finding:
    return Finding(check, Level.OK, message, advice)


def warn(check: str, message: str, advice: str = "") -> Finding:
    return Finding(check, Level.WARN, message, advice)


def fail(check: str, message: str, advice: str = "") -> Finding:
    return Finding(check, Level.FAIL, message, advice)


def in_words(seconds: float) -> str:
    """Return a duration in its largest unit, rounded down: "61 days"."""
    size, unit = next((it for it in _UNITS if seconds >= it[0]), _UNITS[-1])
    count = int(seconds // size)
    return f"{count} {unit}{'' if count == 1 else 's'}"
