"""A signing key says where its private part lives."""

import sqlalchemy as sa

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("signing_keys") as table:
        table.alter_column("private_jwe", new_column_name="private_part")
        table.add_column(sa.Column("store", sa.String(16), nullable=False, server_default="database"))
    with op.batch_alter_table("signing_keys") as table:
        table.alter_column("store", server_default=None)
