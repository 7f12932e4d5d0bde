"""By what people are found: one canonical form of user names (RFC 8265) and of e-mail addresses.

Whatever concerns an account goes by these: logging in, finding it on the command line, counting its failures.
"""

import re
from typing import Final

import idna
from precis_i18n import get_profile

MAX_USERNAME_CHARACTERS: Final = 255
MAX_EMAIL_CHARACTERS: Final = 254

_USERNAME: Final = get_profile("UsernameCaseMapped")
# The full-width sign becomes an ordinary one in a canonical form.
_AT: Final = re.compile("[@\uff20]")


class InvalidIdentifierError(Exception):
    """Nobody can have this name or e-mail address. The text says why, and what would do."""


def username_key(username: str) -> str | None:
    """The canonical form of a name; None where it is no user name (RFC 8265 section 3.3)."""
    if len(username) > MAX_USERNAME_CHARACTERS:
        return None
    try:
        return str(_USERNAME.enforce(username))
    except UnicodeError:
        return None


def email_key(address: str) -> str | None:
    """The canonical form of an e-mail address; None where it is none.

    What stands before the @ is treated as a user name, so case and width do not count, dots and +tags do; the domain
    is written as the DNS has it (RFC 5891). No quoted local parts, no address literals.
    """
    parts = _AT.split(address)
    if len(address) > MAX_EMAIL_CHARACTERS or len(parts) != 2:
        return None
    local, domain = username_key(parts[0]), parts[1].removesuffix(".")
    try:
        return f"{local}@{idna.encode(domain, uts46=True, std3_rules=True).decode()}" if local else None
    except UnicodeError:
        return None


def login_key(name: str) -> str | None:
    """The canonical form of what somebody logs in with: an e-mail address where it is one, else a user name.

    No two accounts share one, but one account may have two. None where nobody can have this name.
    """
    return email_key(name) or username_key(name)


def identifier_keys(username: str, email: str | None) -> tuple[str, str | None]:
    """The canonical forms by which a user of this name and address is found; both must be free.

    A name that looks like an e-mail address would log in as whoever has that address: it must be the user's own.
    """
    name, address = login_key(username), None if email is None else email_key(email)
    if name is None:
        raise InvalidIdentifierError("this is no user name: letters, digits and punctuation without spaces (RFC 8265)")
    if email is not None and address is None:
        raise InvalidIdentifierError("this is no e-mail address: write it as name@example.com")
    if "@" in name and name != address:
        raise InvalidIdentifierError("a user name with an @ must be the user's own e-mail address: give that as well")
    return name, address
