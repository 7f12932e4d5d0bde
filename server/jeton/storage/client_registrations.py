"""Clients that register themselves (RFC 7591, RFC 7592): each request is one transaction, in a thread of its own."""

from collections.abc import Callable
from contextvars import copy_context
from functools import partial
from typing import TypeVar

from jeton.frozen import replace
from jeton.oauth.audit_events import CLIENT, AuditEvent
from jeton.oauth.clients import Client
from jeton.oauth.errors import temporarily_unavailable
from jeton.oauth.registration.initial_access_tokens import InitialAccessToken
from jeton.storage.audit_trail import record
from jeton.storage.clients import delete_client, insert_client, lock_client, save_client_changes
from jeton.storage.clock import Clock
from jeton.storage.database import Database
from jeton.storage.family_ends import end_families
from jeton.storage.identifiers import IdentifierUsedError
from jeton.storage.initial_access_tokens import find_initial_access_token, spend_initial_access_token
from jeton.storage.task_thread import TaskThread

T = TypeVar("T")


class ClientRegistrations:
    """Inserts, changes and deletes clients at their own request."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._thread = TaskThread("registrations", max_waiting=256)

    async def initial_access_token(self, digest: bytes) -> InitialAccessToken | None:
        """Return the token with this digest if one more client may be registered with it, or None."""

        def find() -> InitialAccessToken | None:
            with self._database.read() as connection:
                token = find_initial_access_token(connection, digest)
            return token if token is not None and token.is_usable(self._clock.now()) else None

        return await self._run(find)

    async def insert(self, client: Client, token_id: str | None) -> bool:
        """Insert a new client. With the id of an initial access token, spend one use of it.

        Return False, with nothing changed, if that token has no use left.
        """

        def insert() -> bool:
            with self._database.write() as connection:
                if token_id is not None and not spend_initial_access_token(connection, token_id, self._clock.now()):
                    return False
                insert_client(connection, client)
                record(connection, _event("client_added", client.client_id))
            return True

        return await self._run(insert)

    async def insert_shared(self, client: Client) -> Client:
        """Return the client with this client_id, which is inserted if there is none.

        Scope that could not be requested yet when it was inserted is added, under its lock: what a server takes from it
        at the same time stays taken.
        """

        def insert() -> Client:
            with self._database.write() as connection:
                stored = lock_client(connection, client.client_id)
                if stored is None:
                    try:
                        insert_client(connection, client)
                    except IdentifierUsedError:
                        # Another transaction has inserted it since it was looked up.
                        stored = lock_client(connection, client.client_id)
                        if stored is None:
                            raise temporarily_unavailable("client_deleted_meanwhile") from None
                    else:
                        record(connection, _event("client_added", client.client_id))
                        return client
                widened = replace(
                    stored,
                    scope=stored.scope | client.scope,
                    default_scope=stored.default_scope | client.default_scope,
                )
                if save_client_changes(connection, stored, widened):
                    record(connection, _event("client_changed", client.client_id))
            return widened

        return await self._run(insert)

    async def change(self, client_id: str, change: Callable[[Client], Client]) -> Client | None:
        """Replace the client by what `change` returns for it, under its lock. Return it, or None if there is none."""

        def update() -> Client | None:
            with self._database.write() as connection:
                before = lock_client(connection, client_id)
                if before is None:
                    return None
                after = change(before)
                if save_client_changes(connection, before, after):
                    record(connection, _event("client_changed", client_id))
            return after

        return await self._run(update)

    async def delete(self, client_id: str, check: Callable[[Client], None]) -> None:
        """Delete the client, and end what its users have allowed it. Under its lock, `check` raises to prevent that."""

        def delete() -> None:
            with self._database.write() as connection:
                client = lock_client(connection, client_id)
                if client is not None:
                    check(client)
                    end_families(connection, self._clock.now(), "client_deleted", client_id=client_id)
                    delete_client(connection, client_id)
                    record(connection, _event("client_deleted", client_id))

        await self._run(delete)

    def close(self) -> None:
        self._thread.close()

    async def _run(self, task: Callable[[], T]) -> T:
        # What the thread records has the origin of this request.
        return await self._thread(partial(copy_context().run, task))


def _event(event: str, client_id: str) -> AuditEvent:
    return AuditEvent(event, "dynamic_registration", CLIENT, client_id=client_id)
