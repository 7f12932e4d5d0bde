"""Master keys: 32 random bytes each, from which other keys are derived (HMAC-SHA256, RFC 2104).

Several can be configured, newest first: the newest encrypts, all decrypt.
"""

import base64
import binascii
import hashlib
import hmac
import os
import secrets
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from jeton.crypto.base64url import base64url

_LENGTH: Final = 32


class MasterKeyError(Exception):
    """A master key is missing, malformed or not the one of this database. The message says what to do."""


class MasterKeys:
    """The configured master keys by id. `newest` is the id of the key for new data."""

    def __init__(self, keys: Iterable[bytes]) -> None:
        self._keys = {hashlib.sha256(b"jeton master key id\0" + key).hexdigest()[:8]: key for key in keys}
        if not self._keys:
            raise MasterKeyError("no master key is configured: set secrets.master_key")
        self.newest = next(iter(self._keys))

    def __iter__(self) -> Iterator[str]:
        return iter(self._keys)

    def __repr__(self) -> str:
        return f"MasterKeys({', '.join(self._keys)})"

    def derive(self, master_key_id: str, purpose: bytes) -> bytes:
        """Derive 32 bytes for one purpose. Raise MasterKeyError if the master key is not configured."""
        try:
            return hmac.digest(self._keys[master_key_id], b"jeton\0" + purpose, "sha256")
        except KeyError:
            raise MasterKeyError(
                f"master key {master_key_id} is needed but not configured: add it to secrets.master_key "
                "(newest first, separated by commas)"
            ) from None


def generate_master_key() -> str:
    """Generate a master key in the format of the setting: 32 random bytes in base64url."""
    return base64url(secrets.token_bytes(_LENGTH))


def parse_master_keys(text: str) -> MasterKeys:
    """Parse `secrets.master_key`: keys in base64url, separated by commas or white space. Raise MasterKeyError."""
    keys = []
    for word in text.replace(",", " ").split():
        try:
            key = base64.b64decode(word + "=" * (-len(word) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            key = b""
        if len(key) != _LENGTH:
            raise MasterKeyError(f"secrets.master_key must be {_LENGTH} random bytes in base64url (43 characters)")
        keys.append(key)
    return MasterKeys(keys)


def read_or_create_master_key(path: Path, *, may_create: bool) -> MasterKeys:
    """Read the key from the file. If the file is missing, create it if `may_create`.

    Raise MasterKeyError if it is missing otherwise, cannot be read or created, or holds no key.
    """
    try:
        if not path.exists():
            if not may_create:
                raise MasterKeyError(f"{path} is missing, and the database depends on it: restore the file")
            _create(path)
        text = path.read_text(encoding="ascii", errors="replace")
    except OSError as error:
        raise MasterKeyError(
            f"{path} cannot be read or created: {error.strerror}: let the user that Jeton runs as read it"
        ) from None
    try:
        return parse_master_keys(text)
    except MasterKeyError:
        raise MasterKeyError(f"{path} must hold {_LENGTH} random bytes in base64url: restore the file") from None


def _create(path: Path) -> None:
    """Create the file atomically, unless it exists by now: two servers may start at the same time."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".master-key-")
    try:
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(generate_master_key() + "\n")
            file.flush()
            os.fsync(file.fileno())
        os.link(temporary, path)
    except FileExistsError:
        return
    finally:
        Path(temporary).unlink()
