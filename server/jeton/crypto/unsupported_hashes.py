"""Password hashes of other systems that are recognized but not supported, to name them in the refusal."""

import re
from typing import Final

_WEAK: Final = "too weak to be imported"
_UNKNOWN: Final = "cannot be checked here"

_KINDS: Final = tuple(
    (re.compile(pattern, re.IGNORECASE | re.DOTALL), name, why)
    for pattern, name, why in (
        (r"\$[PH]\$.+", "phpass (WordPress before 6.8, phpBB)", _WEAK),
        (r"\$2x\$.+", "bcrypt of a version with a defect", _WEAK),
        (r"\$2[aby]?\$.*", "bcrypt, but cut or malformed", _UNKNOWN),
        (r"(\{crypt\})?\$(1|apr1)\$.+", "MD5 crypt of Unix or Apache", _WEAK),
        (r"(\{crypt\})?\$[56]\$.+", "SHA-2 crypt of Unix", _UNKNOWN),
        (r"(\{crypt\})?\$(y|gy|7)\$.+", "yescrypt or scrypt of Unix", _UNKNOWN),
        (r"\{crypt\}.*", "crypt of Unix", _WEAK),
        (r"(U?\$S\$).+", "Drupal before 10", _UNKNOWN),
        (r"\{(S?(SHA|MD5)(256|384|512)?|sha-?(1|256|512)?|MD4)\}.+", "a salted or plain digest (LDAP, Spring)", _WEAK),
        (r"\{(noop|cleartext|plain)\}.*", "a password in clear text", "not a hash: never put passwords in a file"),
        (r"(md5|sha1|sha256|sha512|unsalted_md5)\$.*\$?.+", "a salted digest (Django, Werkzeug, ASP)", _WEAK),
        (r"[0-9a-f]{32}|[0-9a-f]{40}|[0-9a-f]{56}|[0-9a-f]{64}|[0-9a-f]{96}|[0-9a-f]{128}", "a plain digest", _WEAK),
        (r"\{\s*\"(secretData|credentialData|value)\".*", "Keycloak's credential as JSON", "not in a supported format"),
        (
            r"(\$(firescrypt|firebase-scrypt)\$.+|[A-Za-z0-9+/_-]{86}={0,2})",
            "Firebase's scrypt, which is not that of RFC 7914",
            _UNKNOWN,
        ),
        (r"![A-Za-z0-9]{40}|[!*].*", "the mark of an account without a password (Django, Unix)", "not a hash"),
        (r"\$?(argon2|pbkdf2|s?crypt|bcrypt).*", "a known kind of hash, but cut or malformed", _UNKNOWN),
        (r"\{[A-Za-z0-9_@.-]+\}.*", "a hash with a prefix of LDAP or Spring", _UNKNOWN),
    )
)
SUPPORTED: Final = "bcrypt, PBKDF2, scrypt and Argon2 in the forms of docs/operations/users.md"


def unsupported_hash_reason(text: str) -> str:
    """Return why the hash is refused, with the kind it is recognized as. The text never contains the hash."""
    for pattern, name, why in _KINDS:
        if pattern.fullmatch(text):
            return (
                f"the password hash is recognized as {name}: {why}."
                " Omit password_hash and set a new password for the user"
            )
    return f"the format of the password hash is not supported: use {SUPPORTED}"
