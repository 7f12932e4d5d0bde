"""For how long a fetched document is good (RFC 9111), and when to ask for it again. Driven by the caller's clock."""

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
    """Whether to ask for the document before going on."""

    NO = "no"
    BACKGROUND = "background"  # one asks; the others go on with what there is
    BLOCKING = "blocking"  # nobody goes on without the answer


@dataclass(frozen=True, slots=True)
class Freshness:
    """What is known of a document's age. All times are of one clock, in seconds."""

    fetched_at: float | None = None
    fresh_until: float = 0.0
    asked_at: float | None = None
    etag: str | None = None

    def asked(self, now: float) -> "Freshness":
        """After a request was sent, whatever comes of it."""
        return replace(self, asked_at=now)

    def fetched(self, now: float, fresh_for: float, etag: str | None) -> "Freshness":
        """After an answer that was sent for at `now`."""
        return Freshness(now, now + fresh_for, now, etag)

    @property
    def is_away(self) -> bool:
        """Whether the last request had no usable answer."""
        return self.asked_at != self.fetched_at

    def may_ask(self, now: float, cool_down: float) -> bool:
        """Not again within the cool-down, whether or not an answer came."""
        return self.asked_at is None or now - self.asked_at >= cool_down


def fresh_seconds(headers: Mapping[str, str], default: float = DEFAULT_SECONDS) -> float:
    """`max-age` less `Age`, between a second and a day; `default` where the headers say nothing."""
    directives = headers.get("cache-control", "").lower()
    if re.search(r"\bno-(store|cache)\b", directives):
        return MIN_SECONDS
    found = re.search(r'\bmax-age="?([0-9]{1,9})\b', directives)
    seconds = default if found is None else float(found[1])
    return min(max(seconds - age_seconds(headers), MIN_SECONDS), MAX_SECONDS)


def age_seconds(headers: Mapping[str, str]) -> float:
    """How long the answer lay in caches on the way (RFC 9111 section 5.1)."""
    age = headers.get("age", "").strip()
    return float(age) if re.fullmatch("[0-9]{1,9}", age) else 0.0


def conditional(etag: str | None) -> dict[str, str]:
    """The header by which the server may answer 304 (RFC 9110 section 13.1.2)."""
    return {} if etag is None else {"if-none-match": etag}
