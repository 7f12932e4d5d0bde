"""Ended sessions are found by an index, to be deleted once their last access token has expired."""

import sqlalchemy as sa

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    ended = sa.text("revoked_at IS NOT NULL")
    op.create_index("ix_families_revoked_at", "families", ["revoked_at"], postgresql_where=ended, sqlite_where=ended)
