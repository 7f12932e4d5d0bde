"""The outbox of logout tokens is keyed by browser session and client. Nothing has been written to it so far.

It has no reference to clients, whose lock a logout would have to take after that of sessions.
"""

import sqlalchemy as sa

from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_table("logout_outbox")
    op.create_table(
        "logout_outbox",
        sa.Column("browser_session_id", sa.String(32), nullable=False),
        sa.Column("client_id", sa.String(512), nullable=False),
        sa.Column("sub", sa.String(64), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("next_attempt_at", sa.BigInteger()),
        sa.Column("last_status", sa.Text()),
        sa.Column("delivered_at", sa.BigInteger()),
        sa.PrimaryKeyConstraint("browser_session_id", "client_id", name="pk_logout_outbox"),
    )
    for column in ("client_id", "expires_at", "next_attempt_at"):
        op.create_index(f"ix_logout_outbox_{column}", "logout_outbox", [column])
