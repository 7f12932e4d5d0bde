"""Hashes of passwords that other systems made: read and bounded when they are imported and whenever they are checked.

Nothing here makes one. Whoever logs in with one gets an Argon2id hash of ours.
"""

import re
from collections.abc import Callable
from typing import Final

from jeton.crypto import foreign_argon2, foreign_bcrypt, foreign_pbkdf2, foreign_scrypt
from jeton.crypto.foreign_hash import ForeignHash, PasswordHashRefusedError
from jeton.crypto.unsupported_hashes import why_unsupported

_MAX_CHARACTERS: Final = 1024
_FORMS: Final[tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], ForeignHash]], ...]] = (
    *foreign_bcrypt.FORMS,
    *foreign_pbkdf2.FORMS,
    *foreign_scrypt.FORMS,
    *foreign_argon2.FORMS,
)


def read_foreign_hash(text: str) -> ForeignHash:
    """Return the hash, or raise PasswordHashRefusedError if it is no known one or costs too much to check."""
    if len(text) > _MAX_CHARACTERS:
        raise PasswordHashRefusedError(f"the password hash is longer than {_MAX_CHARACTERS:,} characters")
    for form, read in _FORMS:
        if match := form.fullmatch(text):
            return read(match)
    raise PasswordHashRefusedError(why_unsupported(text))


def stored_form(text: str) -> str:
    """Return what to store of a hash that was read: Argon2 of other systems is told from ours by a prefix."""
    return foreign_argon2.FOREIGN_PREFIX + text if text.startswith("$argon2") else text
