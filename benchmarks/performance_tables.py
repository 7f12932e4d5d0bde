"""Tables of docs/performance.md."""

from collections.abc import Iterable, Sequence

from aims import (
    LOGIN_AIM,
    MEMORY_AIMS,
    NAMES,
    PARTS,
    START_AIMS,
    operations_of,
    refresh_parts,
    share_aim,
    signatures_of,
)
from results import Rate, Results


def render_tables(results: Results) -> dict[str, str]:
    """Return the tables by the names of their places."""
    return {
        "machine": _machine(results),
        "rates": _rates(results),
        "refresh": _refresh_table(results),
        "footprint": _footprint(results),
        "growth": _growth_table(results),
        "sign-in": _sign_in(results),
        "verification": _verification(results),
        "status list": _status_list(results),
    }


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n" + "".join("| " + " | ".join(cells) + " |\n" for cells in lines) + "\n"


def _machine(results: Results) -> str:
    it = results.machine
    ifma = "with AVX-512 IFMA, which more than halves an RSA signature" if it.ifma else "without AVX-512 IFMA"
    signatures = [rate.signature_us for rate in results.rates if rate.signature != "RS256 without IFMA"]
    return (
        f"Measured on {it.date} at commit {it.commit}: {it.processor}, {it.cores} cores, {ifma}; Python {it.python};"
        f" medians of {it.rounds} windows of {it.seconds} seconds each. One bare RS256 signature took"
        f" {min(signatures):.0f} to {max(signatures):.0f} microseconds; on a quiet machine these are equal.\n"
    )


def _rates(results: Results) -> str:
    ordered = [
        results.rate(database, signature, operation)
        for signature in signatures_of(results)
        for operation in operations_of(results, signature)
        for database in NAMES
    ]
    columns = (
        "operation",
        "signature",
        "database",
        "share",
        "aim",
        "ratio",
        "min-max",
        "req/s",
        "p50",
        "p99",
        "balance",
    )
    return _table(columns, [_rate_row(results, it) for it in ordered])


def _rate_row(results: Results, it: Rate) -> list[str]:
    aim = share_aim(results, it.signature, it.operation)
    return [
        it.operation,
        it.signature,
        NAMES[it.database],
        f"{it.share:.0%}",
        f"{aim:.0%}" if aim else "",
        f"{it.ratio:.2f}",
        f"{it.ratio_min:.2f}-{it.ratio_max:.2f}",
        f"{it.per_second:,.0f}",
        f"{it.p50_ms:.1f} ms",
        f"{it.p99_ms:.1f} ms",
        f"{it.balance:.2f}",
    ]


def _refresh_table(results: Results) -> str:
    rows = [[label, *(f"{it:.0f}" for it in (*parts, sum(parts)))] for label, parts in refresh_parts(results)]
    return _table(("microseconds", *PARTS, "all"), rows)


def _footprint(results: Results) -> str:
    starts = [
        [
            f"first response, {it.workers} worker{'s' * (it.workers > 1)}",
            f"{it.median:.2f} s ({it.shortest:.2f}-{it.longest:.2f})",
            f"{START_AIMS[it.workers]} s",
        ]
        for it in results.starts
    ]
    memory = [
        [
            f"memory of two workers on {NAMES[it.database]}, at the start and after load",
            f"{it.at_start:.0f} MB, {it.after_load:.0f} MB",
            "{:.0f} MB, {:.0f} MB".format(*MEMORY_AIMS),
        ]
        for it in results.memory
    ]
    return _table(("", "measured", "aim"), [*starts, *memory])


def _growth_table(results: Results) -> str:
    sessions = sorted({it.sessions for it in results.rates if it.operation == "refresh"})
    rows = [
        [
            f"{operation}, {name}",
            *(
                f"{it.per_second:,.0f} ({it.share:.0%})"
                for it in (results.rate(database, "RS256", operation, count) for count in sessions)
            ),
        ]
        for operation in ("refresh", "introspection")
        for database, name in NAMES.items()
    ]
    return _table(("requests a second (share)", *(f"{it:,} sessions" for it in sessions)), rows)


def _sign_in(results: Results) -> str:
    it = results.sign_in
    if it is None:
        return "\nNot measured: the machine was too busy.\n\n"
    rows = [
        ["logins a second", f"{it.logins:.1f}", ""],
        ["bare hashes a second by the library, in pages of 4 KiB", f"{it.library_hashes:.1f}", ""],
        ["logins, as a share of these", f"{it.logins / it.library_hashes:.0%}", f"{LOGIN_AIM:.0%}"],
        ["bare hashes a second in huge pages", f"{it.hashes:.1f}", ""],
        ["logins, as a share of these", f"{it.logins / it.hashes:.0%}", ""],
        ["p99 of 50 refreshes a second, without logins", f"{it.idle_p99_ms:.1f} ms", ""],
        ["p99 of 50 refreshes a second, meanwhile", f"{it.meanwhile_p99_ms:.1f} ms", f"{2 * it.idle_p99_ms:.1f} ms"],
    ]
    return _table(("", "measured", "aim"), rows)


def _verification(results: Results) -> str:
    first = results.verification[0].microseconds
    rows = [[it.verifier, f"{it.microseconds:.1f}", f"{first / it.microseconds:.1f}"] for it in results.verification]
    return _table(("", "microseconds a token", "ratio"), rows)


def _status_list(results: Results) -> str:
    columns = ("ended", "bytes", "check without change, ms", "check with a change, ms", "parsing in a service, ms")
    rows = [
        [f"{it.ended:,}", f"{it.octets:,}", *map(str, (it.unchanged_ms, it.changed_ms, it.parsing_ms, it.lookup_us))]
        for it in results.status_list
    ]
    return _table((*columns, "lookup of one token, us"), rows)
