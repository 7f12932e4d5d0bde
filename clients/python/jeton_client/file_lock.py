"""File locks between processes, on POSIX and Windows. The system releases the lock of a process that ends."""

import os
from errno import EACCES, EAGAIN, EDEADLK, ENOTSUP
from importlib import import_module
from typing import Any, Final


def _module(name: str) -> Any:
    """Return the module, or None: each platform has only one of the two."""
    try:
        return import_module(name)
    except ImportError:
        return None


_fcntl: Final = _module("fcntl")
_msvcrt: Final = _module("msvcrt")
_TAKEN: Final = frozenset({EACCES, EAGAIN, EDEADLK})


def try_lock(descriptor: int) -> bool:
    """Lock the file until its descriptor is closed. Return False if it is locked. Raise OSError if it cannot be."""
    try:
        if _fcntl is not None:
            _fcntl.flock(descriptor, _fcntl.LOCK_EX | _fcntl.LOCK_NB)
        elif _msvcrt is not None:
            _msvcrt.locking(descriptor, _msvcrt.LK_NBLCK, 1)
        else:
            raise OSError(ENOTSUP, "this platform has no file locks")
    except OSError as error:
        if error.errno in _TAKEN:
            return False
        raise
    return True


def unlock(descriptor: int) -> None:
    """Unlock the file and close its descriptor."""
    if _fcntl is None and _msvcrt is not None:  # on Windows, closing may release the lock only later
        _msvcrt.locking(descriptor, _msvcrt.LK_UNLCK, 1)
    os.close(descriptor)
