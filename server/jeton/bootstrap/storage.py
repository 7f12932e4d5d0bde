"""The database of a server process, and what reads and writes it."""

from jeton.config.settings import Settings
from jeton.crypto.credentials import shuffle
from jeton.frozen import Frozen
from jeton.storage.audit_backlog import AuditBacklog
from jeton.storage.browser_session_lookups import BrowserSessionLookups
from jeton.storage.client_registrations import ClientRegistrations
from jeton.storage.clock import Clock
from jeton.storage.database import Database
from jeton.storage.ledger.ledger import Ledger
from jeton.storage.ledger.replay_store import ReplayStore
from jeton.storage.lookups import Lookups
from jeton.storage.rate_limiter import RateLimiter
from jeton.storage.status_index_allocator import StatusIndexAllocator


class Storage(Frozen):
    """One of each, over one database."""

    database: Database
    ledger: Ledger
    lookups: Lookups
    browser_session_lookups: BrowserSessionLookups
    replay_store: ReplayStore
    rate_limiter: RateLimiter
    status_indexes: StatusIndexAllocator
    registrations: ClientRegistrations
    audit_backlog: AuditBacklog

    def close(self) -> None:
        """Finish pending work, and close the database."""
        self.registrations.close()
        self.ledger.close()
        self.lookups.close()
        self.browser_session_lookups.close()
        self.rate_limiter.close()
        self.status_indexes.close()
        self.database.close()


def build_storage(settings: Settings, database: Database, clock: Clock) -> Storage:
    ledger = Ledger(database, clock, sessions_per_user=settings.limits.sessions_per_user)
    return Storage(
        database,
        ledger,
        Lookups(database, clock),
        BrowserSessionLookups(database, clock),
        ReplayStore(ledger),
        RateLimiter(database, clock),
        StatusIndexAllocator(database, shuffle),
        ClientRegistrations(database, clock),
        AuditBacklog(database, clock),
    )
