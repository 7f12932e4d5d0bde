"""The one place where everything is put together, from the settings."""

import gc
from dataclasses import dataclass

from starlette.applications import Starlette

from jeton.background.maintenance import Maintenance
from jeton.bootstrap.opening import open_database, open_master_keys, password_rules
from jeton.bootstrap.signing_keys import key_kind, key_rotation, key_stores, key_times
from jeton.config import Settings, load_settings
from jeton.crypto.credentials import shuffle
from jeton.crypto.hashing_concurrency import hashing_concurrency, process_resources
from jeton.crypto.hashing_pool import HashingPool
from jeton.crypto.password_rules import PasswordRules
from jeton.crypto.passwords import Passwords
from jeton.crypto.rate_limit_keys import RateLimitKeys
from jeton.crypto.refresh_token import RefreshTokens
from jeton.endpoints.status_lists import StatusLists
from jeton.grants.request_limits import Limits, RequestLimits
from jeton.grants.services import Services
from jeton.http.app import create_app
from jeton.http.client_address import ClientAddress
from jeton.http.draining import Draining
from jeton.keys.keyring import Keyring
from jeton.login.login_rate_limits import LoginLimits, LoginRateLimits
from jeton.login.password_login import PasswordLogin
from jeton.login.uniform_timing import UniformTiming
from jeton.oauth.clients import Lifetimes
from jeton.observability.logs import configure_logs
from jeton.observability.missing_master_keys import MissingMasterKeys
from jeton.rules.rate_limit_policies import HOUR, MAX_FAILURES, BackoffPolicy, Rate
from jeton.storage.clock import Clock
from jeton.storage.database import Database
from jeton.storage.ledger import Ledger
from jeton.storage.lookups import Lookups
from jeton.storage.rate_limiter import RateLimiter
from jeton.storage.status_index_allocator import StatusIndexAllocator


@dataclass(frozen=True, slots=True)
class Server:
    """A server process's parts."""

    services: Services
    maintenance: Maintenance
    app: Starlette

    def close(self) -> None:
        """Lets go of everything. A server that has served does so at the end of its lifespan."""
        self.maintenance.close()
        self.services.close()


def _rate(count: int, seconds: int = HOUR) -> Rate | None:
    """Return a setting as a rate; 0 is no limit."""
    return Rate(count, seconds) if count else None


def login_limits(settings: Settings) -> LoginLimits:
    """Return what `limits.*` say of logins."""
    wanted = settings.limits
    free = wanted.login_failures_per_account
    return LoginLimits(
        per_address=_rate(wanted.login_failures_per_address),
        per_client=_rate(wanted.login_failures_per_client),
        per_account=BackoffPolicy(free, 30, HOUR, limit=MAX_FAILURES) if free else None,
        per_known_source=BackoffPolicy(free, 30, 300) if free else None,
        successes_per_account=_rate(wanted.logins_per_account),
        known_seconds=wanted.known_source_seconds,
    )


def request_limits(settings: Settings) -> Limits:
    """Return what `limits.*` say of wrong secrets, unknown tokens and requests."""
    wanted = settings.limits
    return Limits(
        secret_per_address=_rate(wanted.secret_failures_per_address),
        secret_per_client=_rate(wanted.secret_failures_per_client),
        token_per_address=_rate(wanted.token_failures_per_address),
        requests_per_client=_rate(wanted.token_requests_per_client, 60),
    )


def assemble(settings: Settings, clock: Clock | None = None) -> Server:
    """A server over the configured database, its keys open and its first look taken.

    Raises ConfigError, DatabaseUrlError, SchemaError, MasterKeyError or StorageUnavailableError where it cannot start.
    """
    # A list that cannot be used stops the start, and not the first change of a password.
    rules = password_rules(settings)
    database = open_database(settings, serving=True)
    try:
        return _assemble(settings, database, clock or Clock(), rules)
    except Exception:
        database.close()
        raise


def _assemble(settings: Settings, database: Database, clock: Clock, rules: PasswordRules) -> Server:
    master_keys = open_master_keys(settings, database)
    stores = key_stores(settings, master_keys)
    rotation = key_rotation(settings, database, clock, stores)
    rotation.ensure_next_key_type(key_kind(settings, stores))
    keyring = Keyring(stores, key_times(settings), clock)
    records = Lookups(database, clock)
    throttle = RateLimiter(database, clock)
    tokens, costs = settings.tokens, settings.passwords
    passwords = Passwords(costs.memory_kib, costs.iterations, costs.lanes)
    hashing = HashingPool(_hashes_at_once(settings))
    throttle_keys = RateLimitKeys(master_keys)
    status_lists = StatusLists(settings.server.issuer, tokens.status_ttl_seconds, keyring)
    maintenance = Maintenance(database, clock, keyring, records, rotation, status_lists if tokens.status_list else None)
    maintenance.refresh()
    services = Services(
        issuer=settings.server.issuer,
        default_audience=tokens.default_audience,
        lifetimes=Lifetimes(
            tokens.access_seconds,
            tokens.refresh_idle_seconds,
            tokens.refresh_absolute_seconds,
            tokens.retry_grace_seconds,
            settings.limits.refresh_spacing_seconds,
        ),
        password_grant=settings.grants.password,
        master_key_id=master_keys.newest,
        clock=clock,
        ledger=Ledger(database, clock, sessions_per_user=settings.limits.sessions_per_user),
        records=records,
        status_indexes=StatusIndexAllocator(database, shuffle),
        status_lists=tokens.status_list,
        keyring=keyring,
        refresh_tokens=RefreshTokens(master_keys),
        missing_master_keys=MissingMasterKeys(),
        reload_keys=maintenance.reload_keys,
        passwords=passwords,
        password_rules=rules,
        hashing=hashing,
        throttle=throttle,
        request_limits=RequestLimits(throttle, throttle_keys, request_limits(settings), clock),
        login=PasswordLogin(
            records,
            LoginRateLimits(throttle, throttle_keys, login_limits(settings)),
            passwords,
            hashing,
            UniformTiming(lambda: passwords.verify(None, "")),
            clock,
        ),
        database=database,
    )
    app = create_app(services, maintenance, Draining(settings.server.drain_seconds))
    if settings.server.trusted_proxies and app.middleware_stack is not None:
        app.middleware_stack = ClientAddress(app.middleware_stack, settings.server.trusted_proxies)
    return Server(services, maintenance, app)


def _hashes_at_once(settings: Settings) -> int:
    costs = settings.passwords
    return hashing_concurrency(
        costs.concurrency, process_resources(), settings.server.workers, costs.memory_kib, costs.lanes
    )


def create() -> Starlette:
    """The application for a server process, from its environment."""
    configure_logs()
    app = assemble(load_settings()).app
    # What is loaded by now stays: the garbage collector need not walk through it again and again.
    gc.collect()
    gc.freeze()
    return app
