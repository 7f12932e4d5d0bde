"""jeton serve."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import click
import uvicorn

from jeton.assembly import assemble
from jeton.cli.demo import create_demo_accounts
from jeton.cli.options import effective_settings
from jeton.cli.refusal import Refusal
from jeton.config import Settings
from jeton.config_sources import FILE_VARIABLE
from jeton.http.connection import Connection
from jeton.logs import UVICORN_LOGGING, configure_logs_once
from jeton.oauth.transport import is_loopback


@click.command()
@click.option("--host", help="The address to listen on.")
@click.option("--port", type=click.IntRange(1, 65535), help="The port to listen on.")
@click.option("--workers", type=click.IntRange(1, 64), help="How many processes answer; about one per core.")
@click.option("--config", "config_file", type=click.Path(path_type=Path), help="The TOML file with the settings.")
@click.option(
    "--demo",
    is_flag=True,
    help="Create demo accounts at the first start, on this machine only, and print how to use them.",
)
def serve(host: str | None, port: int | None, workers: int | None, config_file: Path | None, demo: bool) -> None:
    """Serve HTTP until SIGINT or SIGTERM, then end with status 0; SIGHUP replaces the workers one by one.

    With --workers 2 or more, SIGHUP leaves no moment unserved. Without --demo no account ever exists by itself.
    """
    _set_environment(config_file, host, port, workers)
    settings = effective_settings()
    configure_logs_once()
    # Whatever keeps the server from starting is said here, once and in a sentence, before any worker starts.
    server = assemble(settings)
    try:
        asyncio.run(_check_address(settings.server.host, settings.server.port))
        if demo:
            for line in create_demo_accounts(server.services, settings):
                click.echo(line)
    finally:
        server.close()
    _warn(settings)
    # uvicorn raises SIGTERM again when it has shut down; with several workers it does not.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    uvicorn.run(
        "jeton.assembly:create",
        factory=True,
        host=settings.server.host,
        port=settings.server.port,
        workers=settings.server.workers,
        # `http/client_address.py` reads them: uvicorn would take whatever stands there for an address.
        proxy_headers=False,
        access_log=False,
        server_header=False,
        http=Connection,
        ws="none",
        timeout_keep_alive=75,
        timeout_worker_healthcheck=30,
        timeout_graceful_shutdown=20,
        log_config=UVICORN_LOGGING,
    )


def _set_environment(config_file: Path | None, host: str | None, port: int | None, workers: int | None) -> None:
    """Options go into the environment, so that every worker process reads the very same settings."""
    if config_file is not None:
        os.environ[FILE_VARIABLE] = str(config_file.absolute())
    for key, value in (("HOST", host), ("PORT", port), ("WORKERS", workers)):
        if value is not None:
            os.environ[f"JETON_SERVER__{key}"] = str(value)


async def _check_address(host: str, port: int) -> None:
    """Binds as uvicorn is going to, and lets go."""
    try:
        listener = await asyncio.get_running_loop().create_server(asyncio.Protocol, host, port, start_serving=False)
    except (OSError, UnicodeError) as error:
        why = getattr(error, "strerror", None) or error
        raise Refusal(f"cannot listen on {host} port {port}: {why}: see server.host and server.port") from None
    listener.close()


def _warn(settings: Settings) -> None:
    if not is_loopback(settings.server.host) and settings.server.issuer.startswith("http://"):
        click.echo("jeton: server.issuer is plain http: set it to the https address that clients use", err=True)
