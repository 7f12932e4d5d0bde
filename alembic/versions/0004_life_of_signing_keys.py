"""Signing keys: never two active or two next, revoked ones known for a while, each kept for as long as it promised."""

import sqlalchemy as sa

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

# The longest life that any access token could be given until now.
_LONGEST_SECONDS = "86400"


def upgrade() -> None:
    with op.batch_alter_table("signing_keys") as table:
        table.alter_column("publish_until", new_column_name="gone_at")
        table.add_column(sa.Column("longest_seconds", sa.BigInteger(), nullable=False, server_default=_LONGEST_SECONDS))
        table.add_column(sa.Column("rotation_asked_at", sa.BigInteger()))
    with op.batch_alter_table("signing_keys") as table:
        table.alter_column("longest_seconds", server_default=None)
    for state in ("active", "next"):
        where = sa.text(f"state = '{state}'")
        op.create_index(
            f"uq_signing_keys_{state}",
            "signing_keys",
            ["state"],
            unique=True,
            postgresql_where=where,
            sqlite_where=where,
        )
