"""Initial access tokens, and indexes for clients that register themselves."""

import sqlalchemy as sa

from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "initial_access_tokens",
        sa.Column("token_id", sa.String(16), primary_key=True),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("name", sa.Text()),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("max_uses", sa.Integer(), nullable=False),
        sa.Column("uses", sa.Integer(), nullable=False, server_default="0"),
        sa.UniqueConstraint("digest", name="uq_initial_access_tokens_digest"),
    )
    op.create_index("ix_initial_access_tokens_expires_at", "initial_access_tokens", ["expires_at"])
    op.create_index("ix_clients_last_used_at", "clients", ["last_used_at"])
    of_administrators = sa.text("registration = 'administrator'")
    op.create_index(
        "ix_clients_administrator",
        "clients",
        ["client_id"],
        postgresql_where=of_administrators,
        sqlite_where=of_administrators,
    )
