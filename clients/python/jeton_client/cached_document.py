"""Freshness of a fetched document (RFC 9111), and when to fetch it again. The caller supplies the time."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum
from typing import Final

COOL_DOWN_SECONDS: Final = 10.0
RETRY_SECONDS: Final = 1.0
DEFAULT_SECONDS: Final = 300.0
MIN_SECONDS: Final = 1.0
MAX_SECONDS: Final = 86400.0


class Ask(Enum):
    """Whether to fetch the document first."""

    NO = "no"
    BACKGROUND = "background"  # one caller fetches; the others use the cached document
    BLOCKING = "blocking"  # every caller waits for the response


@dataclass(frozen=True, slots=True)
class Freshness:
    """Age of a document. All times are seconds of one clock."""

    fetched_at: float | None = None
    fresh_until: float = 0.0
    asked_at: float | None = None
    etag: str | None = None

    def asked(self, now: float) -> "Freshness":
        """Return the state after a request was sent."""
        return replace(self, asked_at=now)

    def fetched(self, now: float, fresh_for: float, etag: str | None) -> "Freshness":
        """Return the state after a response to a request that was sent at `now`."""
        return Freshness(now, now + fresh_for, now, etag)

    @property
    def is_away(self) -> bool:
        """Return whether the last request had no usable response."""
        return self.asked_at != self.fetched_at

    def may_ask(self, now: float, cool_down: float) -> bool:
        """Return whether the cool-down since the last request is over."""
        return self.asked_at is None or now - self.asked_at >= cool_down


def fresh_seconds(headers: Mapping[str, str], default: float = DEFAULT_SECONDS) -> float:
    """Return `max-age` minus `Age`, between a second and a day, or `default` if there is no `max-age`."""
    directives = headers.get("cache-control", "").lower()
    if re.search(r"\bno-(store|cache)\b", directives):
        return MIN_SECONDS
    found = re.search(r'\bmax-age="?([0-9]{1,9})\b', directives)
    seconds = default if found is None else float(found[1])
    return min(max(seconds - age_seconds(headers), MIN_SECONDS), MAX_SECONDS)


def age_seconds(headers: Mapping[str, str]) -> float:
    """Return the time that the response spent in caches (RFC 9111 section 5.1)."""
    age = headers.get("age", "").strip()
    return float(age) if re.fullmatch("[0-9]{1,9}", age) else 0.0


def conditional(etag: str | None) -> dict[str, str]:
    """Return the header that allows the server to answer 304 (RFC 9110 section 13.1.2)."""
    return {} if etag is None else {"if-none-match": etag}
