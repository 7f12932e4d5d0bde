"""Examines an installation as its settings describe it, and changes nothing: what `jeton doctor` prints."""

import asyncio
from collections.abc import Collection, Generator, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from jeton.admin.diagnosis.database import check_postgresql, check_sqlite, check_writable
from jeton.admin.diagnosis.findings import Finding, fail, ok, warn
from jeton.admin.diagnosis.hashing_memory import check_hashing_memory
from jeton.admin.diagnosis.issuer import check_address, check_issuer, check_unreachable
from jeton.admin.diagnosis.metrics import check_metrics
from jeton.admin.diagnosis.proxies import check_proxies
from jeton.admin.diagnosis.secret_files import SecretFile, check_secret_files
from jeton.admin.diagnosis.signing_keys import check_signing_keys
from jeton.bootstrap.clients import certificate_authorities
from jeton.bootstrap.from_settings import check_master_key, master_key_file, open_master_keys, password_rules
from jeton.bootstrap.pages import build_renderer
from jeton.bootstrap.published_issuer import UnreachableIssuerError, read_published_issuer
from jeton.bootstrap.signing_keys import key_stores, key_times
from jeton.config.checks import split_listen
from jeton.config.settings import Settings
from jeton.config.sources import ConfigError, read_settings_file, settings_file
from jeton.crypto.breached_passwords import BreachedPasswordsError
from jeton.crypto.hashing_concurrency import hashing_concurrency, process_resources
from jeton.crypto.key_stores import KeyStoreError, KeyStores
from jeton.crypto.master_key import MasterKeyError
from jeton.outbound.client import OutboundClient
from jeton.rules.key_lifecycle import KeyState, SigningKey
from jeton.storage.clock import Clock
from jeton.storage.database import Database, StorageUnavailableError
from jeton.storage.database_facts import load_postgresql_facts, load_sqlite_facts
from jeton.storage.database_url import DatabaseUrlError, mask_database_url, sqlite_file
from jeton.storage.migrate import SchemaError, check_schema
from jeton.storage.signing_keys import load_signing_keys
from jeton.storage.write_probe import accepts_writes

# The settings that a file may hold and others must not read.
_SECRETS: Final = (("secrets", "master_key"), ("pkcs11", "pin"), ("database", "url"))


def diagnose(
    settings: Settings, config_file: Path | None, environment: Mapping[str, str], outbound: OutboundClient | None
) -> Iterator[Finding]:
    """Yield the findings, check by check. Without `outbound`, nothing is requested from the issuer's address."""
    kids = yield from _examine_database(settings)
    yield from check_secret_files(_secret_files(settings, config_file, environment))
    server = settings.server
    yield from check_proxies(server.issuer, server.host, server.trusted_proxies)
    if settings.metrics.listen:
        yield check_metrics(*split_listen("metrics.listen", settings.metrics.listen))
    if outbound is not None:
        yield from _examine_issuer(server.issuer, outbound, kids)
    yield _examine_hashing_memory(settings)
    yield _examine_breached_passwords(settings)
    yield from _examine_other_files(settings)


def _examine_database(settings: Settings) -> Generator[Finding, None, Collection[str]]:
    """Yield findings about the database and what it holds. Return the `kid` of each key that it publishes."""
    try:
        file = sqlite_file(settings.database.url)
        if file is not None and not file.exists():
            yield warn("database", f"{file} does not exist yet", "start a server: its first start creates the file")
            return ()
        if file is not None:
            yield from check_sqlite(load_sqlite_facts(file))
        # As a server opens it: with its limits of time.
        with closing(Database(settings.database.url, serving=True)) as database:
            yield ok("schema", f"revision {check_schema(database)}")
            if not database.on_sqlite:
                with database.read() as connection:
                    facts = load_postgresql_facts(connection)
                yield from check_postgresql(facts, settings.server.workers)
            yield check_writable(writable=accepts_writes(database))
            return (yield from _examine_signing_keys(settings, database))
    except (DatabaseUrlError, StorageUnavailableError) as error:
        yield fail("database", str(error))
    except SchemaError as error:
        yield fail("schema", str(error))
    return ()


