"""Users are found by their e-mail address too, in one canonical form."""

import re

import idna
import sqlalchemy as sa
from precis_i18n import get_profile

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_AT = re.compile("[@\uff20]")
_USERNAME = get_profile("UsernameCaseMapped")
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
    # An index and no constraint: for a constraint, SQLite would have to recreate the table and lose the sessions.
    op.create_index("uq_users_email_key", "users", ["email_key"], unique=True)


def email_key(address: str) -> str | None:
    """Return the canonical form of an e-mail address, or None if it is none: as it was when this was written."""
    parts = _AT.split(address)
    if len(address) > 254 or len(parts) != 2:
        return None
    try:
        local = _USERNAME.enforce(parts[0])
        return f"{local}@{idna.encode(parts[1].removesuffix('.'), uts46=True, std3_rules=True).decode()}"
    except UnicodeError:
        return None


def _set_keys() -> None:
    """Set the keys of all users. An address that is a user name, or that two users have, finds the user so named."""
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
