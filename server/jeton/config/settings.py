"""Settings: their names, defaults and types."""

from typing import Annotated, Final, Literal

from msgspec import Meta, Struct

from jeton.oauth.user_claims import SELF_SET_CLAIMS

MAX_ACCESS_SECONDS: Final = 86400
DEFAULT_METRICS_LISTEN: Final = "127.0.0.1:9464"

Seconds = Annotated[int, Meta(ge=0, le=10 * 366 * 86400)]
PositiveSeconds = Annotated[int, Meta(ge=1, le=10 * 366 * 86400)]
WebAddress = Annotated[str, Meta(pattern="^(https?://[^ ]+)?\\Z", description="an http or https URL")]
CertificateHeaderFormat = Annotated[
    str,
    Meta(
        pattern="^(|rfc9440( [A-Za-z0-9-]+)?|nginx [A-Za-z0-9-]+)\\Z",
        description="rfc9440, or nginx and the name of a header, such as nginx X-Client-Cert",
    ),
]
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
    client_certificate_header: CertificateHeaderFormat = ""
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
    accent: Annotated[str, Meta(pattern="^(#[0-9A-Fa-f]{6})?\\Z", description="a color such as #1d4ed8")] = ""
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
    pushed_requests_per_account: Count = 600
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
