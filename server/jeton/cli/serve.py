"""jeton serve: run the server."""

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
from jeton.config import ServerSettings, Settings
from jeton.config_sources import FILE_VARIABLE
from jeton.http1.connection_factory import ConnectionFactory
from jeton.observability.logs import UVICORN_LOGGING, configure_logs_once
from jeton.rules.loopback import is_loopback

# A request may take this long to arrive, so no client waits longer for its response.
GRACEFUL_SECONDS: Final = 20
STARTUP_FAILURE: Final = 3


@click.command()
@click.option("--host", help="Address to listen on.")
@click.option("--port", type=click.IntRange(1, 65535), help="Port to listen on.")
@click.option("--workers", type=click.IntRange(1, 64), help="Number of server processes; about one per core.")
@click.option("--config", "config_file", type=click.Path(path_type=Path), help="Configuration file (TOML).")
@click.option(
    "--demo",
    is_flag=True,
    help="At the first start, create demo accounts that only this machine can use, and print how.",
)
def serve(host: str | None, port: int | None, workers: int | None, config_file: Path | None, demo: bool) -> None:
    """Serve HTTP until SIGINT or SIGTERM; the exit status is then 0.

    With --workers 2 or more, SIGHUP replaces the workers one by one without interruption. Only --demo creates accounts.
    """
    _set_environment(config_file, host, port, workers)
    settings = effective_settings()
    configure_logs_once()
    # Errors that prevent the start are raised here, once and as one sentence, before any worker starts.
    server = assemble(settings)
    try:
        sockets = bind_sockets(settings.server.host, settings.server.port)
        if demo:
            for line in create_demo_accounts(
                server.parts.database, server.parts.clock.now(), server.parts.passwords, settings
            ):
                click.echo(line)
    finally:
        server.close()
    _warn(settings)
    _run(settings.server, sockets)


class _Workers(Multiprocess):
    """The worker processes of a server and the sockets that they share."""

    def terminate_all(self) -> None:
        """Terminate the workers, and close the sockets here.

        The last one to close them ends the listening: until then the system accepts connections that no worker reads.
        """
        super().terminate_all()
        for sock in self.sockets:
            sock.close()


def _run(settings: ServerSettings, sockets: list[socket.socket]) -> None:
    """Serve on bound sockets until a signal arrives, as uvicorn.run does."""
    config = uvicorn.Config(
        "jeton.bootstrap.server:create",
        factory=True,
        workers=settings.workers,
        # `http/client_address.py` reads them: uvicorn would accept any text as an address.
        proxy_headers=False,
        access_log=False,
        server_header=False,
        # uvicorn calls it like a protocol class.
        http=cast("type[asyncio.Protocol]", ConnectionFactory(connection_limit(settings.max_connections))),
        ws="none",
        timeout_worker_healthcheck=30,
        timeout_graceful_shutdown=GRACEFUL_SECONDS,
        log_config=UVICORN_LOGGING,
    )
    for sock in sockets:
        # From now on, clients that connect before the workers are ready wait instead of being refused.
        sock.listen(config.backlog)
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    logging.getLogger("uvicorn.error").info(
        "Uvicorn running on http://%s:%d (Press CTRL+C to quit)", host, settings.port
    )
    # A single uvicorn server raises SIGTERM again after its shutdown: exit with status 0.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    if settings.workers > 1:
        _Workers(config, sockets).run()
        return
    server = uvicorn.Server(config)
    with suppress(KeyboardInterrupt):
        server.run(sockets)
    if not server.started:
        sys.exit(STARTUP_FAILURE)


def _set_environment(config_file: Path | None, host: str | None, port: int | None, workers: int | None) -> None:
    """Put the options into the environment, so that every worker process reads the same settings."""
    if config_file is not None:
        os.environ[FILE_VARIABLE] = str(config_file.absolute())
    for key, value in (("HOST", host), ("PORT", port), ("WORKERS", workers)):
        if value is not None:
            os.environ[f"JETON_SERVER__{key}"] = str(value)


def _warn(settings: Settings) -> None:
    if not is_loopback(settings.server.host) and settings.server.issuer.startswith("http://"):
        click.echo("jeton: server.issuer is plain http: set it to the https address that clients use", err=True)
