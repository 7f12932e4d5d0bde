"""Checks of files that hold secrets: only their owner may change them, and others may not read them."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from jeton.admin.diagnosis.findings import Finding, fail, ok
from jeton.frozen import Frozen

_CHECK: Final = "files"
_OTHERS: Final = 0o007
_GROUP_MAY_WRITE: Final = 0o020


class SecretFile(Frozen):
    """A file, what it holds, and its permissions."""

    path: Path
    holds: str
    mode: int


def check_secret_files(files: Iterable[SecretFile]) -> Iterator[Finding]:
    """Yield a failure for each file that is open to others. A group may read: that is how containers mount secrets."""
    files = list(files)
    exposed = [it for it in files if it.mode & (_OTHERS | _GROUP_MAY_WRITE)]
    for it in exposed:
        who, may_write = ("every user", 0o002) if it.mode & _OTHERS else ("its group", _GROUP_MAY_WRITE)
        what = "write" if it.mode & may_write else "read"
        yield fail(_CHECK, f"{it.path} holds {it.holds}, and {who} may {what} it", f"chmod 600 {it.path}")
    if files and not exposed:
        yield ok(_CHECK, f"only their owners have access: {', '.join(str(it.path) for it in files)}")
