"""The audit trail: records, and checkpoints of their chains."""

import sqlalchemy as sa

from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "audit_records",
        sa.Column("chain", sa.String(32), nullable=False),
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("event", sa.String(64), nullable=False),
        sa.Column("outcome", sa.String(16), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("actor", sa.String(32), nullable=False),
        sa.Column("client_id", sa.String(512)),
        sa.Column("sid", sa.String(64)),
        sa.Column("request_id", sa.String(64)),
        sa.Column("target", sa.Text()),
        sa.Column("master_key_id", sa.String(16), nullable=False),
        sa.Column("mac", sa.LargeBinary(), nullable=False),
        sa.Column("personal_digest", sa.LargeBinary(), nullable=False),
        sa.Column("salt", sa.LargeBinary()),
        sa.Column("sub", sa.String(64)),
        sa.Column("address", sa.Text()),
        sa.Column("user_agent", sa.Text()),
        sa.PrimaryKeyConstraint("chain", "seq", name="pk_audit_records"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_audit_records_created_at", "audit_records", ["created_at"])
    first, named = sa.text("seq = 1"), sa.text("sub IS NOT NULL")
    op.create_index(
        "ix_audit_records_first", "audit_records", ["created_at"], postgresql_where=first, sqlite_where=first
    )
    op.create_index("ix_audit_records_sub", "audit_records", ["sub"], postgresql_where=named, sqlite_where=named)
    op.create_table(
        "audit_checkpoints",
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("signed", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_audit_checkpoints"),
    )
