"""Settings: names, defaults and validation. They come from a TOML file and JETON_<SECTION>__<KEY>."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta, Struct

from jeton.config_checks import (
    check_domains,
    check_editable_claims,
    check_issuer,
    check_optional_scopes,
    check_scopes,
    check_trusted_proxies,
    split_listen,
)
from jeton.config_sources import ConfigError, read_settings_file, read_variables, warning_about_unknown
from jeton.oauth.registration_rules import is_audience
from jeton.oauth.user_claims import SELF_SET_CLAIMS

MAX_ACCESS_SECONDS: Final = 86400
DEFAULT_METRICS_LISTEN: Final = "127.0.0.1:9464"

Seconds = Annotated[int, Meta(ge=0, le=10 * 366 * 86400)]
PositiveSeconds = Annotated[int, Meta(ge=1, le=10 * 366 * 86400)]
WebAddress = Annotated[str, Meta(pattern="^(https?://[^ ]+)?$")]
Count = Annotated[int, Meta(ge=0, le=1_000_000)]


class Secret(str):
    """A string whose repr does not reveal it."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'***'" if self else "''"


class ServerSettings(Struct, frozen=True, forbid_unknown_fields=True):
    issuer: str = ""
    host: str = "127.0.0.1"
    port: Annotated[int, Meta(ge=1, le=65535)] = 8000
    workers: Annotated[int, Meta(ge=1, le=64)] = 1
    trusted_proxies: tuple[str, ...] = ()
    client_certificate_header: Annotated[str, Meta(pattern="^(|rfc9440( [A-Za-z0-9-]+)?|nginx [A-Za-z0-9-]+)$")] = ""
    client_certificate_authorities: str = ""
    max_connections: Count = 0
    drain_seconds: Annotated[int, Meta(ge=0, le=300)] = 2


class DatabaseSettings(Struct, frozen=True, forbid_unknown_fields=True):
    url: Secret = Secret("sqlite:///var/jeton.db")


class SecretSettings(Struct, frozen=True, forbid_unknown_fields=True):
    master_key: Secret = Secret("")


class TokenSettings(Struct, frozen=True, forbid_unknown_fields=True):
    access_seconds: Annotated[int, Meta(ge=1, le=MAX_ACCESS_SECONDS)] = 600
    refresh_idle_seconds: PositiveSeconds = 1209600
    refresh_absolute_seconds: PositiveSeconds = 7776000
    default_audience: str = ""
    retry_grace_seconds: Annotated[int, Meta(ge=0, le=300)] = 0
    status_list: bool = True
    status_ttl_seconds: Annotated[int, Meta(ge=1, le=300)] = 2
    require_dpop_nonce: bool = False


class KeySettings(Struct, frozen=True, forbid_unknown_fields=True):
    algorithm: Literal["RS256", "ES256", "EdDSA"] = "RS256"
    rsa_bits: Literal[2048, 3072, 4096] = 2048
    rotate_seconds: PositiveSeconds = 90 * 86400
    publish_ahead_seconds: Seconds = 86400
    jwks_max_age_seconds: Seconds = 300
    store: Literal["database", "pkcs11"] = "database"


class Pkcs11Settings(Struct, frozen=True, forbid_unknown_fields=True):
    module: str = ""
    token_label: str = ""
    pin: Secret = Secret("")


class PasswordSettings(Struct, frozen=True, forbid_unknown_fields=True):
    min_length: Annotated[int, Meta(ge=8, le=1024)] = 15
    breached_file: str = ""
    memory_kib: Annotated[int, Meta(ge=8, le=1048576)] = 47104
    iterations: Annotated[int, Meta(ge=1, le=16)] = 1
    lanes: Annotated[int, Meta(ge=1, le=16)] = 1
    concurrency: Annotated[int, Meta(ge=0, le=1024)] = 0


class GrantSettings(Struct, frozen=True, forbid_unknown_fields=True):
    password: bool = True
    require_par: bool = False


