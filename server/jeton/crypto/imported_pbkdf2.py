"""Imported PBKDF2 hashes (RFC 8018 section 5.2), in the formats of many systems."""

import hashlib
import re
from typing import Final

from jeton.crypto.hash_costs import PBKDF2_DIGESTS, pbkdf2_milliseconds
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

_NAME: Final = f"(?P<name>{'|'.join(PBKDF2_DIGESTS)})"
# Defaults of Spring's encoders by the version in the prefix; the hash itself does not contain them.
_SPRING: Final = {"": ("sha1", 185_000, 8), "@SpringSecurity_v5_8": ("sha256", 310_000, 16)}
# ASP.NET Core Identity, version 3: pseudorandom function, iterations and salt length, four bytes each.
_ASP_NET_DIGESTS: Final = ("sha1", "sha256", "sha512")
_ASP_NET_HEADER_BYTES: Final = 13
_ASP_NET_2: Final = ("sha1", 1000, 16)


def parse_text_salt(match: re.Match[str]) -> ImportedHash:
    """Parse Django's `pbkdf2_sha256$iterations$salt$base64`, Werkzeug's `pbkdf2:sha256:iterations$salt$hexadecimal`."""
    groups = match.groupdict()
    digest = decode_hex(groups["digest_hex"]) if groups.get("digest_hex") else decode_base64(groups["digest"])
    return _imported_hash(match["name"], int(match["iterations"]), match["salt_text"].encode(), digest)


def parse_binary_salt(match: re.Match[str]) -> ImportedHash:
    """Parse passlib's `$pbkdf2-sha256$iterations$salt$digest`, the PHC string format, and those of LDAP and Jakarta EE.

    The length in PHC strings (`l=`) is ignored: Ory writes one that differs from the digest's.
    """
    name, iterations = (match["name"] or "sha1").lower(), int(match["iterations"])
    return _imported_hash(name, iterations, decode_base64(match["salt"]), decode_base64(match["digest"]))


def parse_spring(match: re.Match[str]) -> ImportedHash:
    """Parse Spring Security's `{pbkdf2}` with salt and digest in hexadecimal, by encoders with default settings."""
    name, iterations, salt_bytes = _SPRING[match["version"] or ""]
    both = decode_hex(match["digest_hex"])
    return _imported_hash(name, iterations, both[:salt_bytes], both[salt_bytes:])


def parse_asp_net(match: re.Match[str]) -> ImportedHash:
    """Parse ASP.NET Identity, versions 2 and 3: base64 of a version byte and the fields."""
    raw = decode_base64(match["digest"])
    if raw[0] == 0:
        name, iterations, salt_bytes = _ASP_NET_2
        return _imported_hash(name, iterations, raw[1 : 1 + salt_bytes], raw[1 + salt_bytes :])
    function, iterations, salt_bytes = (int.from_bytes(raw[at : at + 4]) for at in (1, 5, 9))
    require(function < len(_ASP_NET_DIGESTS), "ASP.NET Identity uses HMAC with SHA-1, SHA-256 or SHA-512")
    salt, digest = raw[_ASP_NET_HEADER_BYTES:][:salt_bytes], raw[_ASP_NET_HEADER_BYTES:][salt_bytes:]
    return _imported_hash(_ASP_NET_DIGESTS[function], iterations, salt, digest)


def _imported_hash(name: str, iterations: int, salt: bytes, digest: bytes) -> ImportedHash:
    require(iterations >= 1, "PBKDF2 needs at least one iteration")
    require_lengths(salt, digest)
    return require_within_budget(
        f"PBKDF2 with {name}, {iterations:,} iterations, {len(digest)} bytes",
        pbkdf2_milliseconds(name, iterations, len(digest)),
        0,
        digest_check(digest, lambda password: hashlib.pbkdf2_hmac(name, password, salt, iterations, len(digest))),
    )


FORMS: Final = (
    (re.compile(rf"pbkdf2_{_NAME}\$(?P<iterations>{NUMBER})\${SALT_TEXT}\${DIGEST}"), parse_text_salt),
    (re.compile(rf"pbkdf2:{_NAME}:(?P<iterations>{NUMBER})\${SALT_TEXT}\${HEX_DIGEST}"), parse_text_salt),
    (
        re.compile(rf"\$pbkdf2(-{_NAME})?\$(i=)?(?P<iterations>{NUMBER})(,l={NUMBER})?\${SALT}\${DIGEST}"),
        parse_binary_salt,
    ),
    (
        re.compile(rf"\{{(?i:PBKDF2(-(?P<name>SHA1|SHA256|SHA512))?)\}}(?P<iterations>{NUMBER})\${SALT}\${DIGEST}"),
        parse_binary_salt,
    ),
    (
        re.compile(rf"PBKDF2WithHmac(?P<name>SHA1|SHA256|SHA512):(?P<iterations>{NUMBER}):{SALT}:{DIGEST}"),
        parse_binary_salt,
    ),
    (re.compile(rf"\{{pbkdf2(?P<version>@SpringSecurity_v5_8)?\}}{HEX_DIGEST}"), parse_spring),
    # The first byte is the version: 0 or 1. Version 2 has 49 bytes.
    (re.compile(r"(?P<digest>A[A-P][A-Za-z0-9+/]{64}==|AQAAAA[A-Za-z0-9+/]{40,}={0,2})"), parse_asp_net),
)
