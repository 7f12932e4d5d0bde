"""jeton doctor: examine the installation."""

import os
from collections.abc import Sequence

import click

from jeton.admin.diagnosis.findings import Finding, Level
from jeton.bootstrap.diagnosis import diagnose
from jeton.cli.options import configured, json_option
from jeton.config.settings import Settings
from jeton.frozen import asdict
from jeton.observability.escaping import encode_json, escape
from jeton.outbound.client import OutboundClient


@click.command()
@click.option("--offline", is_flag=True, help="Request nothing from the issuer's address.")
@json_option
@configured
@click.pass_context
def doctor(context: click.Context, offline: bool, as_json: bool, settings: Settings) -> None:
    """Say what is wrong with the installation, and what to do.

    Nothing is changed. Run it as the user that Jeton runs as, with the same settings, on the same machine; the server
    may be running. It also reads the metadata, the key set and the certificate at the issuer's address, as clients do.

    \b
    ok    as it should be
    warn  works, but not as it should
    fail  does not work, or is not safe: the exit status is 1
    """
    # The operator knows the issuer's address: it may be in their own network.
    outbound = None if offline else OutboundClient(allow_private_addresses=True)
    findings = list(diagnose(settings, context.params["config_file"], os.environ, outbound))
    click.echo(encode_json([asdict(it) for it in findings]) if as_json else _format(findings))
    if any(it.level is Level.FAIL for it in findings):
        context.exit(1)


def _format(findings: Sequence[Finding]) -> str:
    """Return a line per finding, and one more for what to do."""
    width = max(len(it.check) for it in findings)
    lines = []
    for it in findings:
        lines.append(f"{it.level:<4}  {it.check:<{width}}  {escape(it.message)}")
        if it.advice:
            lines.append(f"{'':<6}{'':<{width}}  {escape(it.advice)}")
    return "\n".join(lines)