def _examine_signing_keys(settings: Settings, database: Database) -> Generator[Finding, None, Collection[str]]:
    clock = Clock()
    with database.read() as connection:
        clock.follow(connection)
        keys = load_signing_keys(connection)
    now, unusable = clock.now(), dict[str, str]()
    if keys:
        try:
            check_master_key(settings)
            stores = key_stores(settings, open_master_keys(settings, database))
            unusable = _unusable_keys(stores, keys)
            # A server whose keys move to another store creates one there when it starts.
            stores.check()
        except (ConfigError, MasterKeyError, KeyStoreError) as error:
            unusable |= {"": str(error)}
    yield from check_signing_keys(keys, unusable, now, key_times(settings))
    return [key.kid for key in keys if key.is_published(now)]


def _unusable_keys(stores: KeyStores, keys: Collection[SigningKey]) -> dict[str, str]:
    """Return by `kid` why a private key cannot be opened here. Opening one that is on an HSM signs with it."""
    found = {}
    for key in keys:
        if key.state in (KeyState.ACTIVE, KeyState.NEXT):
            try:
                stores.open(key)
            except (MasterKeyError, KeyStoreError) as error:
                found[key.kid] = str(error)
    return found


def _secret_files(settings: Settings, config_file: Path | None, environment: Mapping[str, str]) -> Iterator[SecretFile]:
    """Yield the files with secrets that exist: database, master key, files named by variables, configuration file."""
    named: dict[Path, str] = {}
    if (database_file := sqlite_file(settings.database.url)) is not None:
        named[database_file] = "password hashes and sessions"
        named[master_key_file(database_file)] = "the master key"
    for section, key in _SECRETS:
        if variable := environment.get(f"JETON_{section}__{key}_FILE".upper()):
            named[Path(variable)] = f"{section}.{key}"
    configuration = settings_file(config_file, environment)
    if configuration is not None:
        values = read_settings_file(config_file, environment)
        held = [f"{section}.{key}" for section, key in _SECRETS if _is_secret(key, values.get(section, {}).get(key))]
        if held:
            named[configuration] = ", ".join(held)
    for path, holds in named.items():
        if path.exists():
            yield SecretFile(path, holds, path.stat().st_mode)


def _is_secret(key: str, value: str | None) -> bool:
    """Return whether this value of a setting is one: an address of a database is, if it contains a password."""
    return bool(value) and (key != "url" or mask_database_url(str(value)) != value)


def _examine_issuer(issuer: str, outbound: OutboundClient, kids: Collection[str]) -> Iterator[Finding]:
    if address := check_address(issuer, urlsplit(issuer).hostname or ""):
        yield address
    try:
        published = asyncio.run(read_published_issuer(issuer, outbound))
    except UnreachableIssuerError as error:
        yield check_unreachable(issuer, error.reason, error.detail)
        return
    yield from check_issuer(issuer, published, kids)


def _examine_hashing_memory(settings: Settings) -> Finding:
    passwords, workers, resources = settings.passwords, settings.server.workers, process_resources()
    at_once = hashing_concurrency(passwords.concurrency, resources, workers, passwords.memory_kib, passwords.lanes)
    return check_hashing_memory(at_once, workers, passwords.memory_kib, resources.memory_bytes)


def _examine_breached_passwords(settings: Settings) -> Finding:
    file = settings.passwords.breached_file
    try:
        password_rules(settings)
    except BreachedPasswordsError as error:
        return fail("passwords", str(error), "download the list again, ordered by hash, or clear the setting")
    return ok(
        "passwords", f"leaked ones are refused: {file}" if file else "the built-in list of common ones is refused"
    )


def _examine_other_files(settings: Settings) -> Iterator[Finding]:
    """Yield what prevents the start, of the files that other settings name."""
    for check, read in (("pages", build_renderer), ("certificates", certificate_authorities)):
        try:
            read(settings)
        except ConfigError as error:
            yield fail(check, str(error), "correct the setting or the file: the server does not start")
