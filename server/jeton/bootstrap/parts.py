"""The long-lived parts of a server process, built from the settings."""

from dataclasses import dataclass

from jeton.admin.audit_checkpoints import AuditRetention
from jeton.background.audit_retention import audit_deletion
from jeton.background.current_ceiling import CurrentCeiling
from jeton.background.logout_delivery import MAX_CONCURRENT, LogoutDelivery
from jeton.background.maintenance import Deletion, Maintenance
from jeton.background.measurements import Measurements
from jeton.bootstrap.clients import client_certificates, client_key_sets, client_resolution, outbound_clients
from jeton.bootstrap.dpop import dpop_verification
from jeton.bootstrap.from_settings import audit_trail, deletion_of_unused_clients, open_master_keys
from jeton.bootstrap.limits import login_limits, request_limits
from jeton.bootstrap.signing_keys import key_rotation, key_stores, key_times
from jeton.config import Settings
from jeton.crypto.audit_checkpoint import CheckpointKeys
from jeton.crypto.authorization_code import AuthorizationCodes
from jeton.crypto.credentials import shuffle
from jeton.crypto.hashing_concurrency import hashing_concurrency, process_resources
from jeton.crypto.hashing_pool import HashingPool
from jeton.crypto.master_key import MasterKeys
from jeton.crypto.password_rules import PasswordRules
from jeton.crypto.passwords import Passwords
from jeton.crypto.rate_limit_keys import RateLimitKeys
from jeton.crypto.refresh_token import RefreshTokens
from jeton.crypto.sealed_request import FormTokens, SealedRequests
from jeton.endpoints.certificate_authentication import ClientCertificates
from jeton.endpoints.client_key_sets import ClientKeySets
from jeton.endpoints.client_resolution import ClientResolution
from jeton.endpoints.dpop_verification import DpopVerification
from jeton.endpoints.status_lists import StatusLists
from jeton.grants.request_limits import RequestLimits
from jeton.keys.keyring import Keyring
from jeton.login.browser_login import BrowserLogin
from jeton.login.login_rate_limits import LoginRateLimits
from jeton.login.password_change import PasswordChange
from jeton.login.password_login import PasswordLogin
from jeton.login.uniform_timing import UniformTiming
from jeton.oauth.browser_session_rules import BrowserSessionLifetimes
from jeton.observability.missing_master_keys import MissingMasterKeys
from jeton.storage.audit_backlog import AuditBacklog
from jeton.storage.browser_session_lookups import BrowserSessionLookups
from jeton.storage.client_registrations import ClientRegistrations
from jeton.storage.clock import Clock
from jeton.storage.database import Database
from jeton.storage.ledger import Ledger
from jeton.storage.lookups import Lookups
from jeton.storage.rate_limiter import RateLimiter
from jeton.storage.replay_store import ReplayStore
from jeton.storage.status_index_allocator import StatusIndexAllocator


@dataclass(frozen=True, slots=True)
class Parts:
    """One of each. Endpoints and grants are given the ones they use, when the server is built."""

    clock: Clock
    database: Database
    ledger: Ledger
    replay_store: ReplayStore
    dpop: DpopVerification
    dpop_at_resources: DpopVerification
    lookups: Lookups
    rate_limiter: RateLimiter
    request_limits: RequestLimits
    status_indexes: StatusIndexAllocator
    master_key_id: str
    missing_master_keys: MissingMasterKeys
    authorization_codes: AuthorizationCodes
    refresh_tokens: RefreshTokens
    keyring: Keyring
    passwords: Passwords
    password_rules: PasswordRules
    hashing: HashingPool
    login: PasswordLogin
    password_change: PasswordChange
    sealed_requests: SealedRequests
    form_tokens: FormTokens
    browser_session_lookups: BrowserSessionLookups
    browser_login: BrowserLogin
    client_key_sets: ClientKeySets
    registrations: ClientRegistrations
    client_certificates: ClientCertificates
    audit_backlog: AuditBacklog
    maintenance: Maintenance
    measurements: Measurements
    clients: ClientResolution
    logout_delivery: LogoutDelivery

    def close(self) -> None:
        """Finish pending work, and close the database."""
        self.maintenance.close()
        self.measurements.close()
        self.logout_delivery.close()
        self.registrations.close()
        self.hashing.close()
        self.ledger.close()
        self.lookups.close()
        self.browser_session_lookups.close()
        self.rate_limiter.close()
        self.status_indexes.close()
        self.keyring.close()
        self.database.close()


