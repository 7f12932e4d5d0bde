"""Buckets say how many of their attempts have no outcome yet."""

import sqlalchemy as sa

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("throttle_buckets", sa.Column("pending", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("throttle_buckets", sa.Column("pending_until", sa.BigInteger(), nullable=False, server_default="0"))
