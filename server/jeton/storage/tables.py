"""The tables. Columns are in the order of the fields of the value they store, so that a row is `Family(*row)`.

Times are whole seconds since the epoch. No credential is stored as it is presented to the server: only digests, hashes
and encrypted keys.
"""

from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    false,
    text,
    true,
)

from jeton.storage.column_types import JsonObject, ScopeByResource, Words, WordSet

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _where(condition: str) -> dict[str, Any]:
    """Return the arguments of an index over the rows that satisfy the condition."""
    return {"postgresql_where": text(condition), "sqlite_where": text(condition)}


users = Table(
    "users",
    metadata,
    Column("sub", String(64), primary_key=True),
    Column("username", Text, nullable=False),
    Column("email", Text),
    Column("roles", Words, nullable=False),
    Column("disabled", Boolean, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("password_version", Integer, nullable=False),
    Column("password_hash", Text),
    Column("email_verified", Boolean, nullable=False, server_default=false()),
    Column("profile", JsonObject, nullable=False, server_default="{}"),
    Column("updated_at", BigInteger, nullable=False, server_default="0"),
    # Not part of the value: the canonical forms by which a user is found (rules/login_identifiers.py).
    Column("username_key", Text, nullable=False, unique=True),
    Column("email_key", Text),
    Index("uq_users_email_key", "email_key", unique=True),
)

# SQLite ignores lengths, and could change one only by rewriting the table.
_CLIENT_ID = String(512).with_variant(String(128), "sqlite")

clients = Table(
    "clients",
    metadata,
    Column("client_id", _CLIENT_ID, primary_key=True),
    Column("public", Boolean, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("disabled", Boolean, nullable=False),
    Column("introspect", Boolean, nullable=False),
    Column("auth_methods", WordSet, nullable=False),
    Column("grant_types", WordSet, nullable=False),
    Column("scope", WordSet, nullable=False),
    Column("default_scope", WordSet, nullable=False),
    Column("audience", Words, nullable=False),
    Column("claims", WordSet, nullable=False),
    Column("origins", WordSet, nullable=False),
    Column("lifetimes", JSON, nullable=False),
    Column("secret_digest", LargeBinary),
    Column("previous_secret_digest", LargeBinary),
    Column("previous_secret_expires_at", BigInteger),
    Column("status_index", BigInteger),
    Column("session_binding", String(8), nullable=False, server_default="off"),
    Column("name", Text),
    Column("redirect_uris", WordSet, nullable=False, server_default=text("''")),
    Column("post_logout_redirect_uris", WordSet, nullable=False, server_default=text("''")),
    Column("application_type", String(8), nullable=False, server_default="web"),
    Column("first_party", Boolean, nullable=False, server_default=false()),
    Column("require_pkce", Boolean, nullable=False, server_default=true()),
    Column("resources", Words, nullable=False, server_default=text("''")),
    Column("refresh_token", String(16)),
    Column("backchannel_logout_uri", Text),
    Column("backchannel_logout_session_required", Boolean, nullable=False, server_default=false()),
    Column("id_token_alg", String(8), nullable=False, server_default="RS256"),
    Column("logo_type", String(32)),
    Column("registration", String(20), nullable=False, server_default="administrator"),
    Column("jwks", JsonObject),
    Column("jwks_uri", Text),
    Column("assertion_audience", String(8), nullable=False, server_default="issuer"),
    Column("tls_subject", JsonObject),
    Column("require_par", Boolean, nullable=False, server_default=false()),
    Column("require_dpop", Boolean, nullable=False, server_default=false()),
    Column("refresh_cookie", Boolean, nullable=False, server_default=false()),
    Column("links", JsonObject, nullable=False, server_default="{}"),
    Column("metadata_digest", LargeBinary, index=True),
    Column("registration_token_digest", LargeBinary),
    Column("last_used_at", BigInteger, index=True),
    # Not part of the value: it is large, and only pages show it.
    Column("logo", LargeBinary),
    # What the server announces is that of these clients, which are few however many register themselves.
    Index("ix_clients_administrator", "client_id", **_where("registration = 'administrator'")),
)

# Tokens that let programs register clients (RFC 7591 section 3).
initial_access_tokens = Table(
    "initial_access_tokens",
    metadata,
    Column("token_id", String(16), primary_key=True),
    Column("digest", LargeBinary, nullable=False, unique=True),
    Column("name", Text),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False, index=True),
    Column("max_uses", Integer, nullable=False),
    Column("uses", Integer, nullable=False, server_default="0"),
)

families = Table(
    "families",
    metadata,
    Column("sid", String(32), primary_key=True),
    Column("client_id", ForeignKey("clients.client_id", ondelete="CASCADE"), nullable=False),
    Column("sub", ForeignKey("users.sub", ondelete="CASCADE"), nullable=False),
    Column("scope", WordSet, nullable=False),
    Column("audience", Words, nullable=False),
    Column("auth_time", BigInteger, nullable=False),
    Column("amr", Words, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("rotated_at", BigInteger, nullable=False),
    Column("idle_expires_at", BigInteger, nullable=False),
    Column("absolute_expires_at", BigInteger, nullable=False),
    Column("master_key_id", String(8), nullable=False),
    Column("secret", LargeBinary, nullable=False),
    Column("generation", BigInteger, nullable=False),
    Column("access_expires_at", BigInteger, nullable=False, server_default="0"),
    Column("idempotency_digest", LargeBinary),
    Column("asked_scope", WordSet),
    Column("retries", Integer, nullable=False),
    Column("revoked_at", BigInteger),
    Column("revoke_reason", Text),
    Column("created_ip", Text),
    Column("created_user_agent", Text),
    Column("last_ip", Text),
    Column("last_user_agent", Text),
    Column("status_index", BigInteger),
    Column("moves", Integer, nullable=False, server_default="0"),
    Column("browser_session_id", String(32)),
    Column("code_challenge", String(43)),
    Column("code_expires_at", BigInteger),
    Column("asked_resource", Words),
    Column("dpop_jkt", String(43)),
    Column("certificate_thumbprint", String(43)),
    # No index has a column that a rotation changes, and pages keep free space: PostgreSQL then updates rows in place.
    Index("ix_families_sub", "sub"),
    Index("ix_families_client_id", "client_id"),
    Index("ix_families_absolute_expires_at", "absolute_expires_at"),
    Index("ix_families_revoked_at", "revoked_at", **_where("revoked_at IS NOT NULL")),
    Index("ix_families_browser_session_id", "browser_session_id", **_where("browser_session_id IS NOT NULL")),
    postgresql_with={"fillfactor": 70},
)

# What only an authorization code needs, beside its family, and until when it may be redeemed for the first time.
authorization_codes = Table(
    "authorization_codes",
    metadata,
    Column("sid", ForeignKey("families.sid", ondelete="CASCADE"), primary_key=True),
    Column("expires_at", BigInteger, nullable=False, index=True),
    Column("redirect_uri", Text),
    Column("nonce", Text),
    Column("dpop_jkt", String(43)),
)

# Users who are signed in at this server in a browser. A session that ends is deleted.
browser_sessions = Table(
    "browser_sessions",
    metadata,
    Column("browser_session_id", String(32), primary_key=True),
    Column("sub", ForeignKey("users.sub", ondelete="CASCADE"), nullable=False, index=True),
    Column("secret_digest", LargeBinary, nullable=False, unique=True),
    Column("auth_time", BigInteger, nullable=False),
    Column("amr", Words, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("used_at", BigInteger, nullable=False),
    # At most the absolute end.
    Column("idle_expires_at", BigInteger, nullable=False, index=True),
    Column("absolute_expires_at", BigInteger, nullable=False),
    Column("ip", Text),
    Column("user_agent", Text),
)

# The clients that a browser session has signed in to: they are notified when it ends.
browser_session_clients = Table(
    "browser_session_clients",
    metadata,
    Column(
        "browser_session_id",
        ForeignKey("browser_sessions.browser_session_id", ondelete="CASCADE"),
        primary_key=True,
    ),
    Column("client_id", ForeignKey("clients.client_id", ondelete="CASCADE"), primary_key=True, index=True),
)

# What users have allowed clients.
consents = Table(
    "consents",
    metadata,
    Column("sub", ForeignKey("users.sub", ondelete="CASCADE"), primary_key=True),
    Column("client_id", ForeignKey("clients.client_id", ondelete="CASCADE"), primary_key=True, index=True),
    Column("allowed", ScopeByResource),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Column("metadata_digest", LargeBinary),
    # Not part of the value: servers of the version before read and write these instead of `allowed`.
    Column("scope", WordSet, nullable=False),
    Column("resources", WordSet, nullable=False),
)

# What `resource` may name (RFC 8707).
resources = Table(
    "resources",
    metadata,
    Column("uri", String(512), primary_key=True),
    Column("name", Text, nullable=False),
    Column("scope", WordSet, nullable=False),
    Column("open", Boolean, nullable=False),
    Column("created_at", BigInteger, nullable=False),
)

# Logout tokens that clients have to be sent (OpenID Connect Back-Channel Logout 1.0).
logout_outbox = Table(
    "logout_outbox",
    metadata,
    Column("browser_session_id", String(32), primary_key=True),
    # No reference: a logout would lock the client after the sessions, and wait for a change of the client.
    Column("client_id", String(512), primary_key=True, index=True),
    Column("sub", String(64), nullable=False, index=True),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False, index=True),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("next_attempt_at", BigInteger, index=True),
    Column("last_status", Text),
    Column("delivered_at", BigInteger),
)

# Digests of every `sub` and `client_id` that was ever assigned (identifiers.py). Rows do not expire.
issued_identifiers = Table("issued_identifiers", metadata, Column("digest", LargeBinary, primary_key=True))

ended_tokens = Table(
    "ended_tokens",
    metadata,
    Column("jti", String(64), primary_key=True),
    Column("expires_at", BigInteger, nullable=False, index=True),
)

# Status indexes that are INVALID, and until when. Rows outlive the users, clients and sessions they belong to.
invalid_statuses = Table(
    "invalid_statuses",
    metadata,
    Column("status_index", BigInteger, primary_key=True, autoincrement=False),
    Column("expires_at", BigInteger, nullable=False, index=True),
)

# One row: the first status index that is not allocated.
status_counter = Table(
    "status_counter",
    metadata,
    Column("next_index", BigInteger, primary_key=True, autoincrement=False),
)

# Failed attempts, and known sources (ADR 0010). Keys are digests; `due` is in microseconds.
throttle_buckets = Table(
    "throttle_buckets",
    metadata,
    Column("key", LargeBinary, primary_key=True),
    Column("due", BigInteger, nullable=False),
    Column("failures", Integer, nullable=False),
    Column("expires_at", BigInteger, nullable=False, index=True),
    # Attempts without an outcome yet, and until when to wait for it (ADR 0018).
    Column("pending", Integer, nullable=False, server_default="0"),
    Column("pending_until", BigInteger, nullable=False, server_default="0"),
)

# What may be used once, and was used (oauth/single_use.py).
single_uses = Table(
    "single_uses",
    metadata,
    Column("digest", LargeBinary, primary_key=True),
    Column("expires_at", BigInteger, nullable=False, index=True),
)

# The audit trail (ADR 0037). Rows do not change, but for the last four columns: they are emptied with their user.
audit_records = Table(
    "audit_records",
    metadata,
    Column("chain", String(32), primary_key=True),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("created_at", BigInteger, nullable=False, index=True),
    Column("event", String(64), nullable=False),
    Column("outcome", String(16), nullable=False),
    Column("reason", Text, nullable=False),
    Column("actor", String(32), nullable=False),
    Column("client_id", String(512)),
    Column("sid", String(64)),
    Column("request_id", String(64)),
    Column("target", Text),
    Column("master_key_id", String(16), nullable=False),
    Column("mac", LargeBinary, nullable=False),
    Column("personal_digest", LargeBinary, nullable=False),
    Column("salt", LargeBinary),
    Column("sub", String(64)),
    Column("address", Text),
    Column("user_agent", Text),
    # Which chains there are, and since when.
    Index("ix_audit_records_first", "created_at", **_where("seq = 1")),
    Index("ix_audit_records_sub", "sub", **_where("sub IS NOT NULL")),
    sqlite_with_rowid=False,
)

# How far each chain had come at a time.
audit_checkpoints = Table(
    "audit_checkpoints",
    metadata,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("created_at", BigInteger, nullable=False),
    Column("signed", Text, nullable=False),
)


def _signing_keys(name: str, unique: str) -> Table:
    """Return a table of signing keys. No two are active, and no two next, that share the column `unique`."""
    return Table(
        name,
        metadata,
        Column("kid", String(64), primary_key=True),
        Column("algorithm", String(16), nullable=False),
        Column("public_jwk", Text, nullable=False),
        # Where the private part is stored, and what is needed to find and open it there.
        Column("store", String(16), nullable=False),
        Column("private_part", Text, nullable=False),
        Column("state", String(16), nullable=False),
        Column("created_at", BigInteger, nullable=False),
        # From when it may sign: by then every cached key set contains it.
        Column("ready_at", BigInteger, nullable=False),
        # The longest lifetime of any token it may sign; 0 until it is active.
        Column("longest_seconds", BigInteger, nullable=False),
        Column("activated_at", BigInteger),
        Column("rotation_asked_at", BigInteger),
        # From when no valid token refers to it.
        Column("gone_at", BigInteger),
        # Never two that sign, however many processes start, rotate or crash at the same time.
        Index(f"uq_{name}_active", unique, unique=True, **_where("state = 'active'")),
        Index(f"uq_{name}_next", unique, unique=True, **_where("state = 'next'")),
    )


signing_keys = _signing_keys("signing_keys", "state")
# The other series, one for each algorithm. Servers of earlier versions take every row of `signing_keys` for one series.
id_token_keys = _signing_keys("id_token_keys", "algorithm")
