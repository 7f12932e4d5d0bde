"""jeton passwords: measure the cost of password hashes."""

from time import perf_counter
from typing import Final

import click

from jeton.cli.options import configured, json_option
from jeton.cli.output import print_result
from jeton.config.settings import Settings
from jeton.crypto.hash_calibration import MIN_COSTS, Costs, Measured, calibrate_costs, measure
from jeton.crypto.hashing_concurrency import hashing_concurrency, process_resources

_MIB: Final = 1024


@click.group()
def passwords() -> None:
    """Password hashing."""


@passwords.command()
@click.option(
    "--target-ms", type=click.IntRange(1, 10_000), default=100, show_default=True, help="Target time of one hash."
)
@click.option(
    "--max-memory-mib",
    type=click.IntRange(MIN_COSTS.memory_kib // _MIB, 1024),
    default=128,
    show_default=True,
    help="Maximum memory of one hash. Several run at once: see passwords.concurrency.",
)
@json_option
@configured
def calibrate(target_ms: int, max_memory_mib: int, as_json: bool, settings: Settings) -> None:
    """Measure Argon2id on this machine, and print settings.

    With them, a hash takes about the target time. The result is never below OWASP's minimum. Run it on the server's
    machine while there is little load. Higher costs apply to each user from the next login on.
    """
    in_effect, resources = settings.passwords, process_resources()
    now = measure(Costs(in_effect.memory_kib, in_effect.iterations, in_effect.lanes), perf_counter)
    found = calibrate_costs(target_ms / 1000, max_memory_mib * _MIB, perf_counter)
    at_once = hashing_concurrency(
        in_effect.concurrency, resources, settings.server.workers, found.costs.memory_kib, found.costs.lanes
    )
    if as_json:
        print_result(
            {"proposed": _describe(found), "in_effect": _describe(now), "hashes_at_once": at_once}, as_json=True
        )
        return
    click.echo(
        f"# A hash takes {_milliseconds(found)} ms with these settings, {_milliseconds(now)} ms with the current ones."
    )
    click.echo(
        f"# A process computes {at_once} at once: server.workers = {settings.server.workers},"
        f" {resources.cores:g} cores and {resources.memory_bytes // 2**20:,} MiB are available."
    )
    if found.costs == MIN_COSTS and _milliseconds(found) > target_ms:
        click.echo(f"# They are the safe minimum: {target_ms} ms would be less than that on this machine.")
    click.echo("[passwords]")
    for name, value in _settings(found.costs).items():
        click.echo(f"{name} = {value}")


def _settings(costs: Costs) -> dict[str, int]:
    return {"memory_kib": costs.memory_kib, "iterations": costs.iterations, "lanes": costs.lanes}


def _describe(it: Measured) -> dict[str, float]:
    return {**_settings(it.costs), "milliseconds": _milliseconds(it)}


def _milliseconds(it: Measured) -> float:
    return round(it.seconds * 1000, 1)
