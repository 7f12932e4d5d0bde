"""Descriptions of invalid values of settings: which setting, and what it may be."""

from collections.abc import Mapping
from functools import cache
from typing import Annotated, Any, Final, Literal, get_args, get_origin

import msgspec

from jeton.config.settings import Settings

_TYPE_NAMES: Final = {
    "int": "a whole number",
    "float": "a decimal number",
    "bool": "true or false",
    "str": "text",
    "array": "a list",
    "list": "a list",
    "object": "a section",
    "dict": "a section",
    "null": "nothing",
}


def describe_error(error: msgspec.ValidationError) -> str:
    """Return which setting is wrong, and what it may be."""
    problem, _, setting = str(error).removesuffix("`").partition(" - at `$.")
    expected = _expected_values().get(setting)
    if expected is not None:
        return f"{setting} must be {expected}"
    problem = problem.replace("Expected ", "must be ").replace(", got ", ", not ")
    for name, word in _TYPE_NAMES.items():
        problem = problem.replace(f"`{name}`", word)
    return f"{setting} {problem}"


def _expected(kind: Any) -> str | None:
    """Return the values of a setting that has only a few, or the description of its format; None for others."""
    if get_origin(kind) is Literal:
        return " or ".join(map(str, get_args(kind)))
    if get_origin(kind) is Annotated:
        return next((it.description for it in kind.__metadata__ if it.description), None)
    return None


@cache
def _expected_values() -> Mapping[str, str]:
    """Return what is expected of settings, by name. Not made at the start, where it is seldom needed."""
    return {
        f"{section.name}.{key.name}": expected
        for section in msgspec.structs.fields(Settings)
        for key in msgspec.structs.fields(section.type)
        if (expected := _expected(key.type)) is not None
    }
