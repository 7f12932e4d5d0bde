"""Imported bcrypt hashes, of the password or of a digest of it."""

import base64
import hashlib
import hmac
import re
from collections.abc import Callable
from typing import Final

import bcrypt

from jeton.crypto.hash_costs import bcrypt_milliseconds
from jeton.crypto.imported_hash import ImportedHash, require, require_within_budget

_MAX_BYTES: Final = 72
# bcrypt's base64 alphabet; the last character carries fewer bits.
_SALT: Final = r"[./A-Za-z0-9]{21}[.Oeu]"
_DIGEST: Final = r"[./A-Za-z0-9]{30}[.CGKOSWaeimquy26]"
_PHP_WHITE_SPACE: Final = b" \t\n\r\0\x0b"


def _plain(password: bytes) -> bytes:
    """Return the first 72 bytes: bcrypt uses no more, and the original system cut the rest off.

    The Argon2id hash that replaces this one after a login uses the whole password.
    """
    return password[:_MAX_BYTES]


def _django(password: bytes) -> bytes:
    return hashlib.sha256(password).hexdigest().encode()


def _wordpress(password: bytes) -> bytes:
    digest = hmac.digest(b"wp-sha384", password.strip(_PHP_WHITE_SPACE), "sha384")
    return base64.b64encode(digest)


_PREPARATIONS: Final[dict[str, Callable[[bytes], bytes]]] = {"bcrypt_sha256$": _django, "$wp": _wordpress}


def parse_bcrypt(match: re.Match[str]) -> ImportedHash:
    """Parse `$2b$12$...`, also in the forms of Django, WordPress 6.8, Spring, Dovecot and LDAP servers."""
    prefix = match["prefix"] or ""
    return _imported_hash(prefix, int(match["cost"]), match["hash"], _PREPARATIONS.get(prefix, _plain))


def parse_passlib_bcrypt(match: re.Match[str]) -> ImportedHash:
    """Parse passlib's `bcrypt_sha256`: of an HMAC keyed by the salt, in its first version of a SHA-256 digest."""
    cost, salt = int(match["new_cost"] or match["old_cost"]), match["salt"].encode()
    stored = f"$2b${cost:02}${match['salt']}{match['digest']}"

    def keyed(password: bytes) -> bytes:
        return base64.b64encode(hmac.digest(salt, password, "sha256"))

    def plain(password: bytes) -> bytes:
        return base64.b64encode(hashlib.sha256(password).digest())

    return _imported_hash("bcrypt-sha256 ", cost, stored, keyed if match["new_cost"] else plain)


def _imported_hash(form: str, cost: int, stored: str, prepare: Callable[[bytes], bytes]) -> ImportedHash:
    require(4 <= cost <= 31, "bcrypt's cost must be 4 to 31")
    return require_within_budget(
        f"{form}bcrypt, cost {cost}",
        bcrypt_milliseconds(cost),
        0,
        lambda password: bcrypt.checkpw(prepare(password), stored.encode()),
    )


FORMS: Final = (
    (
        re.compile(
            r"(?P<prefix>bcrypt\$|bcrypt_sha256\$|\$wp|\{(?i:bcrypt|crypt|blf-crypt)\})?"
            rf"(?P<hash>\$2[aby]\$(?P<cost>[0-9]{{2}})\${_SALT}{_DIGEST})"
        ),
        parse_bcrypt,
    ),
    (
        re.compile(
            r"\$bcrypt-sha256\$(v=2,t=2[aby],r=(?P<new_cost>[0-9]{1,2})|2[aby],(?P<old_cost>[0-9]{1,2}))"
            rf"\$(?P<salt>{_SALT})\$(?P<digest>{_DIGEST})"
        ),
        parse_passlib_bcrypt,
    ),
)
