"""The one place where everything is put together, from the settings."""

import gc
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from starlette.applications import Starlette

from jeton.config import ConfigError, Settings, load_settings
from jeton.crypto.breached_passwords import BreachedPasswords
from jeton.crypto.credentials import shuffled
from jeton.crypto.master_key import MasterKeys, parse_master_keys, read_or_create_master_key
from jeton.crypto.password_rules import PasswordRules
from jeton.crypto.passwords import HashingGate, Passwords
from jeton.crypto.private_key import KeyStores
from jeton.crypto.refresh_token import RefreshTokens
from jeton.crypto.sealed_keys import SealedKeys
from jeton.crypto.throttle_keys import ThrottleKeys
from jeton.endpoints.status_list import StatusLists
from jeton.endpoints.upkeep import Upkeep
from jeton.grants.guard import Guard, Limits
from jeton.grants.pace import Pace
from jeton.grants.services import Services
from jeton.grants.turns import Turns
from jeton.http.app import create_app
from jeton.keys.keyring import Keyring
from jeton.keys.rotation import Rotation
from jeton.logs import configure_logs
from jeton.oauth.key_life import KeyKind, KeyTimes
from jeton.oauth.model import Lifetimes
from jeton.oauth.status_list import LIST_SECONDS
from jeton.oauth.throttling import HOUR, MOST_FAILURES, Patience, Rate
from jeton.storage.clock import Clock
from jeton.storage.database import Database
from jeton.storage.ledger import Ledger
from jeton.storage.migrate import bring_up_to_date
from jeton.storage.records import Records
from jeton.storage.signing_keys import has_signing_keys
from jeton.storage.status_indexes import StatusIndexes
from jeton.storage.throttle import Throttle

LONGEST_ACCESS_SECONDS: Final = 86400


@dataclass(frozen=True, slots=True)
class Server:
    """A server process's parts."""

    services: Services
    upkeep: Upkeep
    app: Starlette

    def close(self) -> None:
        """Lets go of everything. A server that has served does so at the end of its lifespan."""
        self.upkeep.close()
        self.services.close()


def open_database(settings: Settings, *, serving: bool = False) -> Database:
    """The database, its schema up to date: SQLite migrates itself, PostgreSQL must have been migrated."""
    database = Database(settings.database.url, serving=serving)
    try:
        bring_up_to_date(database)
    except Exception:
        database.close()
        raise
    return database


def open_master_keys(settings: Settings, database: Database) -> MasterKeys:
    """From the setting; else, on SQLite, from the file beside the database, made when nothing depends on it yet."""
    check_master_key(settings)
    if settings.secrets.master_key:
        return parse_master_keys(settings.secrets.master_key)
    assert database.file is not None
    with database.read() as connection:
        in_use = has_signing_keys(connection)
    return read_or_create_master_key(master_key_file(database.file), may_create=not in_use)


def check_master_key(settings: Settings) -> None:
    """ConfigError where it is missing and no file can stand in for it; MasterKeyError where it is malformed."""
    if settings.secrets.master_key:
        parse_master_keys(settings.secrets.master_key)
    elif not settings.database.url.startswith("sqlite:"):
        raise ConfigError(
            "secrets.master_key is required for PostgreSQL: set JETON_SECRETS__MASTER_KEY or "
            "JETON_SECRETS__MASTER_KEY_FILE to 32 random bytes in base64url, the same for every server"
        )


def configured_master_keys(settings: Settings) -> MasterKeys:
    """The master keys, for a command."""
    database = open_database(settings)
    try:
        return open_master_keys(settings, database)
    finally:
        database.close()


def master_key_file(database_file: Path) -> Path:
    return database_file.with_name(database_file.name + ".master-key")


def password_rules(settings: Settings) -> PasswordRules:
    """Which passwords may be set; BreachedPasswordsError where the list of leaked ones cannot be used."""
    passwords = settings.passwords
    breached = BreachedPasswords(Path(passwords.breached_file)) if passwords.breached_file else None
    return PasswordRules(passwords.min_length, ("jeton", urlsplit(settings.server.issuer).hostname or ""), breached)


