"""Standard input, output and error: open, and able to take any text."""

import io
import os
import sys
from typing import Final

# A closed one is opened so that no file of ours gets its number. Output then fails when something is written, as it
# must: a secret that is shown once would be lost. Nobody misses what is written to a closed standard error.
_WHERE_CLOSED: Final = ((0, os.O_RDONLY), (1, os.O_RDONLY), (2, os.O_WRONLY))


def prepare_standard_streams() -> None:
    """Open those that are closed, and escape characters that the encoding of a terminal does not have."""
    for number, flags in _WHERE_CLOSED:
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, flags)  # the lowest number that is free
    sys.stdin = sys.stdin or io.TextIOWrapper(io.FileIO(0, closefd=False))
    sys.stdout = sys.stdout or _unbuffered(1)
    sys.stderr = sys.stderr or _unbuffered(2)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _unbuffered(number: int) -> io.TextIOWrapper:
    """Nothing is kept that would fail a second time when the process ends."""
    return io.TextIOWrapper(io.FileIO(number, "w", closefd=False), write_through=True)
