"""Imported Argon2 hashes (RFC 9106): the PHC string format with or without a prefix."""

import re
from typing import Final

from jeton.crypto.argon2_hashes import parse_argon2_hash
from jeton.crypto.hash_costs import argon2_milliseconds
from jeton.crypto.imported_hash import (
    NUMBER,
    ImportedHash,
    decode_base64,
    require,
    require_lengths,
    require_within_budget,
)

MAX_LANES: Final = 16
# As Django writes it. In the database it distinguishes imported hashes from those of this server.
IMPORTED_PREFIX: Final = "argon2"


def parse_argon2(match: re.Match[str]) -> ImportedHash:
    """Parse `$argon2id$v=19$m=65536,t=3,p=4$salt$digest`, with the prefixes of Django, Spring and LDAP servers."""
    stored, memory_kib, iterations, lanes = match["hash"], int(match["m"]), int(match["t"]), int(match["p"])
    salt, digest = decode_base64(match["salt"]), decode_base64(match["digest"])
    require(lanes <= MAX_LANES, f"Argon2 may use at most {MAX_LANES} lanes")
    require(memory_kib >= 8 * lanes, "Argon2 needs at least 8 KiB per lane")
    require_lengths(salt, digest)

    return require_within_budget(
        f"{match['kind']}, m={memory_kib:,}, t={iterations:,}, p={lanes}, {len(salt)} and {len(digest)} bytes",
        argon2_milliseconds(memory_kib, iterations, lanes),
        memory_kib,
        parse_argon2_hash(stored).is_of,
    )


FORMS: Final = (
    (
        re.compile(
            r"(argon2|\{(?i:argon2(id|i|d)?)(@SpringSecurity_v[0-9_]+)?\})?"
            r"(?P<hash>\$(?P<kind>argon2(id|i|d)(\$v=(16|19))?)"
            rf"\$m=(?P<m>{NUMBER}),t=(?P<t>{NUMBER}),p=(?P<p>{NUMBER})"
            r"\$(?P<salt>[A-Za-z0-9+/]+)\$(?P<digest>[A-Za-z0-9+/]+))"
        ),
        parse_argon2,
    ),
)
