"""Administration of resources (RFC 8707): what `resource` may name, and what clients may be allowed."""

from collections.abc import Iterable, Sequence
from typing import Any, Final, TypedDict

from sqlalchemy import Connection

from jeton.admin.errors import AdminError, AlreadyExistsError, NotFoundError
from jeton.frozen import replace
from jeton.oauth.audit_events import AuditEvent
from jeton.oauth.clients import ADMINISTRATOR
from jeton.oauth.registration.registration_rules import MAX_SCOPE_BYTES
from jeton.oauth.resources import Resource, canonical_uri, resource_rejection_reason
from jeton.oauth.scope import is_scope_token
from jeton.storage.audit_trail import record
from jeton.storage.clients import list_clients
from jeton.storage.resources import (
    delete_resource,
    insert_resource,
    list_resources,
    load_resources,
    update_resource,
)

_MAX_NAME_CHARACTERS: Final = 100


class ResourceChanges(TypedDict, total=False):
    """Fields of `Resource` to set."""

    name: str
    scope: frozenset[str]
    open: bool


def register(connection: Connection, now: int, uri: str, changes: ResourceChanges) -> Resource:
    """Insert a resource. Its name is its URI unless it is given one.

    Raise AlreadyExistsError if there is one with this URI, AdminError if it is not valid.
    """
    if reason := resource_rejection_reason(uri):
        raise AdminError(reason)
    for existing in list_resources(connection):
        if canonical_uri(existing.uri) == canonical_uri(uri):
            raise AlreadyExistsError(f"there is a resource {existing.uri} already")
    resource = _checked(replace(Resource(uri, uri, created_at=now), **changes))
    insert_resource(connection, resource)
    record(connection, AuditEvent("resource_added", "added", target=uri))
    return resource


def change(connection: Connection, uri: str, changes: ResourceChanges) -> Resource:
    """Update a resource. Raise NotFoundError if there is none with this URI, AdminError if it would not be valid."""
    changed = _checked(replace(find(connection, uri), **changes))
    update_resource(connection, changed)
    record(connection, AuditEvent("resource_changed", " ".join(sorted(changes)), target=uri))
    return changed


def delete(connection: Connection, uri: str) -> None:
    """Delete a resource. Raise AdminError while clients that were registered may use it."""
    find(connection, uri)
    registered = (it for it in list_clients(connection) if it.registration == ADMINISTRATOR)
    users = [it.client_id for it in registered if uri in it.resources]
    if users:
        raise AdminError(f"these clients may use {uri}, take it from them first: {', '.join(users)}")
    delete_resource(connection, uri)
    record(connection, AuditEvent("resource_deleted", "deleted", target=uri))


def find(connection: Connection, uri: str) -> Resource:
    """Return the resource with this URI. Raise NotFoundError if there is none."""
    found = load_resources(connection, [uri])
    if not found:
        raise NotFoundError("resource", uri)
    return found[uri]


def registered_uris(connection: Connection, uris: Sequence[str]) -> tuple[str, ...]:
    """Return the URIs if all of them are registered, each once. Raise AdminError otherwise."""
    known = load_resources(connection, uris)
    for uri in uris:
        if uri not in known:
            raise AdminError(f"there is no resource {uri}: add it first, by `jeton resource add {uri}`")
    return tuple(dict.fromkeys(uris))


def describe(resource: Resource) -> dict[str, Any]:
    """Return the resource as JSON members."""
    return {
        "uri": resource.uri,
        "name": resource.name,
        "scope": sorted(resource.scope),
        "open": resource.open,
        "created_at": resource.created_at,
    }


def _checked(resource: Resource) -> Resource:
    if not resource.name or not resource.name.isprintable():
        raise AdminError("the name of a resource must be printable, and not empty")
    if len(resource.name) > _MAX_NAME_CHARACTERS and resource.name != resource.uri:
        raise AdminError(f"the name of a resource has at most {_MAX_NAME_CHARACTERS} characters")
    _check_scope(resource.scope)
    return resource


def _check_scope(scope: Iterable[str]) -> None:
    for token in scope:
        if not is_scope_token(token):
            raise AdminError(f"{token!r} is not a scope: use printable ASCII without space, quote or backslash")
    if sum(len(token) + 1 for token in scope) > MAX_SCOPE_BYTES:
        raise AdminError(f"the scopes of a resource have at most {MAX_SCOPE_BYTES} bytes in total")
