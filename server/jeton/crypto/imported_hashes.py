"""Hashes of passwords that other systems made: bcrypt, PBKDF2, scrypt, Argon2, as PHP, Django and passlib write them.

Nothing here makes one. Whoever logs in with one gets an Argon2id hash of ours. What a check may cost is bounded, when a
hash is taken over and whenever it is checked, so that no row of a file or of the database can eat the machine.
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Callable, Sequence
from typing import Final

import bcrypt
from argon2 import PasswordHasher
from argon2.exceptions import VerificationError

MOST_BCRYPT_COST: Final = 14
MOST_PBKDF2_ITERATIONS: Final = 4_000_000
# N * r * p; N * r alone takes 128 times as many bytes: 256 MiB at most.
MOST_SCRYPT_WORK: Final = 2**21
MOST_ARGON2_MEMORY_KIB: Final = 256 * 1024
# memory_kib * iterations
MOST_ARGON2_WORK: Final = 1024 * 1024
MOST_LANES: Final = 16
SALT_BYTES: Final = range(8, 129)

_ARGON2_DIGEST_BYTES: Final = range(16, 129)
# Of other systems' Argon2 hashes, as Django writes them: what tells them from ours when they are stored.
_FOREIGN: Final = "argon2"
_BCRYPT_BYTES: Final = 72

Check = Callable[[bytes], bool]


class PasswordHashRefusedError(Exception):
    """The hash cannot be taken over. The text says why, and what can be; it never holds the hash."""


def imported_hash(text: str) -> str:
    """What to store of this hash, once it is known that it can be checked; PasswordHashRefusedError where it cannot."""
    check_of(text)
    return _FOREIGN + text if text.startswith("$argon2") else text


def check_of(text: str) -> Check:
    """What says whether some bytes are the password of this hash; PasswordHashRefusedError where nothing can."""
    for form, read in _FORMS:
        if match := form.fullmatch(text):
            return read(match)
    raise PasswordHashRefusedError(
        "the password hash is none of: bcrypt ($2a$, $2b$, $2y$), PBKDF2 and scrypt (Django's or passlib's), Argon2"
    )


def _bcrypt(match: re.Match[str]) -> Check:
    """bcrypt knows 72 bytes. PHP, Django and all others cut the rest off: so must we, or its owner is locked out.

    The hash of ours that replaces this one counts every character again.
    """
    _require(4 <= int(match["cost"]) <= MOST_BCRYPT_COST, f"bcrypt's cost must be 4 to {MOST_BCRYPT_COST}")
    stored, digested = match["hash"].encode(), match["django"] == "bcrypt_sha256"

    def check(password: bytes) -> bool:
        whole = hashlib.sha256(password).hexdigest().encode() if digested else password
        return bcrypt.checkpw(whole[:_BCRYPT_BYTES], stored)

    return check


def _pbkdf2(match: re.Match[str]) -> Check:
    """RFC 8018 section 5.2: `pbkdf2_sha256$iterations$salt$digest`, or passlib's `$pbkdf2-sha256$...`."""
    by_django = "salt_text" in match.re.groupindex
    name, iterations = match["name"] or "sha1", int(match["iterations"])
    salt = match["salt_text"].encode() if by_django else _decoded(match["salt"])
    digest = _decoded(match["digest"])
    _require(1 <= iterations <= MOST_PBKDF2_ITERATIONS, f"PBKDF2 may take {MOST_PBKDF2_ITERATIONS:,} iterations")
    _require_lengths(salt, digest, [hashlib.new(name).digest_size])
    return lambda password: hmac.compare_digest(hashlib.pbkdf2_hmac(name, password, salt, iterations), digest)


def _scrypt(match: re.Match[str]) -> Check:
    """RFC 7914: `scrypt$N$salt$r$p$digest`, or passlib's `$scrypt$ln=log2(N),r=8,p=1$...`."""
    by_django = "salt_text" in match.re.groupindex
    n = int(match["n"]) if by_django else 2 ** int(match["log_n"])
    r, p = int(match["r"]), int(match["p"])
    salt = match["salt_text"].encode() if by_django else _decoded(match["salt"])
    digest = _decoded(match["digest"])
    _require(n >= 2 and n & (n - 1) == 0 and r >= 1 and p >= 1, "scrypt's N must be a power of two, r and p positive")
    _require(n * r * p <= MOST_SCRYPT_WORK and p <= MOST_LANES, f"scrypt's N * r * p may be {MOST_SCRYPT_WORK:,}")
    _require_lengths(salt, digest, [64 if by_django else 32])
    memory = 128 * r * (n + p + 2)

    def check(password: bytes) -> bool:
        made = hashlib.scrypt(password, salt=salt, n=n, r=r, p=p, maxmem=2 * memory, dklen=len(digest))
        return hmac.compare_digest(made, digest)

    return check


