"""Authorization codes, browser sessions, consents, resources, and what OpenID Connect needs of clients and users.

Every new column has a default, so that servers of the version before go on beside this schema.
"""

from typing import Any

import sqlalchemy as sa

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

# SQLite ignores lengths, and could change one only by rewriting the table.
_CLIENT_ID = sa.String(512).with_variant(sa.String(128), "sqlite")


def upgrade() -> None:
    _widen_client_ids()
    _add_columns()
    _create_tables_of_codes_and_browsers()
    _create_tables_of_clients()


def _widen_client_ids() -> None:
    """PostgreSQL rewrites no row for this."""
    if op.get_context().dialect.name == "postgresql":
        for table in ("clients", "families"):
            op.alter_column(table, "client_id", existing_type=sa.String(128), type_=_CLIENT_ID, existing_nullable=False)


def _add_columns() -> None:
    of_families: tuple[sa.Column[Any], ...] = (
        sa.Column("browser_session_id", sa.String(32)),
        sa.Column("code_challenge", sa.String(43)),
        sa.Column("code_expires_at", sa.BigInteger()),
        sa.Column("asked_resource", sa.Text()),
    )
    of_users: tuple[sa.Column[Any], ...] = (
        sa.Column("email_verified", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("profile", sa.Text(), nullable=False, server_default="{}"),
        sa.Column("updated_at", sa.BigInteger(), nullable=False, server_default="0"),
    )
    for table, columns in (("families", of_families), ("users", of_users), ("clients", _columns_of_clients())):
        for column in columns:
            op.add_column(table, column)
    present = sa.text("browser_session_id IS NOT NULL")
    op.create_index(
        "ix_families_browser_session_id",
        "families",
        ["browser_session_id"],
        postgresql_where=present,
        sqlite_where=present,
    )


def _columns_of_clients() -> tuple[sa.Column[Any], ...]:
    return (
        sa.Column("name", sa.Text()),
        sa.Column("redirect_uris", sa.Text(), nullable=False, server_default=sa.text("''")),
        sa.Column("post_logout_redirect_uris", sa.Text(), nullable=False, server_default=sa.text("''")),
        sa.Column("application_type", sa.String(8), nullable=False, server_default="web"),
        sa.Column("first_party", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("require_pkce", sa.Boolean(), nullable=False, server_default=sa.true()),
        sa.Column("resources", sa.Text(), nullable=False, server_default=sa.text("''")),
        sa.Column("refresh_token", sa.String(16)),
        sa.Column("backchannel_logout_uri", sa.Text()),
        sa.Column("backchannel_logout_session_required", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("id_token_alg", sa.String(8), nullable=False, server_default="RS256"),
        sa.Column("logo_type", sa.String(32)),
        sa.Column("logo", sa.LargeBinary()),
    )


def _create_tables_of_codes_and_browsers() -> None:
    op.create_table(
        "authorization_codes",
        sa.Column("sid", sa.String(32), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("redirect_uri", sa.Text()),
        sa.Column("nonce", sa.Text()),
        sa.PrimaryKeyConstraint("sid", name="pk_authorization_codes"),
        _references("authorization_codes", "sid", "families.sid"),
    )
    op.create_index("ix_authorization_codes_expires_at", "authorization_codes", ["expires_at"])
    op.create_table(
        "browser_sessions",
        sa.Column("browser_session_id", sa.String(32), nullable=False),
        sa.Column("sub", sa.String(64), nullable=False),
        sa.Column("secret_digest", sa.LargeBinary(), nullable=False),
        sa.Column("auth_time", sa.BigInteger(), nullable=False),
        sa.Column("amr", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("used_at", sa.BigInteger(), nullable=False),
        sa.Column("idle_expires_at", sa.BigInteger(), nullable=False),
        sa.Column("absolute_expires_at", sa.BigInteger(), nullable=False),
        sa.Column("ip", sa.Text()),
        sa.Column("user_agent", sa.Text()),
        sa.PrimaryKeyConstraint("browser_session_id", name="pk_browser_sessions"),
        sa.UniqueConstraint("secret_digest", name="uq_browser_sessions_secret_digest"),
        _references("browser_sessions", "sub", "users.sub"),
    )
    op.create_index("ix_browser_sessions_sub", "browser_sessions", ["sub"])
    op.create_index("ix_browser_sessions_absolute_expires_at", "browser_sessions", ["absolute_expires_at"])
    op.create_table(
        "browser_session_clients",
        sa.Column("browser_session_id", sa.String(32), nullable=False),
        sa.Column("client_id", _CLIENT_ID, nullable=False),
        sa.PrimaryKeyConstraint("browser_session_id", "client_id", name="pk_browser_session_clients"),
        _references("browser_session_clients", "browser_session_id", "browser_sessions.browser_session_id"),
        _references("browser_session_clients", "client_id", "clients.client_id"),
    )
    op.create_index("ix_browser_session_clients_client_id", "browser_session_clients", ["client_id"])


def _create_tables_of_clients() -> None:
    op.create_table(
        "consents",
        sa.Column("sub", sa.String(64), nullable=False),
        sa.Column("client_id", _CLIENT_ID, nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("resources", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("sub", "client_id", name="pk_consents"),
        _references("consents", "sub", "users.sub"),
        _references("consents", "client_id", "clients.client_id"),
    )
    op.create_index("ix_consents_client_id", "consents", ["client_id"])
    op.create_table(
        "resources",
        sa.Column("uri", sa.String(512), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("open", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("uri", name="pk_resources"),
    )
    op.create_table(
        "logout_outbox",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("client_id", _CLIENT_ID, nullable=False),
        sa.Column("sub", sa.String(64), nullable=False),
        sa.Column("sid", sa.String(64)),
        sa.Column("attempts", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("next_attempt_at", sa.BigInteger()),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("last_status", sa.Text()),
        sa.Column("done_at", sa.BigInteger()),
        sa.Column("failed_at", sa.BigInteger()),
        sa.PrimaryKeyConstraint("id", name="pk_logout_outbox"),
        _references("logout_outbox", "client_id", "clients.client_id"),
    )
    op.create_index("ix_logout_outbox_client_id", "logout_outbox", ["client_id"])
    op.create_index("ix_logout_outbox_next_attempt_at", "logout_outbox", ["next_attempt_at"])


def _references(table: str, column: str, target: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [target], name=f"fk_{table}_{column}", ondelete="CASCADE")
