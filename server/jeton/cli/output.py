"""Output of results: tables and lines for people, JSON for programs. Text is escaped."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import click

from jeton.observability.escaping import encode_json, escape
from jeton.storage.list_limit import MAX_LISTED


def print_result(result: Mapping[str, Any], *, as_json: bool) -> None:
    """Print one result: a line per member, or a JSON object."""
    if as_json:
        click.echo(encode_json(result))
        return
    width = max(len(name) for name in result)
    for name, value in result.items():
        click.echo(f"{name:<{width}}  {_format(name, value)}")


def print_before_commit(result: Mapping[str, Any], *, as_json: bool) -> None:
    """Print a result that may hold a secret, within the transaction that stores its digest.

    If it cannot be written, for instance because the disk is full, the OSError rolls the transaction back: otherwise
    the secret would be in effect, and unknown.
    """
    print_result(result, as_json=as_json)


def print_results(results: Sequence[Mapping[str, Any]], *, as_json: bool, columns: Sequence[str]) -> None:
    """Print several results: a table with these columns, or a JSON array with all members."""
    if as_json:
        click.echo(encode_json(results))
        return
    rows = [list(columns), *([_format(name, result.get(name)) for name in columns] for result in results)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(columns))]
    for row in rows:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def print_limited(results: Sequence[Mapping[str, Any]], *, as_json: bool, columns: Sequence[str]) -> None:
    """Print the results of a query that returns MAX_LISTED rows at most. Warn if there may be more."""
    print_results(results, as_json=as_json, columns=columns)
    if len(results) >= MAX_LISTED:
        click.echo(f"jeton: {MAX_LISTED:,} are listed, and there may be more: select some by an option", err=True)


def _format(name: str, value: Any) -> str:
    if value is None or value in ([], ""):
        return "-"
    if isinstance(value, Mapping):
        return encode_json(value) if value else "-"
    if isinstance(value, list):
        return " ".join(escape(str(item)) for item in value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if name.endswith(("_at", "_until")) and isinstance(value, int):
        return _format_time(value)
    return escape(str(value))


def _format_time(seconds: int) -> str:
    """Return the time in UTC, as 2026-01-31 12:00:00Z; the bare number of seconds after the year 9999."""
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    except (ValueError, OverflowError, OSError):
        return str(seconds)
