"""SQL statements on resources (RFC 8707)."""

from collections.abc import Collection

from sqlalchemy import Connection, delete, insert, select, update

from jeton.frozen import asdict
from jeton.oauth.resources import Resource
from jeton.storage.tables import resources


def load_resources(connection: Connection, uris: Collection[str]) -> dict[str, Resource]:
    """Return resources, by URI. Unknown ones are left out."""
    if not uris:
        return {}
    return {row[0]: Resource(*row) for row in connection.execute(select(resources).where(resources.c.uri.in_(uris)))}


def list_resources(connection: Connection) -> list[Resource]:
    return [Resource(*row) for row in connection.execute(select(resources).order_by(resources.c.uri))]


def load_open_resources(connection: Connection) -> tuple[Resource, ...]:
    """Return the resources for which unregistered clients may request tokens."""
    opened = select(resources).where(resources.c.open).order_by(resources.c.uri)
    return tuple(Resource(*row) for row in connection.execute(opened))


def insert_resource(connection: Connection, resource: Resource) -> None:
    connection.execute(insert(resources).values(**asdict(resource)))


def update_resource(connection: Connection, resource: Resource) -> None:
    """Replace the resource of the same URI."""
    connection.execute(update(resources).where(resources.c.uri == resource.uri).values(**asdict(resource)))


def delete_resource(connection: Connection, uri: str) -> None:
    connection.execute(delete(resources).where(resources.c.uri == uri))
