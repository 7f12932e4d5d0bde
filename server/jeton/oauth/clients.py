"""Clients (RFC 6749 section 2), and the lifetimes of what is issued to them."""

from collections.abc import Mapping
from typing import Any, Final, Self

from jeton.frozen import Frozen, Hidden, field, replace
from jeton.oauth.scope import Scope

# What happens when a session is refreshed from another network or device: nothing, a log entry, or revocation.
SESSION_BINDINGS: Final = ("off", "notice", "strict")
# RFC 8252 section 2 and RFC 10017: an app on a server, a native app, a single-page app in a browser.
APPLICATION_TYPES: Final = ("web", "native", "spa")
# Whether each session with the client has refresh tokens, or only one with the scope offline_access.
REFRESH_TOKEN_RULES: Final = ("always", "offline_access")
# Algorithms of ID tokens.
ID_TOKEN_ALGORITHMS: Final = ("RS256", "ES256", "EdDSA")
# Who says what a client is: an administrator, its metadata document (draft-ietf-oauth-client-id-metadata-document), or
# its own request (RFC 7591).
ADMINISTRATOR: Final = "administrator"
METADATA_DOCUMENT: Final = "metadata_document"
DYNAMIC: Final = "dynamic"
# Methods of client authentication: none for public clients, secrets (RFC 6749 section 2.3.1), and keys (OpenID Connect
# Core section 9, RFC 8705 section 2).
NONE: Final = "none"
SECRET_METHODS: Final = ("client_secret_basic", "client_secret_post")
PRIVATE_KEY_JWT: Final = "private_key_jwt"
TLS_CLIENT_AUTH: Final = "tls_client_auth"
SELF_SIGNED_TLS: Final = "self_signed_tls_client_auth"
TLS_METHODS: Final = (TLS_CLIENT_AUTH, SELF_SIGNED_TLS)
KEY_METHODS: Final = (PRIVATE_KEY_JWT, *TLS_METHODS)
# Of clients that register themselves, and of no others.
DYNAMIC_CLIENT_ID_PREFIX: Final = "dcr_"
# What an assertion may name as its audience: the issuer alone (RFC 7523bis section 4), or the token endpoint as well.
ASSERTION_AUDIENCES: Final = ("issuer", "legacy")


class Lifetimes(Frozen):
    """Lifetimes of tokens and sessions.

    `retry_grace_seconds` is how long the previous refresh token may be used again (0: never), and
    `refresh_spacing_seconds` the minimum interval between two refreshes of one session.
    """

    access_seconds: int
    refresh_idle_seconds: int
    refresh_absolute_seconds: int
    retry_grace_seconds: int
    refresh_spacing_seconds: int = 0

    def with_overrides(self, seconds: Mapping[str, int]) -> Self:
        """Return the lifetimes with the client's own values, by field name."""
        return replace(self, **seconds) if seconds else self


class Client(Frozen):
    """A registered client (RFC 6749 section 2).

    `status_index` is the index of its client_credentials tokens in the status lists, `session_binding` one of
    SESSION_BINDINGS, `lifetimes` its own values of Lifetimes by field name. `application_type` is one of
    APPLICATION_TYPES, `resources` the URIs of the resources that it may request tokens for (RFC 8707), `refresh_token`
    one of REFRESH_TOKEN_RULES or None for the default of its type. `logo_type` is the media type of its logo, or None
    without one. `name` is what people see.

    `registration` is ADMINISTRATOR, METADATA_DOCUMENT or DYNAMIC. `jwks` (a JWK Set) or `jwks_uri` are the keys that it
    authenticates by, `assertion_audience` is one of ASSERTION_AUDIENCES, `tls_subject` the subject of its certificate
    by one of the metadata names of RFC 8705 section 2.1.2. `links` are `client_uri`, `policy_uri` and `tos_uri`
    (RFC 7591 section 2). `metadata_digest` is the digest of what it says of itself, `registration_token_digest` that of
    its registration access token (RFC 7592). `last_used_at` is when a user last signed in to it, to a day, or when it
    registered: it is kept for clients that are deleted when they are not used.
    """

    client_id: str
    public: bool
    created_at: int
    disabled: bool = False
    introspect: bool = False
    auth_methods: frozenset[str] = frozenset()
    grant_types: frozenset[str] = frozenset()
    scope: Scope = frozenset()
    default_scope: Scope = frozenset()
    audience: tuple[str, ...] = ()
    claims: frozenset[str] = frozenset()
    origins: frozenset[str] = frozenset()
    lifetimes: Mapping[str, int] = field(default_factory=dict)
    secret_digest: Hidden[bytes | None] = None
    previous_secret_digest: Hidden[bytes | None] = None
    previous_secret_expires_at: int | None = None
    status_index: int | None = None
    session_binding: str = "off"
    name: str | None = None
    redirect_uris: frozenset[str] = frozenset()
    post_logout_redirect_uris: frozenset[str] = frozenset()
    application_type: str = "web"
    first_party: bool = False
    require_pkce: bool = True
    resources: tuple[str, ...] = ()
    refresh_token: str | None = None
    backchannel_logout_uri: str | None = None
    backchannel_logout_session_required: bool = False
    id_token_alg: str = "RS256"
    logo_type: str | None = None
    registration: str = ADMINISTRATOR
    jwks: Mapping[str, Any] | None = None
    jwks_uri: str | None = None
    assertion_audience: str = "issuer"
    tls_subject: Mapping[str, str] | None = None
    require_par: bool = False
    require_dpop: bool = False
    refresh_cookie: bool = False
    links: Mapping[str, str] = field(default_factory=dict)
    metadata_digest: bytes | None = None
    registration_token_digest: Hidden[bytes | None] = None
    last_used_at: int | None = None

    def secret_digests(self, now: int) -> tuple[bytes, ...]:
        """Return the digests that a presented secret may match: two while the secret is being rotated."""
        previous = self.previous_secret_digest if now < (self.previous_secret_expires_at or 0) else None
        return tuple(digest for digest in (self.secret_digest, previous) if digest is not None)

    @property
    def scope_if_omitted(self) -> Scope:
        """The scope if a request names none (RFC 6749 section 3.3): the default scope, else the registered scope."""
        return self.default_scope or self.scope
