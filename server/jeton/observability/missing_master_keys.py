"""Log lines about master keys that sessions need but this server does not have."""

import time
from collections.abc import Callable
from typing import Final

import structlog

_INTERVAL_SECONDS: Final = 60

log = structlog.get_logger("jeton.master_key")


class MissingMasterKeys:
    """Logs an error for each missing master key, at most once a minute.

    Callers report only ids that are stored with sessions, so their number is bounded.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._logged_at: dict[str, float] = {}

    def report(self, master_key_id: str) -> None:
        now = self._monotonic()
        if now - self._logged_at.get(master_key_id, float("-inf")) < _INTERVAL_SECONDS:
            return
        self._logged_at[master_key_id] = now
        log.error(
            "master_key_missing",
            master_key_id=master_key_id,
            detail="sessions need a master key that is not configured on this server: add it to secrets.master_key",
        )
