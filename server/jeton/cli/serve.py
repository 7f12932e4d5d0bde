"""jeton serve: run the server."""

import asyncio
import gc
import logging
import logging.config
import os
import signal
import socket
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, cast

import click
import uvicorn

from jeton.bootstrap.server import Server, assemble
from jeton.cli.options import effective_settings
from jeton.cli.processes.handover import take_over
from jeton.cli.processes.listening import bind_sockets, connection_limit
from jeton.cli.processes.metrics_listener import MetricsListener, open_metrics_listener
from jeton.cli.processes.worker_process import answer_pings
from jeton.cli.processes.workers import Parent, Workers
from jeton.config.settings import ServerSettings, Settings
from jeton.config.sources import FILE_VARIABLE
from jeton.http1.connection_factory import ConnectionFactory
from jeton.observability.logs import UVICORN_LOGGING, configure_logs_once
from jeton.observability.metrics import forget_counts
from jeton.observability.metrics_sharing import share_metrics
from jeton.rules.loopback import is_loopback
from jeton.storage.database_url import parse_database_url

# A request may take this long to arrive, so no client waits longer for its response.
GRACEFUL_SECONDS: Final = 20
STARTUP_FAILURE: Final = 3
_OBJECTS_PER_COLLECTION: Final = 10_000

log = logging.getLogger("uvicorn.error")


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
    """Serve HTTP until SIGINT or SIGTERM.

    The exit status is then 0. With --workers 2 or more, SIGHUP replaces the workers one by one without interruption.
    Only --demo creates accounts.
    """
    # What has been imported stays: the garbage collector need not examine it at the start and again and again.
    gc.freeze()
    _set_environment(config_file, host, port, workers)
    settings = effective_settings()
    configure_logs_once()
    logging.config.dictConfig(UVICORN_LOGGING)
    handover = take_over()
    sockets = bind_sockets(settings.server.host, settings.server.port) if handover is None else handover.sockets
    if handover is None:
        _warn(settings)
    forks = settings.server.workers > 1 or handover is not None
    if forks:
        _warm_up(settings, serves_already=handover is not None)
    metrics = open_metrics_listener(settings) if handover is None else handover.metrics
    parent = None
    if forks:
        parent = Workers(sockets, settings.server.workers, metrics, handover).run()
        if parent is None:
            return
    _serve(settings, sockets, metrics, parent, demo=demo)


def _warm_up(settings: Settings, *, serves_already: bool) -> None:
    """Build a server and close it again before workers are forked, who then share the memory that this has changed.

    Raise what prevents the start. If workers of a program before serve already, they stay, and a new one says it.
    """
    if settings.pkcs11.module:
        # Its library must not be initialized before a fork. At least the driver is in memory once.
        parse_database_url(settings.database.url).get_dialect().import_dbapi()
        return
    with suppress(*((Exception,) if serves_already else ())):
        assemble(settings).close()
    forget_counts()


def _serve(
    settings: Settings,
    sockets: Sequence[socket.socket],
    metrics: MetricsListener,
    parent: Parent | None,
    *,
    demo: bool,
) -> None:
    """Serve on bound sockets until a signal arrives, as a worker of `parent` or alone.

    What prevents the start is raised before the sockets listen.
    """
    serving: list[uvicorn.Server] = []
    if parent is not None:
        answer_pings(parent.channel, lambda: bool(serving) and serving[0].started)
        if metrics.folder is not None:
            share_metrics(metrics.folder, parent.number)
    server = assemble(settings, background=(metrics,) if metrics.sockets else ())
    is_first = parent is None or parent.is_first
    if demo and is_first:
        _create_demo_accounts(server, settings)
    gc.freeze()
    # A batch of requests has more objects than the default (700), and leaves hardly any cycle behind.
    gc.set_threshold(_OBJECTS_PER_COLLECTION)
    config = _uvicorn_config(server, settings.server)
    if is_first:
        for sock in sockets:
            sock.listen(config.backlog)
        host = f"[{settings.server.host}]" if ":" in settings.server.host else settings.server.host
        log.info("Uvicorn running on http://%s:%d (Press CTRL+C to quit)", host, settings.server.port)
    # uvicorn raises SIGTERM again after its shutdown: exit with status 0.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    serving.append(uvicorn.Server(config))
    with suppress(KeyboardInterrupt):
        serving[0].run(list(sockets))
    # Everything is closed: one more Ctrl-C would only interrupt the exit, with a traceback.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if not serving[0].started:
        sys.exit(STARTUP_FAILURE)


def _create_demo_accounts(server: Server, settings: Settings) -> None:
    # Imports an HTTP server and client of their own, which nothing else needs.
    from jeton.cli.demo import create_demo_accounts, demo_app_url

    parts = server.parts
    try:
        for line in create_demo_accounts(parts.storage.database, parts.clock.now(), parts.logins.passwords, settings):
            click.echo(line)
        if url := demo_app_url(parts.storage.database, settings):
            click.echo(f"Open {url} in a browser, and sign in as the demo user: the demo app shows its tokens.\n")
    except BaseException:
        server.close()
        raise


def _uvicorn_config(server: Server, settings: ServerSettings) -> uvicorn.Config:
    return uvicorn.Config(
        server.app,
        # `http/client_address.py` reads them: uvicorn would accept any text as an address.
        proxy_headers=False,
        access_log=False,
        server_header=False,
        # uvicorn calls it like a protocol class.
        http=cast("type[asyncio.Protocol]", ConnectionFactory(connection_limit(settings.max_connections))),
        ws="none",
        timeout_graceful_shutdown=GRACEFUL_SECONDS,
        log_config=None,
    )


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
    if settings.registration.allow_private_addresses:
        click.echo(
            "jeton: registration.allow_private_addresses lets anyone make this server send requests into your network:"
            " use it for development only",
            err=True,
        )
