"""Tags under a key of a family: what authenticates refresh tokens and authorization codes, which are not stored.

The key is derived from a master key, for one purpose alone, and from the family's secret (HMAC-SHA256, RFC 2104).
"""

import hmac

from jeton.crypto.master_key import MasterKeyError, MasterKeys
from jeton.frozen import Frozen, Hidden
from jeton.oauth.sessions import Family


class Tagged(Frozen):
    """A well-formed token or code of the family `sid`, not verified until `is_genuine` returns True."""

    sid: str
    master_key_id: str
    signed: Hidden[bytes]
    tag: Hidden[bytes]


class FamilyTags:
    """Makes and verifies tags for one purpose, under the master keys."""

    def __init__(self, master_keys: MasterKeys, purpose: bytes) -> None:
        self._keys = {key_id: master_keys.derive(key_id, purpose) for key_id in master_keys}

    def tag(self, message: bytes, master_key_id: str, secret: bytes) -> bytes:
        """Return the tag, 32 bytes. Deterministic. Raise MasterKeyError if the master key is not configured."""
        if master_key_id not in self._keys:
            raise MasterKeyError(f"master key {master_key_id} is not configured: add it to secrets.master_key")
        return hmac.digest(hmac.digest(self._keys[master_key_id], secret, "sha256"), message, "sha256")

    def is_genuine(self, presented: Tagged, family: Family | None) -> bool | None:
        """Return whether the tag is that of the family.

        Return None if that cannot be determined: there is no family, or it has the same master key as what is
        presented, and that key is not configured.
        """
        if family is None:
            return None
        if presented.master_key_id != family.master_key_id:
            return False
        if presented.master_key_id not in self._keys:
            return None
        return hmac.compare_digest(self.tag(presented.signed, family.master_key_id, family.secret), presented.tag)
