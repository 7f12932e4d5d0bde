"""A list of passwords that have leaked, on disk and never in memory: lines `SHA1` or `SHA1:count`, sorted by the SHA-1.

As Have I Been Pwned distributes its list (https://haveibeenpwned.com/Passwords, "ordered by hash"). Nothing is asked of
anybody else.
"""

import hashlib
import os
import re
from pathlib import Path
from typing import BinaryIO, Final

_LINE: Final = re.compile(rb"[0-9A-Fa-f]{40}(:\d{1,20})?\r?\n?")
_DIGITS: Final = 40
_MAX_LINE_BYTES: Final = 64
_SAMPLES: Final = 64


class BreachedPasswordsError(Exception):
    """The list cannot be used. The text names the file, and says what is wrong with it."""


class BreachedPasswords:
    """The list in this file; opened for each look, so that a newer one may take its place at any time."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._check()

    def __contains__(self, password: str) -> bool:
        """Whether exactly this password is in the list."""
        wanted = hashlib.sha1(password.encode(), usedforsecurity=False).hexdigest().upper().encode()
        try:
            with self._file.open("rb") as lines:
                return self._holds(lines, wanted)
        except OSError as error:
            raise self._unusable(str(error.strerror)) from None

    def _holds(self, lines: BinaryIO, wanted: bytes) -> bool:
        """Halves the part of the file in which the line may begin, until it is one line long."""
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
        """The first line that begins there or later: where, and its digest; beyond the last, the end of the file."""
        lines.seek(max(offset - 1, 0))
        if offset > 0:
            lines.readline(_MAX_LINE_BYTES)
        start, line = lines.tell(), lines.readline(_MAX_LINE_BYTES)
        if line and not _LINE.fullmatch(line):
            raise self._unusable(f"at byte {start} there is no line SHA1:count")
        return start, line[:_DIGITS].upper()

    def _check(self) -> None:
        """Whether it can be read and, at some places, holds what it should in the order in which it should be."""
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
            raise self._unusable('its lines are not sorted: take the list that is "ordered by hash"')

    def _unusable(self, why: str) -> BreachedPasswordsError:
        return BreachedPasswordsError(f"passwords.breached_file {self._file} cannot be used: {why}")