class SessionSettings(Struct, frozen=True, forbid_unknown_fields=True):
    idle_seconds: PositiveSeconds = 86400
    absolute_seconds: PositiveSeconds = 1209600


class PageSettings(Struct, frozen=True, forbid_unknown_fields=True):
    name: Annotated[str, Meta(min_length=1, max_length=60)] = "Jeton"
    logo: str = ""
    accent: Annotated[str, Meta(pattern="^(#[0-9A-Fa-f]{6})?$")] = ""
    terms_uri: WebAddress = ""
    privacy_uri: WebAddress = ""
    support: str = ""
    templates: str = ""
    editable_claims: tuple[str, ...] = tuple(it for it in SELF_SET_CLAIMS if it != "nickname")


class RegistrationSettings(Struct, frozen=True, forbid_unknown_fields=True):
    client_id_metadata_documents: bool = True
    dynamic: Literal["off", "token", "open"] = "off"
    deny: tuple[str, ...] = ()
    allow: tuple[str, ...] = ()
    ask: tuple[str, ...] = ()
    scopes: tuple[str, ...] = ()
    allow_private_addresses: bool = False
    never_used_seconds: PositiveSeconds = 7 * 86400
    unused_seconds: PositiveSeconds = 180 * 86400


class ScopeSettings(Struct, frozen=True, forbid_unknown_fields=True):
    descriptions: dict[str, dict[str, str]] = {}
    optional: tuple[str, ...] = ()


class LimitSettings(Struct, frozen=True, forbid_unknown_fields=True):
    login_failures_per_address: Count = 100
    login_failures_per_client: Count = 10_000
    login_failures_per_account: Annotated[int, Meta(ge=0, le=100)] = 10
    known_source_seconds: Seconds = 30 * 86400
    logins_per_account: Count = 600
    secret_failures_per_address: Count = 100
    secret_failures_per_client: Count = 1000
    token_failures_per_address: Count = 1000
    token_requests_per_client: Count = 0
    metadata_documents_per_address: Count = 60
    metadata_documents: Count = 600
    registrations_per_address: Count = 20
    registrations: Count = 200
    refresh_spacing_seconds: Annotated[int, Meta(ge=0, le=3600)] = 0
    sessions_per_user: Count = 100


class AuditSettings(Struct, frozen=True, forbid_unknown_fields=True):
    retention_seconds: Seconds = 400 * 86400


class MetricsSettings(Struct, frozen=True, forbid_unknown_fields=True):
    listen: str = DEFAULT_METRICS_LISTEN


class Settings(Struct, frozen=True, forbid_unknown_fields=True):
    server: ServerSettings = ServerSettings()
    database: DatabaseSettings = DatabaseSettings()
    secrets: SecretSettings = SecretSettings()
    tokens: TokenSettings = TokenSettings()
    keys: KeySettings = KeySettings()
    pkcs11: Pkcs11Settings = Pkcs11Settings()
    passwords: PasswordSettings = PasswordSettings()
    grants: GrantSettings = GrantSettings()
    sessions: SessionSettings = SessionSettings()
    pages: PageSettings = PageSettings()
    registration: RegistrationSettings = RegistrationSettings()
    scopes: ScopeSettings = ScopeSettings()
    limits: LimitSettings = LimitSettings()
    audit: AuditSettings = AuditSettings()
    metrics: MetricsSettings = MetricsSettings()


_SECTIONS: Final = {
    field.name: tuple(key.name for key in msgspec.structs.fields(field.type))
    for field in msgspec.structs.fields(Settings)
}
# In a variable, their words are separated by spaces or commas.
_LISTS: Final = frozenset(
    (field.name, key.name)
    for field in msgspec.structs.fields(Settings)
    for key in msgspec.structs.fields(field.type)
    if key.type == tuple[str, ...]
)


