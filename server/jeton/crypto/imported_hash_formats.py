"""Hashes of passwords that other systems made: read and bounded when they are imported and whenever they are checked.

Nothing here makes one. Whoever logs in with one gets an Argon2id hash of ours.
"""

import re
from collections.abc import Callable
from typing import Final

from jeton.crypto import imported_argon2, imported_bcrypt, imported_pbkdf2, imported_scrypt
from jeton.crypto.imported_hash import ImportedHash, PasswordHashRefusedError
from jeton.crypto.unsupported_hashes import unsupported_hash_reason

_MAX_CHARACTERS: Final = 1024
_FORMS: Final[tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], ImportedHash]], ...]] = (
    *imported_bcrypt.FORMS,
    *imported_pbkdf2.FORMS,
    *imported_scrypt.FORMS,
    *imported_argon2.FORMS,
)


def parse_imported_hash(text: str) -> ImportedHash:
    """Return the hash, or raise PasswordHashRefusedError if it is no known one or costs too much to check."""
    if len(text) > _MAX_CHARACTERS:
        raise PasswordHashRefusedError(f"the password hash is longer than {_MAX_CHARACTERS:,} characters")
    for form, read in _FORMS:
        if match := form.fullmatch(text):
            return read(match)
    raise PasswordHashRefusedError(unsupported_hash_reason(text))


def stored_form(text: str) -> str:
    """Return what to store of a hash that was read: Argon2 of other systems is told from ours by a prefix."""
    return imported_argon2.FOREIGN_PREFIX + text if text.startswith("$argon2") else text
