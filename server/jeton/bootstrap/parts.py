"""The long-lived parts of a server process, built from the settings."""

from jeton.bootstrap.background import Background, build_background
from jeton.bootstrap.clients import client_certificates, client_key_sets, client_resolution
from jeton.bootstrap.dpop import dpop_verification
from jeton.bootstrap.from_settings import audit_trail, open_master_keys
from jeton.bootstrap.limits import request_limits
from jeton.bootstrap.logins import Logins, build_logins
from jeton.bootstrap.signing_keys import key_rotation, key_stores, key_times
from jeton.bootstrap.storage import Storage, build_storage
from jeton.config.settings import Settings
from jeton.crypto.authorization_code import AuthorizationCodes
from jeton.crypto.password_rules import PasswordRules
from jeton.crypto.rate_limit_keys import RateLimitKeys
from jeton.crypto.refresh_token import RefreshTokens
from jeton.crypto.sealed_request import FormTokens, SealedRequests
from jeton.endpoints.clients.certificate_authentication import ClientCertificates
from jeton.endpoints.clients.client_key_sets import ClientKeySets
from jeton.endpoints.clients.client_resolution import ClientResolution
from jeton.endpoints.dpop_verification import DpopVerification
from jeton.frozen import Frozen
from jeton.grants.request_limits import RequestLimits
from jeton.grants.token_failures import TokenFailures
from jeton.keys.keyring import Keyring
from jeton.observability.missing_master_keys import MissingMasterKeys
from jeton.storage.clock import Clock
from jeton.storage.database import Database


class Parts(Frozen):
    """One of each. Endpoints and grants are given the ones they use, when the server is built."""

    clock: Clock
    storage: Storage
    background: Background
    logins: Logins
    master_key_id: str
    keyring: Keyring
    authorization_codes: AuthorizationCodes
    refresh_tokens: RefreshTokens
    sealed_requests: SealedRequests
    form_tokens: FormTokens
    request_limits: RequestLimits
    token_failures: TokenFailures
    clients: ClientResolution
    client_key_sets: ClientKeySets
    client_certificates: ClientCertificates
    dpop: DpopVerification
    dpop_at_resources: DpopVerification

    def close(self) -> None:
        """Finish pending work, and close the database."""
        self.background.close()
        self.logins.hashing.close()
        self.keyring.close()
        self.storage.close()


def build_parts(settings: Settings, database: Database, clock: Clock, password_rules: PasswordRules) -> Parts:
    """Return the parts over an open database, with signing keys and shared state read once.

    Raise ConfigError, MasterKeyError, KeyStoreError or StorageUnavailableError if that fails.
    """
    master_keys = open_master_keys(settings, database)
    database.audit_trail = audit_trail(settings, clock, lambda: master_keys)
    stores = key_stores(settings, master_keys)
    rotation = key_rotation(settings, database, clock, stores)
    rotation.ensure_key_types()
    keyring = Keyring(stores, key_times(settings), clock)
    storage = build_storage(settings, database, clock)
    background = build_background(settings, storage, clock, master_keys, keyring, rotation)
    rate_limit_keys, key_sets = RateLimitKeys(master_keys), client_key_sets(settings, clock)
    limits = RequestLimits(
        storage.rate_limiter, rate_limit_keys, request_limits(settings), clock, storage.audit_backlog
    )
    return Parts(
        clock,
        storage,
        background,
        build_logins(settings, storage, clock, password_rules, rate_limit_keys),
        master_keys.newest,
        keyring,
        AuthorizationCodes(master_keys),
        RefreshTokens(master_keys),
        SealedRequests(master_keys),
        FormTokens(master_keys),
        limits,
        TokenFailures(MissingMasterKeys(), limits),
        client_resolution(settings, storage.lookups, clock, lambda: background.shared_state.ceiling.value),
        key_sets,
        client_certificates(settings, key_sets, clock),
        dpop_verification(settings, clock, master_keys, "authorization server"),
        dpop_verification(settings, clock, master_keys, "resource server"),
    )
