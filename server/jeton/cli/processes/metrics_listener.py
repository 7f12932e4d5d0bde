"""The listener of `GET /metrics`: bound by the parent, and served by each worker for all of them."""

import asyncio
import shutil
import socket
import tempfile
from collections.abc import Sequence
from email.utils import formatdate
from typing import Final, cast

import click
import uvicorn
from uvicorn.server import ServerState

from jeton.cli.errors import CommandError
from jeton.cli.processes.listening import bind_sockets
from jeton.config.checks import split_listen
from jeton.config.settings import DEFAULT_METRICS_LISTEN, Settings
from jeton.frozen import Frozen, replace
from jeton.http.metrics_page import metrics_page
from jeton.http1.connection_factory import ConnectionFactory
from jeton.observability.metrics_sharing import render_metrics

_MAX_CONNECTIONS: Final = 16


class MetricsListener(Frozen):
    """Bound sockets, none if there is no listener; and the folder of metrics that workers share, None without workers.

    The sockets listen already, so a request that arrives while no worker serves is answered by the next one.
    """

    sockets: Sequence[socket.socket] = ()
    folder: str | None = None

    async def run(self) -> None:
        """Serve until cancelled."""
        app = metrics_page(lambda: render_metrics(self.folder))
        # uvicorn calls it like a protocol class.
        factory = ConnectionFactory(_MAX_CONNECTIONS)
        config = uvicorn.Config(app, http=cast("type[asyncio.Protocol]", factory), ws="none", log_config=None)
        config.load()
        loop, state = asyncio.get_running_loop(), ServerState()
        state.default_headers = [_date()]
        servers = [await loop.create_server(lambda: factory(config, state, {}), sock=it) for it in self.sockets]
        try:
            while True:
                await asyncio.sleep(1)
                state.default_headers = [_date()]
        finally:
            for server in servers:
                server.close()
            for connection in list(state.connections):
                connection.shutdown()

    def remove_folder(self) -> None:
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)


def _date() -> tuple[bytes, bytes]:
    """Return the header field that each response has, which uvicorn sets for its own listener (RFC 9110 6.6.1)."""
    return b"date", formatdate(usegmt=True).encode()


def open_metrics_listener(settings: Settings) -> MetricsListener:
    """Return the listener at the configured address; without an address, one that does not listen.

    If that fails: at the default address, print a warning and return one that does not listen; at another address,
    raise CommandError, because it was asked for.
    """
    listen = settings.metrics.listen
    if not listen:
        return MetricsListener()
    try:
        return _open(*split_listen("metrics.listen", listen), shared=settings.server.workers > 1)
    except CommandError as error:
        if listen != DEFAULT_METRICS_LISTEN:
            raise
        click.echo(f"jeton: without metrics: {error}", err=True)
        return MetricsListener()


def _open(host: str, port: int, *, shared: bool) -> MetricsListener:
    """Return the listener. Raise CommandError if the folder cannot be created or the address is taken."""
    try:
        folder = tempfile.mkdtemp(prefix="jeton-metrics-") if shared else None
    except OSError as error:
        raise CommandError(f"metrics.listen: workers need a temporary folder: {error.strerror}") from None
    listener = MetricsListener(folder=folder)
    try:
        return replace(listener, sockets=bind_sockets(host, port, setting="metrics.listen", listen=True))
    except CommandError:
        listener.remove_folder()
        raise
