"""Formats of imported password hashes: parsed, with bounded costs, at import and at every check.

Such hashes are only verified. The first successful login replaces one with an Argon2id hash. The parsers are own code,
because they are stricter and cover more systems than libpass (ADR 0019, ADR 0023).
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
    """Parse a hash. Raise PasswordHashRefusedError if the format is unknown or one check costs too much."""
    if len(text) > _MAX_CHARACTERS:
        raise PasswordHashRefusedError(f"the password hash is longer than {_MAX_CHARACTERS:,} characters")
    for form, parse in _FORMS:
        if match := form.fullmatch(text):
            return parse(match)
    raise PasswordHashRefusedError(unsupported_hash_reason(text))


def stored_form(text: str) -> str:
    """Return the text to store for a parsed hash. A prefix distinguishes imported Argon2 from this server's."""
    return imported_argon2.IMPORTED_PREFIX + text if text.startswith("$argon2") else text
