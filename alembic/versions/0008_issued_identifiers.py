"""Identifiers of users and clients are given out once: digests of all of them are kept."""

import hashlib

import sqlalchemy as sa

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    table = op.create_table(
        "issued_identifiers",
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name="pk_issued_identifiers"),
    )
    connection = op.get_bind()
    found = {*connection.scalars(sa.text("SELECT sub FROM users"))}
    found.update(connection.scalars(sa.text("SELECT client_id FROM clients")))
    if found:
        op.bulk_insert(table, [{"digest": hashlib.sha256(it.encode()).digest()} for it in sorted(found)])
