"""Checks of the signing keys: they can be used here, and they change in time."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from jeton.admin.diagnosis.findings import Finding, fail, in_words, ok, warn
from jeton.rules.key_lifecycle import CLOCK_SKEW_SECONDS, KeyTimings, SigningKey
from jeton.rules.key_series import next_rotation_at

_CHECK: Final = "signing keys"


def check_signing_keys(
    keys: Sequence[SigningKey], unusable: Mapping[str, str], now: int, timings: KeyTimings
) -> Iterator[Finding]:
    """Yield what is found of the stored keys. `unusable` says by `kid` why a private key cannot be opened here."""
    if not keys:
        yield warn(_CHECK, "there are none yet", "start a server: its first start creates them")
        return
    for reason in dict.fromkeys(unusable.values()):
        yield fail(_CHECK, reason, "see secrets.master_key, and [pkcs11] for keys on an HSM")
    created_at = max(key.created_at for key in keys)
    if created_at > now + CLOCK_SKEW_SECONDS:
        yield fail(
            _CHECK,
            f"the newest key was created {in_words(created_at - now)} from now: the clock was ahead, or is behind",
            "set the clock of the database's machine with NTP; servers then correct the keys",
        )
    due_in, count = next_rotation_at(keys, timings) - now, sum(key.is_published(now) for key in keys)
    if due_in < -CLOCK_SKEW_SECONDS:
        yield warn(
            _CHECK,
            f"the next key should have become active {in_words(-due_in)} ago",
            "servers rotate keys: is one running, and what does its log say of key_rotation?",
        )
    elif not unusable:
        yield ok(_CHECK, f"{count} published, the next change is in {in_words(max(due_in, 0))}")
