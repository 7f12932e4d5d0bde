"""Administration of signing keys: which keys there are, and what each becomes next.

Changes are methods of `keys.key_rotation.KeyRotation`, because a running server makes them too.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection

from jeton.rules.key_lifecycle import ACCESS_TOKENS, KeyTimings, SigningKey
from jeton.rules.key_series import transition
from jeton.storage.signing_keys import load_signing_keys


def list_keys(connection: Connection, now: int, timings: KeyTimings) -> list[dict[str, Any]]:
    """Return the keys that anything can still refer to, as JSON members."""
    keys = load_signing_keys(connection)
    return describe([key for key in keys if key.gone_at is None or now < key.gone_at], timings)


def describe(keys: Sequence[SigningKey], timings: KeyTimings) -> list[dict[str, Any]]:
    """Return what may be shown of the keys, as JSON members; `becomes` and `becomes_at` are the next transition."""
    return [_describe(key, keys, timings) for key in keys]


def _describe(key: SigningKey, keys: Sequence[SigningKey], timings: KeyTimings) -> dict[str, Any]:
    state, at = transition(key, keys, timings)
    return {
        "kid": key.kid,
        "signs": "all" if key.series == ACCESS_TOKENS else "id_tokens",
        "algorithm": key.algorithm,
        "rsa_bits": key.key_type.rsa_bits,
        "store": key.store,
        "state": key.state,
        "becomes": state,
        "becomes_at": at,
        "created_at": key.created_at,
        "ready_at": key.ready_at,
        "activated_at": key.activated_at,
        "gone_at": key.gone_at,
    }
