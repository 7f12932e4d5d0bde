"""Breached passwords: binary search in a file of lines `SHA1` or `SHA1:count`, sorted by SHA-1.

The format of the Have I Been Pwned list (https://haveibeenpwned.com/Passwords, "ordered by hash"). The file is not
loaded into memory, and no network service is used.
"""

import hashlib
import os
import re
from pathlib import Path
from typing import BinaryIO, Final

from jeton.oauth.errors import TemporarilyUnavailableError

_LINE: Final = re.compile(rb"[0-9A-Fa-f]{40}(:\d{1,20})?\r?\n?")
_DIGITS: Final = 40
_MAX_LINE_BYTES: Final = 64
_SAMPLES: Final = 64


class BreachedPasswordsError(TemporarilyUnavailableError):
    """The list cannot be used. The message names the file and the fault."""


class BreachedPasswords:
    """The list in this file. It is opened for each lookup, so that the file can be replaced at any time."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._check()

    def __contains__(self, password: str) -> bool:
        """Return whether this password is in the list. Raise BreachedPasswordsError if the file cannot be read."""
        wanted = hashlib.sha1(password.encode(), usedforsecurity=False).hexdigest().upper().encode()
        try:
            with self._file.open("rb") as lines:
                return self._contains(lines, wanted)
        except OSError as error:
            raise self._unusable(str(error.strerror)) from None

    def _contains(self, lines: BinaryIO, wanted: bytes) -> bool:
        """Search the file by bisection on byte offsets."""
        low, high = 0, lines.seek(0, os.SEEK_END)
        while low < high:
            middle = (low + high) // 2
            start, found = self._line_from(lines, middle)
            if start >= high or found > wanted:
                high = middle
            elif found == wanted:
                return True
            else:
                low = start + 1
        return False

    def _line_from(self, lines: BinaryIO, offset: int) -> tuple[int, bytes]:
        """Return offset and digest of the first line that begins at or after `offset`; at the end, an empty digest."""
        lines.seek(max(offset - 1, 0))
        if offset > 0:
            lines.readline(_MAX_LINE_BYTES)
        start, line = lines.tell(), lines.readline(_MAX_LINE_BYTES)
        if line and not _LINE.fullmatch(line):
            raise self._unusable(f"the line at byte {start} is not SHA1 or SHA1:count")
        return start, line[:_DIGITS].upper()

    def _check(self) -> None:
        """Check that the file can be read, and that lines at sampled offsets are valid and sorted."""
        try:
            with self._file.open("rb") as lines:
                size = lines.seek(0, os.SEEK_END)
                samples = [self._line_from(lines, size * i // _SAMPLES) for i in range(_SAMPLES)]
        except OSError as error:
            raise self._unusable(str(error.strerror)) from None
        found = [digest for _, digest in samples if digest]
        if not found:
            raise self._unusable("it is empty")
        if found != sorted(found):
            raise self._unusable('its lines are not sorted: use the list that is "ordered by hash"')

    def _unusable(self, why: str) -> BreachedPasswordsError:
        return BreachedPasswordsError(f"passwords.breached_file {self._file} cannot be used: {why}")
