"""Charts of docs/performance.md."""

from collections.abc import Iterable

from aims import MEMORY_AIMS, NAMES, PARTS, START_AIMS, operations_of, refresh_parts, share_aim, signatures_of
from charts import Bars, draw_bars, draw_lines, draw_stacks
from results import Results


def render_charts(results: Results) -> dict[str, str]:
    """Return the charts by the names of their files."""
    return {
        "operations.svg": draw_bars(
            "Requests per second, as a share of the RS256 signatures that both cores can make",
            list(NAMES.values()),
            list(_operation_bars(results)),
            lambda value: f"{value:.0%}",
        ),
        "refresh.svg": draw_stacks(
            "Processor time of one refresh, in microseconds", PARTS, dict(refresh_parts(results)), "µs"
        ),
        "start.svg": draw_bars("Seconds to the first response", ["median"], _start_bars(results), "{:.2f} s".format),
        "memory.svg": draw_bars(
            "Memory of two workers and their parent, in megabytes",
            list(NAMES.values()),
            _memory_bars(results),
            "{:.0f} MB".format,
        ),
        "growth.svg": draw_lines(
            "Refreshes per second while the table grows",
            {name: _growth(results, database) for database, name in NAMES.items()},
            "sessions in the table",
            "{:,.0f}".format,
        ),
    }


def _operation_bars(results: Results) -> Iterable[Bars]:
    for signature in signatures_of(results):
        for operation in operations_of(results, signature):
            label = operation if signature == "RS256" else f"{operation}, {signature.replace('RS256 without', 'no')}"
            shares = tuple(results.rate(database, signature, operation).share for database in NAMES)
            yield Bars(label, shares, share_aim(results, signature, operation))


def _start_bars(results: Results) -> list[Bars]:
    return [
        Bars(f"{it.workers} worker{'s' * (it.workers > 1)}", (it.median,), START_AIMS[it.workers])
        for it in results.starts
    ]


def _memory_bars(results: Results) -> list[Bars]:
    at_start, after_load = MEMORY_AIMS
    return [
        Bars("at the start", tuple(it.at_start for it in results.memory), at_start),
        Bars("after load", tuple(it.after_load for it in results.memory), after_load),
    ]


def _growth(results: Results, database: str) -> list[tuple[float, float]]:
    return [
        (it.sessions, it.per_second)
        for it in results.rates
        if (it.database, it.signature, it.operation) == (database, "RS256", "refresh")
    ]
