"""Clients say whether sessions may move to other devices and networks; sessions count how often they did."""

import sqlalchemy as sa

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("clients", sa.Column("session_binding", sa.String(8), nullable=False, server_default="off"))
    op.add_column("families", sa.Column("moves", sa.Integer(), nullable=False, server_default="0"))
