"""Standard input, output and error: open, and able to encode any text."""

import io
import os
import sys
from typing import Final

# Replacements for closed streams, so that no other file gets their numbers. Standard output is opened for reading only:
# writing to it then fails, because a secret that is printed once must not be lost. Standard error may be lost.
_REPLACEMENTS: Final = ((0, os.O_RDONLY), (1, os.O_RDONLY), (2, os.O_WRONLY))


def prepare_standard_streams() -> None:
    """Open closed streams, and escape characters that the encoding of the terminal cannot represent."""
    for number, flags in _REPLACEMENTS:
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, flags)  # gets the lowest free number
    sys.stdin = sys.stdin or io.TextIOWrapper(io.FileIO(0, closefd=False))
    sys.stdout = sys.stdout or _unbuffered(1)
    sys.stderr = sys.stderr or _unbuffered(2)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _unbuffered(number: int) -> io.TextIOWrapper:
    """Return a writer without a buffer, whose flush at exit would fail a second time."""
    return io.TextIOWrapper(io.FileIO(number, "w", closefd=False), write_through=True)
