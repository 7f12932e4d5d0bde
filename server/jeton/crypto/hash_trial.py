"""Trial check of each kind of imported hash, so that one that fails or is too slow is refused at import."""

import time
from collections.abc import Callable
from typing import Final

from jeton.crypto.imported_hash import ImportedHash, PasswordHashRefusedError

# Three times the limit of the prediction: the machine may be slow.
MAX_SECONDS: Final = 3.0
_WRONG_PASSWORD: Final = b"a wrong password"


class HashTrial:
    """Checks a wrong password against each kind of hash once. Hashes of one kind differ only in salt and digest."""

    def __init__(self, timer: Callable[[], float] = time.process_time) -> None:
        self._timer = timer
        self._refusals: dict[str, str | None] = {}

    def run(self, imported: ImportedHash) -> None:
        """Raise PasswordHashRefusedError if a check of this kind of hash fails or takes too long here."""
        kind = imported.parameters
        if kind not in self._refusals:
            self._refusals[kind] = self._refusal(imported)
        if refusal := self._refusals[kind]:
            raise PasswordHashRefusedError(refusal)

    def _refusal(self, imported: ImportedHash) -> str | None:
        began = self._timer()
        try:
            imported.check(_WRONG_PASSWORD)
        except (ValueError, ArithmeticError, MemoryError) as error:
            return f"a trial check of this password hash ({imported.parameters}) failed: {type(error).__name__}"
        seconds = self._timer() - began
        if seconds > MAX_SECONDS:
            return (
                f"a trial check of this password hash ({imported.parameters}) took {seconds:.1f} s:"
                f" at most {MAX_SECONDS:.0f} s"
            )
        return None
