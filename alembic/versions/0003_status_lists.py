"""Sessions and clients have a place in the status lists, and what has ended is listed."""

import sqlalchemy as sa

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "invalid_statuses",
        sa.Column("status_index", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("status_index", name="pk_invalid_statuses"),
    )
    op.create_index("ix_invalid_statuses_expires_at", "invalid_statuses", ["expires_at"])
    op.create_table(
        "status_counter",
        sa.Column("next_index", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.PrimaryKeyConstraint("next_index", name="pk_status_counter"),
    )
    op.add_column("clients", sa.Column("status_index", sa.BigInteger()))
    op.add_column("families", sa.Column("status_index", sa.BigInteger()))
    op.add_column("families", sa.Column("access_expires_at", sa.BigInteger(), nullable=False, server_default="0"))
    taken = _number("clients", "client_id", 0)
    taken = _number("families", "sid", taken)
    op.execute(sa.insert(sa.table("status_counter", sa.column("next_index"))).values(next_index=taken))


def _number(name: str, key: str, start: int) -> int:
    """Give each row an index, from `start` on, and return the next one. Tokens that exist already name none of them."""
    table = sa.table(name, sa.column(key), sa.column("status_index"))
    number = sa.func.row_number().over(order_by=table.c[key]) + (start - 1)
    numbered = sa.select(table.c[key], number.label("number")).subquery()
    op.execute(table.update().where(table.c[key] == numbered.c[key]).values(status_index=numbered.c.number))
    count = op.get_bind().scalar(sa.select(sa.func.count()).select_from(table))
    return start + (count or 0)
