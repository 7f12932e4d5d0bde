"""Login identifiers: the canonical form of user names (RFC 8265) and e-mail addresses.

Users are looked up and login failures are counted by the canonical form.
"""

import re
from typing import Final

import idna
from precis_i18n import get_profile

MAX_USERNAME_CHARACTERS: Final = 255
MAX_EMAIL_CHARACTERS: Final = 254

_USERNAME: Final = get_profile("UsernameCaseMapped")
# The canonical form of the full-width at sign is the ordinary one.
_AT: Final = re.compile("[@\uff20]")


class InvalidIdentifierError(Exception):
    """A user name or e-mail address is not allowed. The message says why, and what to write instead."""


def username_key(username: str) -> str | None:
    """Return the canonical form of a user name, or None if it is not valid (RFC 8265 section 3.3)."""
    if len(username) > MAX_USERNAME_CHARACTERS:
        return None
    try:
        return str(_USERNAME.enforce(username))
    except UnicodeError:
        return None


def email_key(address: str) -> str | None:
    """Return the canonical form of an e-mail address, or None if it is not valid.

    The local part is treated as a user name: case and width are ignored, dots and +tags are not. The domain is written
    in its ASCII form (RFC 5891). Quoted local parts and address literals are not supported.
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
    """Return the canonical form of a login name: of an e-mail address, else of a user name; None if it is neither.

    No two accounts share one, but an account may have two: its user name and its e-mail address.
    """
    return email_key(name) or username_key(name)


def identifier_keys(username: str, email: str | None) -> tuple[str, str | None]:
    """Return the canonical forms by which a user with this name and address is looked up. Both must be unused.

    Raise InvalidIdentifierError if one is not valid, or if the name is an e-mail address other than the user's own:
    the name would log in as the owner of that address.
    """
    name, address = login_key(username), None if email is None else email_key(email)
    if name is None:
        raise InvalidIdentifierError(
            "not a valid user name: use letters, digits and punctuation without spaces (RFC 8265)"
        )
    if email is not None and address is None:
        raise InvalidIdentifierError("not a valid e-mail address: write it as name@example.com")
    if "@" in name and name != address:
        raise InvalidIdentifierError(
            "a user name with an @ must be the user's e-mail address: set the e-mail address to the same value"
        )
    return name, address
