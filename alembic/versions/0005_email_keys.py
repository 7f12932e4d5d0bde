"""Users are found by their e-mail address too, in one canonical form."""

import sqlalchemy as sa

from alembic import op
from jeton.rules.login_identifiers import email_key

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_USERS = sa.table(
    "users",
    sa.column("sub"),
    sa.column("username"),
    sa.column("email"),
    sa.column("username_key"),
    sa.column("email_key"),
)


def upgrade() -> None:
    op.add_column("users", sa.Column("email_key", sa.Text()))
    _set_keys()
    # An index and no constraint: SQLite would have to make the table anew for one, and lose the sessions with the old.
    op.create_index("uq_users_email_key", "users", ["email_key"], unique=True)


def _set_keys() -> None:
    """An address that is a name already, or that two users have, lets nobody log in but who has it as a name."""
    connection = op.get_bind()
    users = connection.execute(sa.select(_USERS).order_by(_USERS.c.sub)).all()
    named = {user.sub: email_key(user.username) for user in users}
    taken = {key for key in named.values() if key}
    for user in users:
        own = named[user.sub]
        address = own or email_key(user.email or "")
        if address is None or (own is None and address in taken):
            continue
        taken.add(address)
        values = {"email_key": address, "username_key": own or user.username_key}
        connection.execute(_USERS.update().where(_USERS.c.sub == user.sub).values(**values))
