"""How a client was registered and by which keys it authenticates, and the keys that tokens are bound to.

Every new column has a default, so that servers of the version before go on beside this schema.
"""

from typing import Any

import sqlalchemy as sa

from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    of_clients: tuple[sa.Column[Any], ...] = (
        sa.Column("registration", sa.String(20), nullable=False, server_default="administrator"),
        sa.Column("jwks", sa.Text()),
        sa.Column("jwks_uri", sa.Text()),
        sa.Column("assertion_audience", sa.String(8), nullable=False, server_default="issuer"),
        sa.Column("tls_subject", sa.Text()),
        sa.Column("require_par", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("require_dpop", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("refresh_cookie", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("links", sa.Text(), nullable=False, server_default="{}"),
        sa.Column("metadata_digest", sa.LargeBinary()),
        sa.Column("registration_token_digest", sa.LargeBinary()),
        sa.Column("last_used_at", sa.BigInteger()),
    )
    of_families: tuple[sa.Column[Any], ...] = (
        sa.Column("dpop_jkt", sa.String(43)),
        sa.Column("certificate_thumbprint", sa.String(43)),
    )
    of_consents: tuple[sa.Column[Any], ...] = (sa.Column("metadata_digest", sa.LargeBinary()),)
    of_codes: tuple[sa.Column[Any], ...] = (sa.Column("dpop_jkt", sa.String(43)),)
    for table, columns in (
        ("clients", of_clients),
        ("families", of_families),
        ("consents", of_consents),
        ("authorization_codes", of_codes),
    ):
        for column in columns:
            op.add_column(table, column)
    op.create_index("ix_clients_metadata_digest", "clients", ["metadata_digest"])