def build_parts(settings: Settings, database: Database, clock: Clock, password_rules: PasswordRules) -> Parts:
    """Return the parts over an open database, its signing keys and what maintenance reads loaded once.

    Raise ConfigError, MasterKeyError, KeyStoreError or StorageUnavailableError if that fails.
    """
    master_keys = open_master_keys(settings, database)
    database.audit_trail = audit_trail(settings, clock, lambda: master_keys)
    stores = key_stores(settings, master_keys)
    rotation = key_rotation(settings, database, clock, stores)
    rotation.ensure_key_types()
    keyring = Keyring(stores, key_times(settings), clock)
    tokens, costs = settings.tokens, settings.passwords
    lookups, rate_limiter = Lookups(database, clock), RateLimiter(database, clock)
    rate_limit_keys = RateLimitKeys(master_keys)
    passwords = Passwords(costs.memory_kib, costs.iterations, costs.lanes)
    hashing = HashingPool(_max_concurrent_hashes(settings))
    status_lists = (
        StatusLists(settings.server.issuer, tokens.status_ttl_seconds, keyring) if tokens.status_list else None
    )
    ledger = Ledger(database, clock, sessions_per_user=settings.limits.sessions_per_user)
    replay_store = ReplayStore(ledger)
    ceiling = CurrentCeiling(frozenset(settings.registration.scopes), settings.server.issuer)
    audit_backlog = AuditBacklog(database, clock)
    maintenance = Maintenance(
        database,
        clock,
        keyring,
        lookups,
        rotation,
        replay_store,
        ceiling,
        _deletions(settings, master_keys),
        audit_backlog,
        status_lists,
    )
    maintenance.refresh()
    login = PasswordLogin(
        lookups,
        LoginRateLimits(rate_limiter, rate_limit_keys, login_limits(settings)),
        passwords,
        hashing,
        UniformTiming(lambda: passwords.verify(None, "")),
        clock,
        audit_backlog,
    )
    browser_session_lookups = BrowserSessionLookups(database, clock)
    key_sets = client_key_sets(settings, clock)
    sessions = settings.sessions
    return Parts(
        clock=clock,
        database=database,
        ledger=ledger,
        replay_store=replay_store,
        dpop=dpop_verification(settings, clock, master_keys, "authorization server"),
        dpop_at_resources=dpop_verification(settings, clock, master_keys, "resource server"),
        lookups=lookups,
        rate_limiter=rate_limiter,
        request_limits=RequestLimits(rate_limiter, rate_limit_keys, request_limits(settings), clock, audit_backlog),
        status_indexes=StatusIndexAllocator(database, shuffle),
        master_key_id=master_keys.newest,
        missing_master_keys=MissingMasterKeys(),
        authorization_codes=AuthorizationCodes(master_keys),
        refresh_tokens=RefreshTokens(master_keys),
        keyring=keyring,
        passwords=passwords,
        password_rules=password_rules,
        hashing=hashing,
        login=login,
        password_change=PasswordChange(login, passwords, password_rules, hashing, ledger),
        sealed_requests=SealedRequests(master_keys),
        form_tokens=FormTokens(master_keys),
        browser_session_lookups=browser_session_lookups,
        browser_login=BrowserLogin(
            login,
            browser_session_lookups,
            ledger,
            BrowserSessionLifetimes(sessions.idle_seconds, sessions.absolute_seconds),
            clock,
            max_sessions=settings.limits.sessions_per_user,
        ),
        registrations=ClientRegistrations(database, clock),
        client_key_sets=key_sets,
        client_certificates=client_certificates(settings, key_sets, clock),
        audit_backlog=audit_backlog,
        maintenance=maintenance,
        clients=client_resolution(settings, lookups, clock, lambda: ceiling.value),
        measurements=Measurements(database, clock, key_times(settings)),
        logout_delivery=_logout_delivery(settings, database, clock, keyring),
    )


def _deletions(settings: Settings, master_keys: MasterKeys) -> list[Deletion]:
    """Return the deletions that depend on settings."""
    deletions = [deletion_of_unused_clients(settings)]
    if kept_seconds := settings.audit.retention_seconds:
        deletions.append(audit_deletion(AuditRetention(CheckpointKeys(master_keys), kept_seconds)))
    return deletions


def _logout_delivery(settings: Settings, database: Database, clock: Clock, keyring: Keyring) -> LogoutDelivery:
    outbound = outbound_clients(settings, max_concurrent=MAX_CONCURRENT)
    return LogoutDelivery(settings.server.issuer, database, clock, keyring, outbound)


def _max_concurrent_hashes(settings: Settings) -> int:
    costs = settings.passwords
    return hashing_concurrency(
        costs.concurrency, process_resources(), settings.server.workers, costs.memory_kib, costs.lanes
    )
