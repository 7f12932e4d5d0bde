"""Browser sessions are deleted at their idle end, which is never later than the absolute one."""

from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_browser_sessions_idle_expires_at", "browser_sessions", ["idle_expires_at"])
    op.drop_index("ix_browser_sessions_absolute_expires_at", "browser_sessions")