def key_stores(settings: Settings, master_keys: MasterKeys) -> KeyStores:
    """Where private keys live. Those of a store that makes no new ones sign to their end."""
    sealed, hsm = SealedKeys(master_keys), settings.pkcs11
    if not hsm.module:
        return KeyStores(sealed)
    try:
        # An extra: who has no HSM does not need it.
        from jeton.crypto.pkcs11_keys import Pkcs11Keys
        from jeton.crypto.pkcs11_token import Pkcs11Token
    except ImportError:
        raise ConfigError("pkcs11.module is set, and python-pkcs11 is missing: pip install 'jeton[pkcs11]'") from None
    on_token = Pkcs11Keys(Pkcs11Token(hsm.module, hsm.token_label, hsm.pin))
    return KeyStores(on_token, sealed) if settings.keys.store == on_token.name else KeyStores(sealed, on_token)


def key_times(settings: Settings) -> KeyTimes:
    keys = settings.keys
    return KeyTimes(keys.publish_ahead_seconds, keys.jwks_max_age_seconds, keys.rotate_seconds)


def key_kind(settings: Settings, stores: KeyStores) -> KeyKind:
    """What sort of key the settings ask for."""
    keys = settings.keys
    return KeyKind(keys.algorithm, keys.rsa_bits if keys.algorithm == "RS256" else None, stores.creates_in)


def key_rotation(settings: Settings, database: Database, clock: Clock, stores: KeyStores) -> Rotation:
    """What changes signing keys. No token that this process signs lives longer than it says here."""
    longest_seconds = max(settings.tokens.access_seconds, LIST_SECONDS if settings.tokens.status_list else 0)
    return Rotation(database, clock, stores, key_times(settings), longest_seconds=longest_seconds)


def limits(settings: Settings) -> Limits:
    """What `limits.*` say, as laws; 0 is none."""
    wanted = settings.limits

    def rate(count: int, seconds: int = HOUR) -> Rate | None:
        return Rate(count, seconds) if count else None

    free = wanted.login_failures_per_account
    return Limits(
        login_per_address=rate(wanted.login_failures_per_address),
        login_per_client=rate(wanted.login_failures_per_client),
        login_per_account=Patience(free, 30, HOUR, most=MOST_FAILURES) if free else None,
        login_from_known_source=Patience(free, 30, 300) if free else None,
        known_seconds=wanted.known_source_seconds,
        secret_per_address=rate(wanted.secret_failures_per_address),
        secret_per_client=rate(wanted.secret_failures_per_client),
        token_per_address=rate(wanted.token_failures_per_address),
        requests_per_client=rate(wanted.token_requests_per_client, 60),
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
    rotation.prefer(key_kind(settings, stores))
    keyring = Keyring(stores, key_times(settings), clock)
    records = Records(database, clock)
    throttle = Throttle(database, clock)
    tokens, costs = settings.tokens, settings.passwords
    passwords = Passwords(costs.memory_kib, costs.iterations, costs.lanes)
    status_lists = StatusLists(settings.server.issuer, tokens.status_ttl_seconds, keyring)
    upkeep = Upkeep(database, clock, keyring, records, rotation, status_lists if tokens.status_list else None)
    upkeep.look()
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
        status_indexes=StatusIndexes(database, shuffled),
        status_lists=tokens.status_list,
        keyring=keyring,
        refresh_tokens=RefreshTokens(master_keys),
        passwords=passwords,
        password_rules=rules,
        hashing=HashingGate(os.cpu_count() or 1),
        throttle=throttle,
        guard=Guard(throttle, ThrottleKeys(master_keys), limits(settings), clock),
        pace=Pace(lambda: passwords.verify(None, "")),
        turns=Turns(),
        database=database,
    )
    return Server(services, upkeep, create_app(services, upkeep))


def create() -> Starlette:
    """The application for a server process, from its environment."""
    configure_logs()
    app = assemble(load_settings()).app
    # What is loaded by now stays: the garbage collector need not walk through it again and again.
    gc.collect()
    gc.freeze()
    return app
