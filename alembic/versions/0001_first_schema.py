"""The first schema."""

import sqlalchemy as sa

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "users",
        sa.Column("sub", sa.String(64), nullable=False),
        sa.Column("username", sa.Text(), nullable=False),
        sa.Column("email", sa.Text()),
        sa.Column("roles", sa.Text(), nullable=False),
        sa.Column("disabled", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("password_version", sa.Integer(), nullable=False),
        sa.Column("password_hash", sa.Text()),
        sa.Column("username_key", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("sub", name="pk_users"),
        sa.UniqueConstraint("username_key", name="uq_users_username_key"),
    )
    op.create_table(
        "clients",
        sa.Column("client_id", sa.String(128), nullable=False),
        sa.Column("public", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("disabled", sa.Boolean(), nullable=False),
        sa.Column("introspect", sa.Boolean(), nullable=False),
        sa.Column("auth_methods", sa.Text(), nullable=False),
        sa.Column("grant_types", sa.Text(), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("default_scope", sa.Text(), nullable=False),
        sa.Column("audience", sa.Text(), nullable=False),
        sa.Column("claims", sa.Text(), nullable=False),
        sa.Column("origins", sa.Text(), nullable=False),
        sa.Column("lifetimes", sa.JSON(), nullable=False),
        sa.Column("secret_digest", sa.LargeBinary()),
        sa.Column("previous_secret_digest", sa.LargeBinary()),
        sa.Column("previous_secret_expires_at", sa.BigInteger()),
        sa.PrimaryKeyConstraint("client_id", name="pk_clients"),
    )
    op.create_table(
        "families",
        sa.Column("sid", sa.String(32), nullable=False),
        sa.Column("client_id", sa.String(128), nullable=False),
        sa.Column("sub", sa.String(64), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("audience", sa.Text(), nullable=False),
        sa.Column("auth_time", sa.BigInteger(), nullable=False),
        sa.Column("amr", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("rotated_at", sa.BigInteger(), nullable=False),
        sa.Column("idle_expires_at", sa.BigInteger(), nullable=False),
        sa.Column("absolute_expires_at", sa.BigInteger(), nullable=False),
        sa.Column("master_key_id", sa.String(8), nullable=False),
        sa.Column("secret", sa.LargeBinary(), nullable=False),
        sa.Column("generation", sa.BigInteger(), nullable=False),
        sa.Column("idempotency_digest", sa.LargeBinary()),
        sa.Column("asked_scope", sa.Text()),
        sa.Column("retries", sa.Integer(), nullable=False),
        sa.Column("revoked_at", sa.BigInteger()),
        sa.Column("revoke_reason", sa.Text()),
        sa.Column("created_ip", sa.Text()),
        sa.Column("created_user_agent", sa.Text()),
        sa.Column("last_ip", sa.Text()),
        sa.Column("last_user_agent", sa.Text()),
        sa.ForeignKeyConstraint(["client_id"], ["clients.client_id"], name="fk_families_client_id", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["sub"], ["users.sub"], name="fk_families_sub", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("sid", name="pk_families"),
        postgresql_with={"fillfactor": 70},
    )
    for column in ("sub", "client_id", "absolute_expires_at"):
        op.create_index(f"ix_families_{column}", "families", [column])
    op.create_table(
        "ended_tokens",
        sa.Column("jti", sa.String(64), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("jti", name="pk_ended_tokens"),
    )
    op.create_index("ix_ended_tokens_expires_at", "ended_tokens", ["expires_at"])
    op.create_table(
        "signing_keys",
        sa.Column("kid", sa.String(64), nullable=False),
        sa.Column("algorithm", sa.String(16), nullable=False),
        sa.Column("public_jwk", sa.Text(), nullable=False),
        sa.Column("private_jwe", sa.Text(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("ready_at", sa.BigInteger(), nullable=False),
        sa.Column("activated_at", sa.BigInteger()),
        sa.Column("publish_until", sa.BigInteger()),
        sa.PrimaryKeyConstraint("kid", name="pk_signing_keys"),
    )
