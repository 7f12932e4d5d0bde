"""Locks on files between processes, on POSIX and on Windows. The lock of a process that dies is free at once."""

import os
from errno import EACCES, EAGAIN, EDEADLK, ENOTSUP
from importlib import import_module
from typing import Any, Final


def _module(name: str) -> Any:
    """Return the module, or None: each of the two is missing where the other one is there."""
    try:
        return import_module(name)
    except ImportError:
        return None


_fcntl: Final = _module("fcntl")
_msvcrt: Final = _module("msvcrt")
_TAKEN: Final = frozenset({EACCES, EAGAIN, EDEADLK})


def try_lock(descriptor: int) -> bool:
    """Lock the file until its descriptor is closed. Return False if it is locked; raise OSError if it never can be."""
    try:
        if _fcntl is not None:
            _fcntl.flock(descriptor, _fcntl.LOCK_EX | _fcntl.LOCK_NB)
        elif _msvcrt is not None:
            _msvcrt.locking(descriptor, _msvcrt.LK_NBLCK, 1)
        else:
            raise OSError(ENOTSUP, "this platform locks no files")
    except OSError as error:
        if error.errno in _TAKEN:
            return False
        raise
    return True


def unlock(descriptor: int) -> None:
    """Unlock the file and close its descriptor."""
    if _fcntl is None and _msvcrt is not None:  # Windows promises no moment for the locks of a file that is closed
        _msvcrt.locking(descriptor, _msvcrt.LK_UNLCK, 1)
    os.close(descriptor)
