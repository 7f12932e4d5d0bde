"""Imported scrypt hashes (RFC 7914), in the formats of many systems."""

import hashlib
import re
from typing import Final

from jeton.crypto.hash_costs import scrypt_milliseconds
from jeton.crypto.imported_hash import (
    DIGEST,
    HEX_DIGEST,
    NUMBER,
    SALT,
    SALT_TEXT,
    ImportedHash,
    decode_base64,
    decode_hex,
    digest_check,
    require,
    require_lengths,
    require_within_budget,
)

# A smaller `ln` is an exponent of two.
_MIN_N: Final = 100


def parse_text_salt(match: re.Match[str]) -> ImportedHash:
    """Parse Django's `scrypt$N$salt$r$p$base64`, Werkzeug's `scrypt:N:r:p$salt$hexadecimal`."""
    groups = match.groupdict()
    digest = decode_hex(groups["digest_hex"]) if groups.get("digest_hex") else decode_base64(groups["digest"])
    return _imported_hash(int(match["n"]), int(match["r"]), int(match["p"]), match["salt_text"].encode(), digest)


def parse_phc(match: re.Match[str]) -> ImportedHash:
    """Parse the PHC string format `$scrypt$ln=log2(N),r=8,p=1$salt$digest` of passlib; Ory writes N as `ln`."""
    ln, salt, digest = int(match["ln"]), decode_base64(match["salt"]), decode_base64(match["digest"])
    return _imported_hash(2**ln if ln < _MIN_N else ln, int(match["r"]), int(match["p"]), salt, digest)


def parse_spring(match: re.Match[str]) -> ImportedHash:
    """Parse Spring Security's `{scrypt}$e0801$salt$digest`: log2(N), r and p are in one hexadecimal number."""
    parameters = int(match["parameters"], 16)
    n, r, p = 2 ** (parameters >> 16), parameters >> 8 & 0xFF, parameters & 0xFF
    return _imported_hash(n, r, p, decode_base64(match["salt"]), decode_base64(match["digest"]))


def _imported_hash(n: int, r: int, p: int, salt: bytes, digest: bytes) -> ImportedHash:
    require(n >= 2 and n & (n - 1) == 0 and r >= 1 and p >= 1, "scrypt's N must be a power of two, r and p positive")
    # RFC 7914 section 2; OpenSSL raises an error for larger N.
    require(n.bit_length() - 1 < 16 * r, "scrypt's N must be less than 2 to the power of 16 times r")
    require_lengths(salt, digest)
    max_bytes = 2 * 128 * r * (n + p + 2)

    def derive(password: bytes) -> bytes:
        return hashlib.scrypt(password, salt=salt, n=n, r=r, p=p, maxmem=max_bytes, dklen=len(digest))

    return require_within_budget(
        f"scrypt, N={n:,}, r={r}, p={p}, {len(digest)} bytes",
        scrypt_milliseconds(n, r, p),
        n * r // 8,
        digest_check(digest, derive),
    )


_R_P: Final = rf"r=(?P<r>{NUMBER}),p=(?P<p>{NUMBER})"
FORMS: Final = (
    (
        re.compile(rf"scrypt\$(?P<n>{NUMBER})\${SALT_TEXT}\$(?P<r>{NUMBER})\$(?P<p>{NUMBER})\${DIGEST}"),
        parse_text_salt,
    ),
    (
        re.compile(rf"scrypt:(?P<n>{NUMBER}):(?P<r>{NUMBER}):(?P<p>{NUMBER})\${SALT_TEXT}\${HEX_DIGEST}"),
        parse_text_salt,
    ),
    (re.compile(rf"\$scrypt\$ln=(?P<ln>{NUMBER}),{_R_P}\${SALT}\${DIGEST}"), parse_phc),
    (
        re.compile(
            rf"(\{{scrypt(@SpringSecurity_v[0-9_]+)?\}})?\$(?P<parameters>[1-9a-f][0-9a-f]{{4,5}})\${SALT}\${DIGEST}"
        ),
        parse_spring,
    ),
)
