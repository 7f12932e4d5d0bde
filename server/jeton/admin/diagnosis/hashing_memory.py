"""Check of the memory that password hashes take at once: beyond what there is, the system kills the server."""

from typing import Final

from jeton.admin.diagnosis.findings import Finding, ok, warn

_CHECK: Final = "passwords"


def check_hashing_memory(hashes_at_once: int, workers: int, memory_kib: int, available_bytes: int) -> Finding:
    """Return whether the hashes of all workers fit into memory. `hashes_at_once` are those of one worker."""
    needed, available = workers * hashes_at_once * memory_kib // 1024, available_bytes // 2**20
    message = f"{workers * hashes_at_once} hashes at once take {needed:,} MiB, of {available:,} MiB"
    if needed > available:
        return warn(_CHECK, message, "lower passwords.concurrency (0: as many as fit), passwords.memory_kib or workers")
    return ok(_CHECK, message)
