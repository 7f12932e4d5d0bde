"""The connection factory, which uvicorn is given as its `http` option."""

import asyncio
from typing import Any

from uvicorn import Config
from uvicorn.server import ServerState

from jeton.http1.connection import Connection
from jeton.http1.connection_table import ConnectionTable


class ConnectionFactory:
    """Creates the connections of a process, which share one connection table."""

    def __init__(self, max_connections: int) -> None:
        self._max_connections = max_connections
        # Created in the process that serves: a worker gets a copy of this factory, and has its own event loop.
        self._table: ConnectionTable | None = None

    def __call__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> Connection:
        if self._table is None:
            self._table = ConnectionTable(self._max_connections, asyncio.get_running_loop())
        return Connection(config, server_state, app_state, self._table)