def load_settings(file: Path | None = None, environment: Mapping[str, str] | None = None) -> Settings:
    """Return the effective settings. Raise ConfigError, which names the setting and the reason, if one is invalid."""
    environment = os.environ if environment is None else environment
    values = read_settings_file(file, environment)
    for section, overrides in read_variables(environment, _SECTIONS).items():
        if not isinstance(values.setdefault(section, {}), dict):
            raise ConfigError(f"the configuration is not valid: {section} must be a section: [{section}]")
        for key, value in overrides.items():
            values[section][key] = _split(value) if (section, key) in _LISTS else value
    try:
        settings = msgspec.convert(values, Settings, strict=False, dec_hook=_to_secret)
    except msgspec.ValidationError as error:
        raise ConfigError(f"the configuration is not valid: {error}") from None
    if "issuer" in values.get("server", {}):
        check_issuer(settings.server.issuer)
    return _complete(settings)


def warning_about_variables() -> str | None:
    """Return a warning about variables that look like settings but are not, or None."""
    return warning_about_unknown(os.environ, _SECTIONS)


def _split(value: str) -> list[str]:
    return value.replace(",", " ").split()


def _to_secret(kind: type, value: object) -> object:
    if kind is Secret and isinstance(value, str):
        return Secret(value)
    raise TypeError(f"expected a string, not {type(value).__name__}")


def _complete(settings: Settings) -> Settings:
    """Check what depends on several settings, and return the settings with defaults that depend on others."""
    server, tokens = settings.server, settings.tokens
    _check_nul(settings)
    issuer = server.issuer or f"http://127.0.0.1:{server.port}"
    check_issuer(issuer)
    if tokens.refresh_idle_seconds > tokens.refresh_absolute_seconds:
        raise ConfigError("tokens.refresh_idle_seconds must not exceed tokens.refresh_absolute_seconds")
    if settings.sessions.idle_seconds > settings.sessions.absolute_seconds:
        raise ConfigError("sessions.idle_seconds must not exceed sessions.absolute_seconds")
    if settings.passwords.memory_kib < 8 * settings.passwords.lanes:
        raise ConfigError("passwords.memory_kib must be at least 8 for each of passwords.lanes (RFC 9106 section 3.1)")
    _check_pkcs11(settings.keys, settings.pkcs11)
    check_trusted_proxies(server.trusted_proxies)
    if server.client_certificate_header and not server.trusted_proxies:
        raise ConfigError("server.client_certificate_header needs server.trusted_proxies: others could forge it")
    if settings.metrics.listen:
        split_listen("metrics.listen", settings.metrics.listen)
    check_optional_scopes(settings.scopes.optional)
    check_editable_claims(settings.pages.editable_claims)
    registration = settings.registration
    check_domains({"deny": registration.deny, "allow": registration.allow, "ask": registration.ask})
    check_scopes("registration.scopes", registration.scopes)
    if tokens.default_audience and not is_audience(tokens.default_audience):
        raise ConfigError("tokens.default_audience must not contain white space")
    return msgspec.structs.replace(
        settings,
        server=msgspec.structs.replace(server, issuer=issuer),
        tokens=msgspec.structs.replace(tokens, default_audience=tokens.default_audience or issuer),
    )


def _check_nul(settings: Settings) -> None:
    """Raise ConfigError if a setting contains a NUL character, which system calls reject in paths and host names."""
    for section, keys in _SECTIONS.items():
        for key in keys:
            value = getattr(getattr(settings, section), key)
            if isinstance(value, str) and "\0" in value:
                raise ConfigError(f"{section}.{key} must not contain a NUL character")


def _check_pkcs11(keys: KeySettings, pkcs11: Pkcs11Settings) -> None:
    """Raise ConfigError if [pkcs11] is incomplete: it must be complete or empty, and complete if it stores new keys."""
    missing = [name for name in ("module", "token_label", "pin") if not getattr(pkcs11, name)]
    if missing and (keys.store == "pkcs11" or len(missing) < 3):
        raise ConfigError(
            f"pkcs11.{missing[0]} is missing: keys on a PKCS#11 token need the module, the token's label and its PIN"
        )
