"""The logouts of one user are counted."""

from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_logout_outbox_sub", "logout_outbox", ["sub"])
