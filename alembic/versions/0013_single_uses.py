"""What may be used once, such as a DPoP proof, is remembered while it could be used again."""

import sqlalchemy as sa

from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "single_uses",
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name="pk_single_uses"),
    )
    op.create_index("ix_single_uses_expires_at", "single_uses", ["expires_at"])
