"""Administration of consents: what users have allowed clients, and withdrawing it."""

from collections.abc import Iterable, Iterator
from typing import Any, Final

from sqlalchemy import Connection

from jeton.admin import clients, users
from jeton.oauth.audit_events import AuditEvent
from jeton.oauth.consents import NO_RESOURCE, Consent
from jeton.oauth.scope import format_scope
from jeton.storage.audit_trail import record
from jeton.storage.consents import delete_consents, list_consents, load_consents
from jeton.storage.family_ends import end_families
from jeton.storage.users import load_users

_REASON: Final = "consent_withdrawn_by_operator"


def list_all(
    connection: Connection, *, username: str | None = None, client_id: str | None = None
) -> list[dict[str, Any]]:
    """Return at most 1,000 consents as JSON members, the last changed first; of one user, to one client, or all.

    A consent has an entry for each resource; `resource` is None for what counts at no resource. Raise NotFoundError if
    there is no such user or client.
    """
    sub = None if username is None else users.find(connection, username).sub
    if client_id is not None:
        clients.find(connection, client_id)
    found = list_consents(connection, sub=sub, client_id=client_id)
    owners = load_users(connection, {it.sub for it in found})
    return [entry for it in found if it.sub in owners for entry in _describe(it, owners[it.sub].username)]


def withdraw(connection: Connection, now: int, username: str, client_id: str | None = None) -> tuple[int, int]:
    """Withdraw what a user has allowed one client, or all. Return the numbers of consents and of ended sessions.

    All sessions of the user with these clients end. Raise NotFoundError if there is no such user or client.
    """
    if client_id is not None:
        clients.find(connection, client_id)
    sub = users.lock(connection, username).sub
    if client_id is not None:
        return _withdraw(connection, now, sub, [client_id])
    withdrawn, ended = 0, 0
    while found := [it.client_id for it in list_consents(connection, sub=sub)]:
        more_withdrawn, more_ended = _withdraw(connection, now, sub, found)
        withdrawn, ended = withdrawn + more_withdrawn, ended + more_ended
    return withdrawn, ended


def _withdraw(connection: Connection, now: int, sub: str, client_ids: Iterable[str]) -> tuple[int, int]:
    """Withdraw what the user has allowed these clients. The sessions of a client without a consent end, too."""
    pairs = sorted((sub, it) for it in client_ids)
    ended = sum(end_families(connection, now, _REASON, sub=sub, client_id=it) for _, it in pairs)
    found = sorted(load_consents(connection, pairs))
    delete_consents(connection, found)
    record(connection, *(AuditEvent("consent_withdrawn", _REASON, sub=sub, client_id=it) for _, it in found))
    return len(found), ended


def _describe(it: Consent, username: str) -> Iterator[dict[str, Any]]:
    for uri, scope in sorted(it.allowed.items()):
        yield {
            "username": username,
            "sub": it.sub,
            "client_id": it.client_id,
            "resource": None if uri == NO_RESOURCE else uri,
            "scope": format_scope(scope),
            "created_at": it.created_at,
            "updated_at": it.updated_at,
        }