def _argon2(match: re.Match[str]) -> Check:
    """RFC 9106, in the PHC string format; Django puts `argon2` before it."""
    stored, memory_kib, iterations, lanes = match["hash"], int(match["m"]), int(match["t"]), int(match["p"])
    _require(lanes <= MOST_LANES, f"Argon2 may use {MOST_LANES} lanes")
    _require(memory_kib >= 8 * lanes, "Argon2 uses at least 8 KiB a lane")
    _require(
        memory_kib <= MOST_ARGON2_MEMORY_KIB and memory_kib * iterations <= MOST_ARGON2_WORK,
        f"Argon2 may use {MOST_ARGON2_MEMORY_KIB:,} KiB, and {MOST_ARGON2_WORK:,} KiB times iterations",
    )
    _require_lengths(_decoded(match["salt"]), _decoded(match["digest"]), _ARGON2_DIGEST_BYTES)

    def check(password: bytes) -> bool:
        try:
            return PasswordHasher().verify(stored, password)
        except VerificationError:
            return False

    return check


def _require(condition: bool, wanted: str) -> None:
    if not condition:
        raise PasswordHashRefusedError(f"the password hash asks for too much, or is malformed: {wanted}")


def _require_lengths(salt: bytes, digest: bytes, digest_bytes: Sequence[int]) -> None:
    """A shortened digest would be the digest of many passwords."""
    _require(len(salt) in SALT_BYTES, f"the salt must have {SALT_BYTES[0]} to {SALT_BYTES[-1]} bytes")
    _require(len(digest) in digest_bytes, f"the digest must have at least {digest_bytes[0]} bytes, and hardly more")


def _decoded(text: str) -> bytes:
    """Base64 as it is written by machines, with or without padding; passlib writes a dot for the plus sign."""
    bare = text.rstrip("=").replace(".", "+")
    try:
        decoded = base64.b64decode(bare + "=" * (-len(bare) % 4), validate=True)
    except ValueError:
        decoded = b""
    _require(base64.b64encode(decoded).decode().rstrip("=") == bare, "its base64 is none")
    return decoded


_NUMBER: Final = "[1-9][0-9]{0,8}"
# bcrypt's own base64, whose last digits carry fewer bits.
_BCRYPT_SALT_AND_DIGEST: Final = r"[./A-Za-z0-9]{21}[.Oeu][./A-Za-z0-9]{30}[.CGKOSWaeimquy26]"
_SALT_TEXT: Final = "(?P<salt_text>[!-#%-~]+)"
_SALT: Final = r"(?P<salt>[A-Za-z0-9+/.]+)"
_DIGEST: Final = r"(?P<digest>[A-Za-z0-9+/.]+={0,2})"

_FORMS: Final[tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], Check]], ...]] = (
    (
        re.compile(
            rf"((?P<django>bcrypt|bcrypt_sha256)\$)?(?P<hash>\$2[aby]\$(?P<cost>[0-9]{{2}})\${_BCRYPT_SALT_AND_DIGEST})"
        ),
        _bcrypt,
    ),
    (re.compile(rf"pbkdf2_(?P<name>sha1|sha256)\$(?P<iterations>{_NUMBER})\${_SALT_TEXT}\${_DIGEST}"), _pbkdf2),
    (re.compile(rf"\$pbkdf2(-(?P<name>sha256|sha512))?\$(?P<iterations>{_NUMBER})\${_SALT}\${_DIGEST}"), _pbkdf2),
    (re.compile(rf"scrypt\$(?P<n>{_NUMBER})\${_SALT_TEXT}\$(?P<r>{_NUMBER})\$(?P<p>{_NUMBER})\${_DIGEST}"), _scrypt),
    (
        re.compile(rf"\$scrypt\$ln=(?P<log_n>[1-9][0-9]?),r=(?P<r>{_NUMBER}),p=(?P<p>{_NUMBER})\${_SALT}\${_DIGEST}"),
        _scrypt,
    ),
    (
        re.compile(
            rf"(argon2)?(?P<hash>\$argon2(id|i|d)(\$v=(16|19))?"
            rf"\$m=(?P<m>{_NUMBER}),t=(?P<t>{_NUMBER}),p=(?P<p>{_NUMBER})"
            r"\$(?P<salt>[A-Za-z0-9+/]+)\$(?P<digest>[A-Za-z0-9+/]+))"
        ),
        _argon2,
    ),
)
