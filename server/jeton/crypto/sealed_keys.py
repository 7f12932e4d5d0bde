"""Key store in the database: each private key is a JWE (RFC 7516) under a key derived from the master key."""

import json
from typing import ClassVar, Final

from joserfc import jwe
from joserfc.errors import JoseError
from joserfc.jwk import Key, OctKey

from jeton.crypto.algorithms import generate_key, load_private_key, public_jwk, sign
from jeton.crypto.master_key import MasterKeyError, MasterKeys
from jeton.frozen import Frozen, Hidden
from jeton.rules.key_lifecycle import StoredKey

_WRAP: Final = ["A256GCMKW", "A256GCM"]
_PURPOSE: Final = b"signing key wrapping v1"


class LocalKey(Frozen):
    """A private key in this process's memory."""

    kid: str
    algorithm: str
    key: Hidden[Key]
    is_external: ClassVar[bool] = False

    def sign(self, signing_input: bytes) -> bytes:
        return sign(self.algorithm, signing_input, self.key)


class SealedKeys:
    """The key store that needs only the database and the master key."""

    name: Final = "database"

    def __init__(self, master_keys: MasterKeys) -> None:
        self._master_keys = master_keys

    def create(self, algorithm: str, rsa_bits: int | None) -> StoredKey:
        """Generate a key, encrypted under the newest master key."""
        key = generate_key(algorithm, rsa_bits)
        sealed = self._seal(json.dumps(key.as_dict(private=True)).encode())
        return StoredKey(key.thumbprint(), algorithm, public_jwk(key, algorithm), self.name, sealed)

    def check(self) -> None:
        """Do nothing: keys are created in memory."""

    def open(self, stored: StoredKey) -> LocalKey:
        """Decrypt the key. Raise MasterKeyError if no configured master key does."""
        try:
            key = load_private_key(json.loads(self._unseal(stored)))
        except (JoseError, KeyError, ValueError):
            key = None
        if key is None or key.thumbprint() != stored.kid:
            raise _cannot_decrypt(stored)
        return LocalKey(stored.kid, stored.algorithm, key)

    def destroy(self, stored: StoredKey) -> None:
        """Do nothing: the private key is only in the row, which the caller deletes."""

    def reseal(self, stored: StoredKey) -> str:
        """Return the private part encrypted under the newest master key. Raise MasterKeyError if no key decrypts it."""
        return self._seal(self._unseal(stored))

    def _seal(self, private: bytes) -> str:
        newest = self._master_keys.newest
        header = {"alg": _WRAP[0], "enc": _WRAP[1], "kid": newest}
        return jwe.encrypt_compact(header, private, self._wrapping_key(newest), algorithms=_WRAP)

    def _unseal(self, stored: StoredKey) -> bytes:
        try:
            opened = jwe.decrypt_compact(
                stored.private_part, lambda it: self._wrapping_key(str(it.headers()["kid"])), algorithms=_WRAP
            )
        except (JoseError, ValueError):
            raise _cannot_decrypt(stored) from None
        return opened.plaintext or b""

    def _wrapping_key(self, master_key_id: str) -> OctKey:
        return OctKey.import_key(self._master_keys.derive(master_key_id, _PURPOSE))


def _cannot_decrypt(stored: StoredKey) -> MasterKeyError:
    return MasterKeyError(f"the stored signing key {stored.kid} cannot be decrypted with the configured master key")
