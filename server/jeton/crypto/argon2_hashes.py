"""Argon2 hashes in the PHC string format (RFC 9106), by argon2-cffi, in memory of huge pages (ADR 0044)."""

import hmac
import mmap
import secrets
from base64 import b64decode, b64encode
from contextlib import suppress
from typing import Any, Final

from argon2 import Parameters, extract_parameters, low_level
from argon2.exceptions import InvalidHashError
from argon2.low_level import ffi

from jeton.frozen import Frozen, Hidden

# Constants of argon2.h.
_MEMORY_ALLOCATION_ERROR: Final = -22
_VERSION_10: Final = 0x10  # of hashes that name none


class Argon2Hash(Frozen):
    """A hash, with what it was computed with."""

    parameters: Parameters
    salt: Hidden[bytes]
    digest: Hidden[bytes]

    def __str__(self) -> str:
        """Return the PHC string."""
        it = self.parameters
        costs = f"m={it.memory_cost},t={it.time_cost},p={it.parallelism}"
        salt, digest = (b64encode(octets).rstrip(b"=").decode() for octets in (self.salt, self.digest))
        return f"$argon2{it.type.name.lower()}$v={it.version}${costs}${salt}${digest}"

    def is_of(self, password: bytes) -> bool:
        """Return whether the password has this hash. Raise MemoryError, or ValueError for impossible parameters."""
        return hmac.compare_digest(_compute(password, self.salt, self.parameters), self.digest)


def parse_argon2_hash(text: str) -> Argon2Hash:
    """Parse a PHC string. Raise InvalidHashError if it is not exactly the form that is written for its values."""
    parameters = extract_parameters(text)
    if "$v=" not in text:
        parameters.version = _VERSION_10
    try:
        salt, digest = (b64decode(f"{it}==") for it in text.rsplit("$", 2)[1:])
    except ValueError:
        raise InvalidHashError from None
    parsed = Argon2Hash(parameters, salt, digest)
    if text not in (str(parsed), str(parsed).replace(f"$v={_VERSION_10}", "")):
        raise InvalidHashError
    return parsed


def compute_argon2_hash(password: bytes, parameters: Parameters) -> Argon2Hash:
    """Return the hash of a new password, with a random salt."""
    salt = secrets.token_bytes(parameters.salt_len)
    return Argon2Hash(parameters, salt, _compute(password, salt, parameters))


def _compute(password: bytes, salt: bytes, parameters: Parameters) -> bytes:
    """Return the digest. Raise MemoryError, or ValueError for impossible parameters."""
    digest = ffi.new("uint8_t[]", parameters.hash_len)
    context = ffi.new(
        "argon2_context *",
        {
            "out": digest,
            "outlen": parameters.hash_len,
            "pwd": ffi.from_buffer("uint8_t[]", password),
            "pwdlen": len(password),
            "salt": ffi.from_buffer("uint8_t[]", salt),
            "saltlen": len(salt),
            "t_cost": parameters.time_cost,
            "m_cost": parameters.memory_cost,
            "lanes": parameters.parallelism,
            "threads": parameters.parallelism,
            "version": parameters.version,
            "allocate_cbk": _ALLOCATE,
            "free_cbk": _FREE,
        },
    )
    error = low_level.core(context, parameters.type.value)
    if error == _MEMORY_ALLOCATION_ERROR:
        raise MemoryError
    if error:
        raise ValueError(low_level.error_to_str(error))
    return bytes(ffi.buffer(digest))


# Of the hashes that are being computed, by address.
_memory: Final[dict[int, tuple[mmap.mmap, Any]]] = {}


def _allocate(address: Any, size: int) -> int:
    try:
        pages = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    except OSError:
        return _MEMORY_ALLOCATION_ERROR
    with suppress(OSError):  # this kernel has no huge pages
        pages.madvise(mmap.MADV_HUGEPAGE)
    view = address[0] = ffi.from_buffer("uint8_t[]", pages)
    _memory[int(ffi.cast("uintptr_t", view))] = pages, view
    return 0


def _free(address: Any, _size: int) -> None:
    pages, view = _memory.pop(int(ffi.cast("uintptr_t", address)))
    ffi.release(view)
    pages.close()


def _callbacks() -> tuple[Any, Any]:
    """Return the functions that allocate and free memory, for the library; without them, it does so itself."""
    if not hasattr(mmap, "MADV_HUGEPAGE"):
        return ffi.NULL, ffi.NULL
    try:
        return (
            ffi.callback("int(uint8_t **, size_t)", _allocate, error=_MEMORY_ALLOCATION_ERROR),
            ffi.callback("void(uint8_t *, size_t)", _free),
        )
    except MemoryError:  # as with MemoryDenyWriteExecute of systemd
        return ffi.NULL, ffi.NULL


_ALLOCATE, _FREE = _callbacks()
