"""Settings: a TOML file, with_overrides by JETON_<SECTION>__<KEY>. Whatever is not known here is an error."""

import os
import re
from collections.abc import Iterable, Mapping
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Final, Literal
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta, Struct

from jeton.config_sources import ConfigError, foreign_variables, read_settings_file, read_variables
from jeton.oauth.registration_rules import is_audience
from jeton.rules.loopback import is_loopback

_URL_CHARACTERS: Final = re.compile(r"[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-]+")

LONGEST_ACCESS_SECONDS: Final = 86400

Seconds = Annotated[int, Meta(ge=0, le=10 * 366 * 86400)]
PositiveSeconds = Annotated[int, Meta(ge=1, le=10 * 366 * 86400)]
Count = Annotated[int, Meta(ge=0, le=1_000_000)]


class Secret(str):
    """Text that never shows itself by accident."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'***'" if self else "''"


class Server(Struct, frozen=True, forbid_unknown_fields=True):
    issuer: str = ""
    host: str = "127.0.0.1"
    port: Annotated[int, Meta(ge=1, le=65535)] = 8000
    workers: Annotated[int, Meta(ge=1, le=64)] = 1
    trusted_proxies: tuple[str, ...] = ()
    max_connections: Count = 0
    drain_seconds: Annotated[int, Meta(ge=0, le=300)] = 2


class Database(Struct, frozen=True, forbid_unknown_fields=True):
    url: Secret = Secret("sqlite:///var/jeton.db")


class Secrets(Struct, frozen=True, forbid_unknown_fields=True):
    master_key: Secret = Secret("")


class Tokens(Struct, frozen=True, forbid_unknown_fields=True):
    access_seconds: Annotated[int, Meta(ge=1, le=LONGEST_ACCESS_SECONDS)] = 600
    refresh_idle_seconds: PositiveSeconds = 1209600
    refresh_absolute_seconds: PositiveSeconds = 7776000
    default_audience: str = ""
    retry_grace_seconds: Annotated[int, Meta(ge=0, le=300)] = 0
    status_list: bool = True
    status_ttl_seconds: Annotated[int, Meta(ge=1, le=300)] = 2


class Keys(Struct, frozen=True, forbid_unknown_fields=True):
    algorithm: Literal["RS256", "ES256", "EdDSA"] = "RS256"
    rsa_bits: Literal[2048, 3072, 4096] = 2048
    rotate_seconds: PositiveSeconds = 90 * 86400
    publish_ahead_seconds: Seconds = 86400
    jwks_max_age_seconds: Seconds = 300
    store: Literal["database", "pkcs11"] = "database"


class Pkcs11(Struct, frozen=True, forbid_unknown_fields=True):
    module: str = ""
    token_label: str = ""
    pin: Secret = Secret("")


class Passwords(Struct, frozen=True, forbid_unknown_fields=True):
    min_length: Annotated[int, Meta(ge=8, le=1024)] = 15
    breached_file: str = ""
    memory_kib: Annotated[int, Meta(ge=8, le=1048576)] = 47104
    iterations: Annotated[int, Meta(ge=1, le=16)] = 1
    lanes: Annotated[int, Meta(ge=1, le=16)] = 1
    concurrency: Annotated[int, Meta(ge=0, le=1024)] = 0


class Grants(Struct, frozen=True, forbid_unknown_fields=True):
    password: bool = True


class Limits(Struct, frozen=True, forbid_unknown_fields=True):
    login_failures_per_address: Count = 100
    login_failures_per_client: Count = 10_000
    login_failures_per_account: Annotated[int, Meta(ge=0, le=100)] = 10
    known_source_seconds: Seconds = 30 * 86400
    logins_per_account: Count = 600
    secret_failures_per_address: Count = 100
    secret_failures_per_client: Count = 1000
    token_failures_per_address: Count = 1000
    token_requests_per_client: Count = 0
    refresh_spacing_seconds: Annotated[int, Meta(ge=0, le=3600)] = 0
    sessions_per_user: Count = 100


class Settings(Struct, frozen=True, forbid_unknown_fields=True):
    server: Server = Server()
    database: Database = Database()
    secrets: Secrets = Secrets()
    tokens: Tokens = Tokens()
    keys: Keys = Keys()
    pkcs11: Pkcs11 = Pkcs11()
    passwords: Passwords = Passwords()
    grants: Grants = Grants()
    limits: Limits = Limits()


_SECTIONS: Final = {
    field.name: tuple(key.name for key in msgspec.structs.fields(field.type))
    for field in msgspec.structs.fields(Settings)
}


def load_settings(file: Path | None = None, environment: Mapping[str, str] | None = None) -> Settings:
    """The effective settings, validated as a whole; ConfigError says which one is wrong and why."""
    environment = os.environ if environment is None else environment
    values = read_settings_file(file, environment)
    for section, overrides in read_variables(environment, _SECTIONS).items():
        if not isinstance(values.setdefault(section, {}), dict):
            raise ConfigError(f"the configuration is not valid: {section} must be a section: [{section}]")
        for key, value in overrides.items():
            values[section][key] = _words(value) if (section, key) == ("server", "trusted_proxies") else value
    try:
        settings = msgspec.convert(values, Settings, strict=False, dec_hook=_to_secret)
    except msgspec.ValidationError as error:
        raise ConfigError(f"the configuration is not valid: {error}") from None
    if "issuer" in values.get("server", {}):
        _check_issuer(settings.server.issuer)
    return _completed(settings)


def warning_about_variables() -> str | None:
    """Return a sentence about variables that look like settings and are none, or None."""
    return foreign_variables(os.environ, _SECTIONS)


def _words(value: str) -> list[str]:
    return value.replace(",", " ").split()


def _to_secret(kind: type, value: object) -> object:
    if kind is Secret and isinstance(value, str):
        return Secret(value)
    raise TypeError(f"expected a string, not {type(value).__name__}")


def _completed(settings: Settings) -> Settings:
    """With the defaults that depend on other settings, and the checks that no single field can make."""
    server, tokens = settings.server, settings.tokens
    _check_nul(settings)
    issuer = server.issuer or f"http://127.0.0.1:{server.port}"
    _check_issuer(issuer)
    if tokens.refresh_idle_seconds > tokens.refresh_absolute_seconds:
        raise ConfigError("tokens.refresh_idle_seconds must not exceed tokens.refresh_absolute_seconds")
    _check_pkcs11(settings.keys, settings.pkcs11)
    _check_trusted_proxies(server.trusted_proxies)
    if tokens.default_audience and not is_audience(tokens.default_audience):
        raise ConfigError("tokens.default_audience must hold no white space")
    return msgspec.structs.replace(
        settings,
        server=msgspec.structs.replace(server, issuer=issuer),
        tokens=msgspec.structs.replace(tokens, default_audience=tokens.default_audience or issuer),
    )


def _check_nul(settings: Settings) -> None:
    """No system call takes a NUL character, in a path or a host name."""
    for section, keys in _SECTIONS.items():
        for key in keys:
            value = getattr(getattr(settings, section), key)
            if isinstance(value, str) and "\0" in value:
                raise ConfigError(f"{section}.{key} must not hold a NUL character")


def _check_pkcs11(keys: Keys, pkcs11: Pkcs11) -> None:
    """All of it or nothing; and all where new keys are made there."""
    missing = [name for name in ("module", "token_label", "pin") if not getattr(pkcs11, name)]
    if missing and (keys.store == "pkcs11" or len(missing) < 3):
        raise ConfigError(
            f"pkcs11.{missing[0]} is missing: keys on a PKCS#11 token need the module, the token's label and its PIN"
        )


def _check_trusted_proxies(proxies: Iterable[str]) -> None:
    """uvicorn compares whatever is no address and no network as it is written, and no peer is ever called so."""
    for proxy in proxies:
        try:
            everybody = proxy == "*" or ip_network(proxy).prefixlen == 0
        except ValueError:
            raise ConfigError(
                f"server.trusted_proxies: {proxy!r} is no address and no network, as 10.0.0.1 or 10.0.0.0/8 are"
            ) from None
        if everybody:
            raise ConfigError("server.trusted_proxies must name addresses or networks: anybody could claim any address")


def _check_issuer(issuer: str) -> None:
    """RFC 8414 section 2: https, no query, no fragment. Plain http only where nobody else can listen."""
    try:
        parts = urlsplit(issuer)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable or not _URL_CHARACTERS.fullmatch(issuer):
        raise ConfigError(f"server.issuer must be an https URL, not {issuer!r}")
    if "?" in issuer or "#" in issuer or "@" in parts.netloc:
        raise ConfigError("server.issuer must have no query, fragment or user name (RFC 8414 section 2)")
    if parts.scheme == "http" and not is_loopback(parts.hostname or ""):
        raise ConfigError("server.issuer must be https, except on loopback: passwords and tokens travel to it")
