"""Failures are counted, and known sources remembered, in buckets."""

import sqlalchemy as sa

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "throttle_buckets",
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("due", sa.BigInteger(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_throttle_buckets"),
    )
    op.create_index("ix_throttle_buckets_expires_at", "throttle_buckets", ["expires_at"])
