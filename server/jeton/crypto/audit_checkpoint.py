"""Checkpoints of the audit trail: signed as compact JWS (RFC 7515) with HS256, so that copies prove what they say."""

import json
from collections.abc import Mapping
from typing import Any, Final

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import OctKey

from jeton.crypto.master_key import MasterKeys

_PURPOSE: Final = b"audit checkpoint v1"
_TYPE: Final = "jeton-audit-checkpoint"
_ALGORITHM: Final = "HS256"


class CheckpointKeys:
    """The keys of checkpoints: the newest master key signs them, all verify them."""

    def __init__(self, master_keys: MasterKeys) -> None:
        self._newest = master_keys.newest
        self._keys = {it: OctKey.import_key(master_keys.derive(it, _PURPOSE)) for it in master_keys}

    def sign(self, content: Mapping[str, Any]) -> str:
        """Return the signed checkpoint."""
        header = {"alg": _ALGORITHM, "typ": _TYPE, "kid": self._newest}
        return jws.serialize_compact(header, json.dumps(content).encode(), self._keys[self._newest])

    def open(self, signed: str) -> dict[str, Any] | None:
        """Return the content of a checkpoint, or None if none of these keys has signed it."""
        try:
            found = jws.deserialize_compact(signed, lambda it: self._keys[it.headers()["kid"]], [_ALGORITHM])
            content = json.loads(found.payload)
        except (JoseError, KeyError, ValueError):
            return None
        return content if found.headers().get("typ") == _TYPE and isinstance(content, dict) else None
