"""jeton serve."""

import asyncio
import logging
import os
import signal
import socket
import sys
from contextlib import suppress
from pathlib import Path
from typing import Final, cast

import click
import uvicorn
from uvicorn.supervisors import Multiprocess

from jeton.bootstrap.server import assemble
from jeton.cli.demo import create_demo_accounts
from jeton.cli.listening import bind_sockets, connection_limit
from jeton.cli.options import effective_settings
from jeton.config import Server, Settings
from jeton.config_sources import FILE_VARIABLE
from jeton.http1.connection_factory import ConnectionFactory
from jeton.observability.logs import UVICORN_LOGGING, configure_logs_once
from jeton.rules.loopback import is_loopback

# A request may take 20 seconds to arrive; after that nobody waits for its answer.
GRACEFUL_SECONDS: Final = 20
STARTUP_FAILURE: Final = 3


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
        sockets = bind_sockets(settings.server.host, settings.server.port)
        if demo:
            for line in create_demo_accounts(server.parts, settings):
                click.echo(line)
    finally:
        server.close()
    _warn(settings)
    _run(settings.server, sockets)


def _run(settings: Server, sockets: list[socket.socket]) -> None:
    """Serve until a signal ends it, as uvicorn.run does, on sockets that are bound."""
    config = uvicorn.Config(
        "jeton.bootstrap.server:create",
        factory=True,
        workers=settings.workers,
        # `http/client_address.py` reads them: uvicorn would take whatever stands there for an address.
        proxy_headers=False,
        access_log=False,
        server_header=False,
        # It is called like the class of a protocol, and is none.
        http=cast("type[asyncio.Protocol]", ConnectionFactory(connection_limit(settings.max_connections))),
        ws="none",
        timeout_worker_healthcheck=30,
        timeout_graceful_shutdown=GRACEFUL_SECONDS,
        log_config=UVICORN_LOGGING,
    )
    for sock in sockets:
        # From here on nobody is refused: who comes before the workers are there waits for them.
        sock.listen(config.backlog)
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    logging.getLogger("uvicorn.error").info(
        "Uvicorn running on http://%s:%d (Press CTRL+C to quit)", host, settings.port
    )
    # uvicorn raises SIGTERM again when it has shut down; with several workers it does not.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    if settings.workers > 1:
        Multiprocess(config, sockets).run()
        return
    server = uvicorn.Server(config)
    with suppress(KeyboardInterrupt):
        server.run(sockets)
    if not server.started:
        sys.exit(STARTUP_FAILURE)


def _set_environment(config_file: Path | None, host: str | None, port: int | None, workers: int | None) -> None:
    """Options go into the environment, so that every worker process reads the very same settings."""
    if config_file is not None:
        os.environ[FILE_VARIABLE] = str(config_file.absolute())
    for key, value in (("HOST", host), ("PORT", port), ("WORKERS", workers)):
        if value is not None:
            os.environ[f"JETON_SERVER__{key}"] = str(value)


def _warn(settings: Settings) -> None:
    if not is_loopback(settings.server.host) and settings.server.issuer.startswith("http://"):
        click.echo("jeton: server.issuer is plain http: set it to the https address that clients use", err=True)
