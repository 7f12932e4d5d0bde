"""One real check of each kind of imported hash, so that what raises or takes too long is refused before any login."""

import time
from collections.abc import Callable
from typing import Final

from jeton.crypto.imported_hash import ImportedHash, PasswordHashRefusedError

# Three times the budget: the machine may be a slow one.
MAX_SECONDS: Final = 3.0
_WRONG_PASSWORD: Final = b"no password of anybody"


class HashTrial:
    """Checks a wrong password against each kind of hash once; hashes of one kind differ in salt and digest only."""

    def __init__(self, timer: Callable[[], float] = time.process_time) -> None:
        self._timer = timer
        self._refusals: dict[str, str | None] = {}

    def run(self, foreign: ImportedHash) -> None:
        """Raise PasswordHashRefusedError if a check of this kind of hash fails or takes too long here."""
        kind = foreign.parameters
        if kind not in self._refusals:
            self._refusals[kind] = self._refusal(foreign)
        if refusal := self._refusals[kind]:
            raise PasswordHashRefusedError(refusal)

    def _refusal(self, foreign: ImportedHash) -> str | None:
        began = self._timer()
        try:
            foreign.check(_WRONG_PASSWORD)
        except (ValueError, ArithmeticError, MemoryError) as error:
            return f"a trial check of this password hash ({foreign.parameters}) failed: {type(error).__name__}"
        seconds = self._timer() - began
        if seconds > MAX_SECONDS:
            return (
                f"a trial check of this password hash ({foreign.parameters}) took {seconds:.1f} s:"
                f" at most {MAX_SECONDS:.0f} s"
            )
        return None
