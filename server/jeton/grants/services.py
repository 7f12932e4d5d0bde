"""What grants and endpoints work with, put together once at the start."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from jeton.crypto.hashing_pool import HashingPool
from jeton.crypto.password_rules import PasswordRules
from jeton.crypto.passwords import Passwords
from jeton.crypto.refresh_token import RefreshTokens
from jeton.grants.request_limits import RequestLimits
from jeton.keys.keyring import Keyring
from jeton.login.password_login import PasswordLogin
from jeton.oauth.clients import Client, Lifetimes
from jeton.observability.missing_master_keys import MissingMasterKeys
from jeton.storage.database import Database
from jeton.storage.ledger import Ledger
from jeton.storage.lookups import Lookups
from jeton.storage.rate_limiter import RateLimiter
from jeton.storage.status_index_allocator import StatusIndexAllocator


class Now(Protocol):
    """A clock: the database's when serving, one that stands still in tests."""

    def now(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Services:
    """One of each, for one server process.

    `status_lists` says whether access tokens name their status list. `reload_keys` reads the signing keys from the
    database unless that was done a moment ago.
    """

    issuer: str
    default_audience: str
    lifetimes: Lifetimes
    password_grant: bool
    master_key_id: str
    clock: Now
    ledger: Ledger
    records: Lookups
    status_indexes: StatusIndexAllocator
    status_lists: bool
    keyring: Keyring
    refresh_tokens: RefreshTokens
    missing_master_keys: MissingMasterKeys
    reload_keys: Callable[[], Awaitable[None]]
    passwords: Passwords
    password_rules: PasswordRules
    hashing: HashingPool
    throttle: RateLimiter
    request_limits: RequestLimits
    login: PasswordLogin
    database: Database

    def audience_of(self, client: Client) -> tuple[str, ...]:
        """The audience of a client's tokens, and what an introspecting client answers to (RFC 9068 section 3)."""
        return client.audience or (self.default_audience,)

    def close(self) -> None:
        """Finishes what is under way, and lets go of the database."""
        self.hashing.close()
        self.ledger.close()
        self.records.close()
        self.throttle.close()
        self.status_indexes.close()
        self.keyring.close()
        self.database.close()
