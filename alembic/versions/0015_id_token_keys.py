"""Keys that sign ID tokens of another algorithm than that of access tokens, one active and one next of each algorithm.

A table of their own: servers of the version before take every row of `signing_keys` for a key of access tokens.
"""

import sqlalchemy as sa

from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "id_token_keys",
        sa.Column("kid", sa.String(64), nullable=False),
        sa.Column("algorithm", sa.String(16), nullable=False),
        sa.Column("public_jwk", sa.Text(), nullable=False),
        sa.Column("store", sa.String(16), nullable=False),
        sa.Column("private_part", sa.Text(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("ready_at", sa.BigInteger(), nullable=False),
        sa.Column("longest_seconds", sa.BigInteger(), nullable=False),
        sa.Column("activated_at", sa.BigInteger()),
        sa.Column("rotation_asked_at", sa.BigInteger()),
        sa.Column("gone_at", sa.BigInteger()),
        sa.PrimaryKeyConstraint("kid", name="pk_id_token_keys"),
    )
    for state in ("active", "next"):
        where = sa.text(f"state = '{state}'")
        op.create_index(
            f"uq_id_token_keys_{state}",
            "id_token_keys",
            ["algorithm"],
            unique=True,
            sqlite_where=where,
            postgresql_where=where,
        )
