"""A ledger over a database with one user, one client and three families, and entries for it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import event

from jeton.oauth.clients import Client
from jeton.oauth.decisions import Issue
from jeton.oauth.sessions import Family
from jeton.oauth.users import User
from jeton.storage.clients import insert_client
from jeton.storage.database import Database
from jeton.storage.families import insert_families, load_families
from jeton.storage.ledger.ledger import Entry, Facts, Ledger
from jeton.storage.ledger.lock_requests import LockFamily, LockUser
from jeton.storage.users import insert_user
from support import builders
from support.builders import READ
from support.in_process_server import START, ManualClock

CLIENT = Client("web", public=True, created_at=START)
USER = User("u_1", "alice", None, (), False, START, 1, "old hash")


def family(sid: str, **fields: Any) -> Family:
    """Return a session of that user and client that expires a minute after the start."""
    usual = {"scope": READ, "audience": (), "amr": (), "idle_expires_at": START + 60, "absolute_expires_at": START + 60}
    return builders.family(sid, now=START, **usual | fields)


def insert_accounts(database: Database, *families: Family) -> None:
    """Insert the client, the user and these families."""
    with database.write() as connection:
        insert_client(connection, CLIENT)
        insert_user(connection, USER)
        insert_families(connection, families)


@dataclass
class LedgerHarness:
    """A ledger over a database with one user, one client and the families a, b and c."""

    database: Database
    ledger: Ledger
    commits: int = 0
    decided: list[str] = field(default_factory=list)

    def rotation(self, sid: str, name: str | None = None) -> Entry[Issue]:
        """Return an entry that advances the family by one generation, and records its name (by default the sid)."""

        def decide(facts: Facts) -> Issue:
            self.decided.append(name or sid)
            assert facts.family is not None
            after = facts.family._replace(generation=facts.family.generation + 1)
            return Issue(CLIENT, after.scope, (), facts.now, "rotated", facts.user, after)

        return Entry(decide, (LockFamily(sid),))

    def rotate(self, sid: str, name: str | None = None) -> "asyncio.Task[Issue]":
        """Enter that entry in the ledger without waiting for it."""
        return asyncio.create_task(self.ledger.enter(self.rotation(sid, name)))

    async def rotate_all(self, sids: str) -> list[Issue | BaseException]:
        """Enter one entry for each of these families. Return their results and exceptions."""
        return await asyncio.gather(*map(self.rotate, sids), return_exceptions=True)

    def generations(self, sids: str = "abc") -> list[int]:
        with self.database.read() as connection:
            found = load_families(connection, list(sids))
        return [found[sid].generation for sid in sids]


def login_entry(new: Family) -> Entry[Issue]:
    """Return an entry that opens this family."""
    return Entry(lambda facts: Issue(CLIENT, new.scope, (), facts.now, "opened", facts.user, new), (LockUser(new.sub),))


@asynccontextmanager
async def ledger_harness(url: str) -> AsyncIterator[LedgerHarness]:
    database = Database(url, serving=True)
    insert_accounts(database, *map(family, "abc"))
    harness = LedgerHarness(database, Ledger(database, ManualClock()))

    def count(_: object) -> None:
        harness.commits += 1

    event.listen(database.engine, "commit", count)
    try:
        yield harness
    finally:
        harness.ledger.close()
        database.close()
