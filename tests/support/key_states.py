"""Signing keys in each state, for tests of the key rules."""

from typing import Any

from jeton.frozen import replace
from jeton.rules.key_lifecycle import (
    CLOCK_SKEW_SECONDS,
    PROPAGATION_SECONDS,
    KeyState,
    KeyTimings,
    SigningKey,
    StoredKey,
)
from support.builders import NOW

DAY = 86400
YEAR = 365 * DAY
LONGEST = 3600
TIMES = KeyTimings(publish_ahead_seconds=DAY, jwks_max_age_seconds=300, rotate_seconds=90 * DAY)
GONE_AT = NOW + PROPAGATION_SECONDS + LONGEST + 300 + CLOCK_SKEW_SECONDS


def stored(kid: str) -> StoredKey:
    return StoredKey(kid, "ES256", "{}", "database", "sealed")


def key(kid: str, state: KeyState, **fields: Any) -> SigningKey:
    """Return a key of the access token series; fields can be overridden."""
    default = SigningKey(kid, "ES256", "{}", "database", "sealed", state, NOW - DAY, NOW)
    used = {} if state is KeyState.NEXT else {"longest_seconds": LONGEST, "activated_at": NOW - DAY}
    return replace(default, **(used | fields))


NEXT, ACTIVE = key("next", KeyState.NEXT), key("active", KeyState.ACTIVE)
RETIRING = key("retiring", KeyState.RETIRING, gone_at=NOW + 50)
REVOKED = key("revoked", KeyState.REVOKED, gone_at=NOW + 5000)
KEYS = [RETIRING, REVOKED, ACTIVE, NEXT]
RETIRED = replace(ACTIVE, state=KeyState.RETIRING, private_part="", gone_at=GONE_AT)
ACTIVATED = replace(NEXT, state=KeyState.ACTIVE, activated_at=NOW, longest_seconds=LONGEST)
ASKED = replace(ACTIVE, rotation_asked_at=NOW)
