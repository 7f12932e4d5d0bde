"""What users have allowed, by resource.

Where the new column is null, a server of the version before has written the row: what `scope` holds was then allowed at
each of `resources`. Those servers go on beside this schema, and the two columns are still written for them.
"""

import sqlalchemy as sa

from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("consents", sa.Column("allowed", sa.Text()))
