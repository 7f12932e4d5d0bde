"""Passwords: Argon2id (RFC 9106) by argon2-cffi, in a bounded pool of threads.

Normalised to NFC (NIST SP 800-63B-4 section 3.1.1.2), never truncated, trimmed or folded. Hashes that other systems
made (imported_hashes.py) are good for one login, which replaces them.
"""

import asyncio
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final, TypeVar

from argon2 import PasswordHasher, extract_parameters
from argon2.exceptions import InvalidHashError, VerificationError

from jeton.crypto.credentials import generate_password
from jeton.crypto.imported_hashes import Check, PasswordHashRefusedError, check_of
from jeton.oauth.password_choice import MAX_TYPED_CODE_POINTS, MOST_CODE_POINTS

_WAITING_PER_THREAD: Final = 4
_MOST_MEMORY_KIB: Final = 1024 * 1024
MOST_ITERATIONS: Final = 16
_MOST_LANES: Final = 16

T = TypeVar("T")


class HashingBusyError(Exception):
    """As many passwords are being checked, and waiting, as the server has room for: try again in a moment."""


@dataclass(frozen=True, slots=True)
class Verified:
    """The outcome of one check. `rehashed` is the hash to store instead of one that costs too little or is imported."""

    ok: bool
    rehashed: str | None = None


def normalised(password: str) -> str:
    """The form that is counted and hashed: NFC, and nothing else done to it."""
    return unicodedata.normalize("NFC", password)


def is_too_long(password: str) -> bool:
    """Return whether nobody can have this password. Only text of bounded length is ever normalised."""
    return len(password) > MAX_TYPED_CODE_POINTS or len(normalised(password)) > MOST_CODE_POINTS


class Passwords:
    """Hashes and checks passwords with these Argon2id parameters."""

    def __init__(self, memory_kib: int, iterations: int, lanes: int) -> None:
        self._hasher = PasswordHasher(time_cost=iterations, memory_cost=memory_kib, parallelism=lanes)
        self._nobody = self._hasher.hash(generate_password())

    def hash(self, password: str) -> str:
        """A new hash in the PHC string format, with a salt of 128 random bits."""
        return self._hasher.hash(normalised(password))

    def verify(self, password_hash: str | None, password: str) -> Verified:
        """Whether the password is right. Without a hash (no such user) it works as long, and says no."""
        if is_too_long(password):
            return Verified(ok=False)
        if (imported := _check_of_imported(password_hash)) is not None:
            return self._verify_imported(imported, password)
        usable = password_hash is not None and _is_affordable(password_hash)
        candidate = normalised(password)
        try:
            self._hasher.verify(password_hash if usable and password_hash else self._nobody, candidate)
        except (VerificationError, InvalidHashError):
            return Verified(ok=False)
        if not usable or password_hash is None:
            return Verified(ok=False)
        return Verified(ok=True, rehashed=self._hasher.hash(candidate) if self._is_weaker(password_hash) else None)

    def _verify_imported(self, check: Check, password: str) -> Verified:
        """Other systems normalise nothing, so that what was typed comes first; what replaces the hash is NFC.

        To some of these kinds a NUL at the end, or what follows one, is nothing: no password that holds one is right.
        """
        right = any(check(form.encode()) for form in dict.fromkeys((password, normalised(password))))
        right = right and "\0" not in password
        return Verified(ok=right, rehashed=self.hash(password) if right else None)

    def _is_weaker(self, password_hash: str) -> bool:
        """Whether a stored hash costs less than today's parameters ask; one that costs more is kept."""
        stored = extract_parameters(password_hash)
        as_costly = stored.memory_cost >= self._hasher.memory_cost and stored.time_cost >= self._hasher.time_cost
        return self._hasher.check_needs_rehash(password_hash) and not (as_costly and stored.type is self._hasher.type)


def _is_affordable(password_hash: str) -> bool:
    """Refuses a stored hash whose parameters would eat the machine."""
    try:
        parameters = extract_parameters(password_hash)
    except InvalidHashError:
        return False
    return (
        password_hash.isascii()
        and parameters.memory_cost <= _MOST_MEMORY_KIB
        and parameters.time_cost <= MOST_ITERATIONS
        and parameters.parallelism <= _MOST_LANES
    )


def _check_of_imported(password_hash: str | None) -> Check | None:
    """How to check the hash, if another system made it and it can be checked at a bounded cost."""
    if password_hash is None or password_hash.startswith("$argon2"):
        return None
    try:
        return check_of(password_hash)
    except PasswordHashRefusedError:
        return None


class HashingGate:
    """Lets so many checks run at once and so many wait; refuses more.

    A place belongs to the thread that hashes, not to the request: a caller who went away does not free it.
    """

    def __init__(self, threads: int) -> None:
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="hashing")
        self._room = threads * (1 + _WAITING_PER_THREAD)

    def check_room(self) -> None:
        """HashingBusyError where no place is left just now."""
        if self._room == 0:
            raise HashingBusyError

    async def run(self, work: Callable[[], T]) -> T:
        """The outcome of `work`, run in a thread; HashingBusyError where no place is left."""
        self.check_room()
        self._room -= 1
        loop = asyncio.get_running_loop()
        future = self._threads.submit(work)
        future.add_done_callback(lambda _: self._leave(loop))
        # Shielded: a cancelled wait must not cancel the thread's work out of the count.
        return await asyncio.shield(asyncio.wrap_future(future))

    def _leave(self, loop: asyncio.AbstractEventLoop) -> None:
        loop.call_soon_threadsafe(self._free)

    def _free(self) -> None:
        self._room += 1

    def close(self) -> None:
        self._threads.shutdown(wait=True, cancel_futures=True)
