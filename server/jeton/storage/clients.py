"""Statements over clients."""

from collections.abc import Collection
from typing import Any

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from jeton.oauth.model import Client
from jeton.storage.tables import clients

_LOAD = select(clients).where(clients.c.client_id.in_(bindparam("client_ids", expanding=True)))


def load_clients(connection: Connection, client_ids: Collection[str]) -> dict[str, Client]:
    """Those clients, by client_id."""
    if not client_ids:
        return {}
    return {row[0]: Client(*row) for row in connection.execute(_LOAD, {"client_ids": list(client_ids)})}


def list_clients(connection: Connection) -> list[Client]:
    return [Client(*row) for row in connection.execute(select(clients).order_by(clients.c.client_id))]


def add_client(connection: Connection, client: Client) -> None:
    connection.execute(insert(clients).values({column.name: getattr(client, column.name) for column in clients.c}))


def update_client(connection: Connection, client_id: str, **values: Any) -> None:
    connection.execute(update(clients).where(clients.c.client_id == client_id).values(**values))


def delete_client(connection: Connection, client_id: str) -> None:
    """Deletes the client, and the sessions of its users with it."""
    connection.execute(delete(clients).where(clients.c.client_id == client_id))
