"""What commands and servers have in common, as the settings name it: database, master keys, rules."""

from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from urllib.parse import urlsplit

from sqlalchemy import Connection

from jeton.config.settings import Settings
from jeton.config.sources import ConfigError
from jeton.crypto.audit_chain import AuditChain, AuditKeys
from jeton.crypto.breached_passwords import BreachedPasswords
from jeton.crypto.master_key import MasterKeys, parse_master_keys, read_or_create_master_key
from jeton.crypto.password_rules import PasswordRules
from jeton.storage.audit_trail import AuditTrail
from jeton.storage.client_use import delete_unused_clients
from jeton.storage.clock import Clock
from jeton.storage.database import Database
from jeton.storage.database_url import is_sqlite
from jeton.storage.migrate import bring_up_to_date
from jeton.storage.signing_keys import has_signing_keys


def open_database(settings: Settings, *, serving: bool = False) -> Database:
    """Return the database with an up-to-date schema.

    SQLite is migrated here. Raise SchemaError if PostgreSQL has not been migrated by `jeton migrate`.
    """
    database = Database(settings.database.url, serving=serving)
    try:
        bring_up_to_date(database)
    except Exception:
        database.close()
        raise
    return database


def open_master_keys(settings: Settings, database: Database) -> MasterKeys:
    """Return the master keys of the setting; without it, on SQLite, of the file beside the database.

    The file is created if nothing in the database depends on it yet.
    """
    check_master_key(settings)
    file = database.file
    if settings.secrets.master_key or file is None:
        return parse_master_keys(settings.secrets.master_key)
    with database.read() as connection:
        in_use = has_signing_keys(connection)
    return read_or_create_master_key(master_key_file(file), may_create=not in_use)


def audit_trail(settings: Settings, clock: Clock, master_keys: Callable[[], MasterKeys]) -> AuditTrail | None:
    """Return the audit trail, or None if it is switched off. The master keys are read when something is recorded."""
    if not settings.audit.retention_seconds:
        return None
    keys = cache(lambda: AuditKeys(master_keys()))
    return AuditTrail(lambda: AuditChain(keys()), clock)


def check_master_key(settings: Settings) -> None:
    """Raise ConfigError if the key is missing and no file can replace it, MasterKeyError if it is malformed."""
    if settings.secrets.master_key:
        parse_master_keys(settings.secrets.master_key)
    elif not is_sqlite(settings.database.url):
        raise ConfigError(
            "secrets.master_key is required for PostgreSQL: set JETON_SECRETS__MASTER_KEY or "
            "JETON_SECRETS__MASTER_KEY_FILE to 32 random bytes in base64url, the same for every server"
        )


def master_key_file(database_file: Path) -> Path:
    """Return the path of the master key that belongs to an SQLite database."""
    return database_file.with_name(database_file.name + ".master-key")


def password_rules(settings: Settings) -> PasswordRules:
    """Return the rules for new passwords. Raise BreachedPasswordsError if the configured list cannot be read."""
    passwords = settings.passwords
    breached = BreachedPasswords(Path(passwords.breached_file)) if passwords.breached_file else None
    return PasswordRules(passwords.min_length, ("jeton", urlsplit(settings.server.issuer).hostname or ""), breached)


def deletion_of_unused_clients(settings: Settings) -> Callable[[Connection, int, int], int]:
    """Return a function that deletes at most this number of unused clients that registered themselves."""
    limits = settings.registration
    return partial(
        delete_unused_clients, never_used_seconds=limits.never_used_seconds, unused_seconds=limits.unused_seconds
    )
