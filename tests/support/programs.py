"""Programs of this machine that tests need."""

import os
import shutil


class MissingProgramError(Exception):
    """A program is not installed on this machine. The text says how to install it."""


def find_program(name: str, package: str) -> str:
    """Return the path of a program, which may be one for administrators. `package` is Debian's."""
    path = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if path is None:
        raise MissingProgramError(f"there is no {name} on this machine (Debian: apt-get install {package})")
    return path
