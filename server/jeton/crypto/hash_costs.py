"""Predicted cost of one password check by the parameters of the hash, and the limits of that cost.

The figures are rounded up from a machine on which a hash with the default settings takes 48 ms. They are constants, so
that all nodes accept the same hashes; `jeton user import` also runs each kind once (hash_trial.py).
"""

from typing import Final

# About twenty hashes with the default settings.
MAX_MILLISECONDS: Final = 1000
# For imported hashes; this server's own use what the settings say.
MAX_MEMORY_KIB: Final = 128 * 1024

_BCRYPT_ROUND: Final = 0.06
# Per iteration and block of output: two compressions each.
_PBKDF2_ITERATION: Final = {"sha1": 0.00025, "sha224": 0.0003, "sha256": 0.0003, "sha384": 0.0006, "sha512": 0.0006}
_PBKDF2_BLOCK_BYTES: Final = {"sha1": 20, "sha224": 28, "sha256": 32, "sha384": 48, "sha512": 64}
PBKDF2_DIGESTS: Final = tuple(_PBKDF2_ITERATION)
_SCRYPT_BLOCK: Final = 0.0004
_ARGON2_KIB: Final = 0.0011
# Argon2 starts a thread for each lane in each quarter of each pass.
_ARGON2_THREAD: Final = 0.06
_ARGON2_SLICES: Final = 4


def bcrypt_milliseconds(cost: int) -> float:
    return float(2**cost * _BCRYPT_ROUND)


def pbkdf2_milliseconds(digest: str, iterations: int, output_bytes: int) -> float:
    """Return the cost of all blocks: each block of output takes all iterations."""
    blocks = -(-output_bytes // _PBKDF2_BLOCK_BYTES[digest])
    return iterations * blocks * _PBKDF2_ITERATION[digest]


def scrypt_milliseconds(n: int, r: int, p: int) -> float:
    return n * r * p * _SCRYPT_BLOCK


def argon2_milliseconds(memory_kib: int, iterations: int, lanes: int) -> float:
    threads = _ARGON2_SLICES * iterations * lanes if lanes > 1 else 0
    return memory_kib * iterations * _ARGON2_KIB + threads * _ARGON2_THREAD
