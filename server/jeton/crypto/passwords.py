"""Password hashing and verification with Argon2id (RFC 9106), by argon2-cffi.

Passwords are normalized to NFC (NIST SP 800-63B-4 section 3.1.1.2), never truncated, trimmed or case-folded. Imported
hashes (imported_hash_formats.py) are verified too; a successful login replaces them.
"""

import secrets
import unicodedata
from typing import Final

from argon2 import Parameters, Type
from argon2.exceptions import InvalidHashError
from argon2.low_level import ARGON2_VERSION

from jeton.crypto.argon2_hashes import Argon2Hash, compute_argon2_hash, parse_argon2_hash
from jeton.crypto.hash_costs import MAX_MILLISECONDS, argon2_milliseconds
from jeton.crypto.imported_hash import ImportedHash, PasswordHashRefusedError
from jeton.crypto.imported_hash_formats import parse_imported_hash
from jeton.frozen import Frozen
from jeton.rules.password_policy import MAX_CODE_POINTS, MAX_TYPED_CODE_POINTS

_MAX_MEMORY_KIB: Final = 1024 * 1024
MAX_ITERATIONS: Final = 16
_MAX_LANES: Final = 16
_SALT_BYTES: Final = 16
_DIGEST_BYTES: Final = 32


class Verified(Frozen):
    """The outcome of one check. `rehashed` is the hash to store if the stored one is imported or has too low costs.

    `unusable` says why the stored hash could not be checked. `ordinary` says that the check took as long as one with
    the current parameters, which is also the time for an unknown user.
    """

    ok: bool
    rehashed: str | None = None
    unusable: str | None = None
    ordinary: bool = False


def normalize(password: str) -> str:
    """Return the form that is counted and hashed: NFC."""
    return unicodedata.normalize("NFC", password)


def is_too_long(password: str) -> bool:
    """Return whether the password exceeds the maximum length. Only text of bounded length is normalized."""
    return len(password) > MAX_TYPED_CODE_POINTS or len(normalize(password)) > MAX_CODE_POINTS


class Passwords:
    """Hashes and verifies passwords with these Argon2id parameters."""

    def __init__(self, memory_kib: int, iterations: int, lanes: int) -> None:
        self._parameters = Parameters(
            Type.ID, ARGON2_VERSION, _SALT_BYTES, _DIGEST_BYTES, iterations, memory_kib, lanes
        )
        self._max_milliseconds = max(MAX_MILLISECONDS, argon2_milliseconds(memory_kib, iterations, lanes))
        # To verify against, without computing a hash at the start. No password is known to have a digest of 256 bits.
        salt, digest = secrets.token_bytes(_SALT_BYTES), secrets.token_bytes(_DIGEST_BYTES)
        self._dummy_hash = Argon2Hash(self._parameters, salt, digest)

    def hash(self, password: str) -> str:
        """Return a new hash in the PHC string format, with a salt of 128 random bits."""
        return str(compute_argon2_hash(normalize(password).encode(), self._parameters))

    def verify(self, password_hash: str | None, password: str) -> Verified:
        """Verify the password. Without a hash (no such user), spend the time of a normal check and return failure.

        The same applies if the stored hash is malformed, costs too much, or raises an error.
        """
        if is_too_long(password):
            return Verified(ok=False)
        if password_hash is None:
            return self._verify_dummy(password)
        try:
            if password_hash.startswith("$argon2"):
                return self._verify_own(self._parse(password_hash), password)
            return self._verify_imported(parse_imported_hash(password_hash), password)
        except (PasswordHashRefusedError, ValueError, ArithmeticError, MemoryError) as error:
            reason = str(error) if isinstance(error, PasswordHashRefusedError) else type(error).__name__
            return self._verify_dummy(password, unusable=reason)

    def _verify_dummy(self, password: str, unusable: str | None = None) -> Verified:
        """Spend the time of a normal check and return failure."""
        self._dummy_hash.is_of(normalize(password).encode())
        return Verified(ok=False, unusable=unusable, ordinary=unusable is None)

    def _verify_own(self, stored: Argon2Hash, password: str) -> Verified:
        if not stored.is_of(normalize(password).encode()):
            return Verified(ok=False, ordinary=stored.parameters == self._parameters)
        return Verified(ok=True, rehashed=self.hash(password) if self._is_weaker(stored.parameters) else None)

    def _verify_imported(self, imported: ImportedHash, password: str) -> Verified:
        """Verify against the password as typed, then in NFC: other systems do not normalize.

        Some of these hashes ignore a NUL and what follows it: a password that contains one is always wrong.
        """
        right = any(imported.check(form.encode()) for form in dict.fromkeys((password, normalize(password))))
        right = right and "\0" not in password
        return Verified(ok=right, rehashed=self.hash(password) if right else None)

    def _parse(self, password_hash: str) -> Argon2Hash:
        """Parse a stored Argon2 hash. Raise PasswordHashRefusedError if its parameters exceed the limits."""
        try:
            parsed = parse_argon2_hash(password_hash)
        except InvalidHashError:
            raise PasswordHashRefusedError("the stored hash is malformed") from None
        stored = parsed.parameters
        milliseconds = argon2_milliseconds(stored.memory_cost, stored.time_cost, stored.parallelism)
        within = (
            8 * stored.parallelism <= stored.memory_cost <= _MAX_MEMORY_KIB
            and stored.time_cost >= 1
            and 1 <= stored.parallelism <= _MAX_LANES
            and milliseconds <= self._max_milliseconds
        )
        if not within:
            raise PasswordHashRefusedError(
                f"one check of the stored hash would take about {milliseconds:,.0f} ms and"
                f" {stored.memory_cost:,} KiB: at most {self._max_milliseconds:,.0f} ms"
            )
        return parsed

    def _is_weaker(self, stored: Parameters) -> bool:
        """Return whether a stored hash costs less than the current parameters. One that costs more is kept."""
        own = self._parameters
        as_costly = stored.memory_cost >= own.memory_cost and stored.time_cost >= own.time_cost
        return stored != own and not (as_costly and stored.type is own.type)
