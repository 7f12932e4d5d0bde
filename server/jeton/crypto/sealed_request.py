"""Sealed values: what travels through the pages, encrypted and authenticated (JWE, RFC 7516; ADR 0025)."""

import hashlib
import hmac
import re
from typing import Final, TypeVar

import msgspec
from joserfc import jwe
from joserfc.errors import JoseError
from joserfc.jwk import OctKey

from jeton.crypto.master_key import MasterKeys
from jeton.oauth.authorization.interactions import Interaction
from jeton.oauth.authorization.pushed_requests import PushedRequest

# It travels in the query of a URI, of which proxies and servers commonly accept 8 KiB.
MAX_SEALED_CHARACTERS: Final = 6 * 1024
_ALGORITHMS: Final = ["dir", "A256GCM"]
_PURPOSE: Final = b"sealed request v1"
_FORM_PURPOSE: Final = b"form token v1"
# So that a value of one kind is never taken for another.
_TYPES: Final = {Interaction: "jeton-request", PushedRequest: "jeton-pushed-request"}
_SHAPE: Final = re.compile(r"[A-Za-z0-9_-]+\.\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")

Content = TypeVar("Content", Interaction, PushedRequest)


class SealedRequestTooLongError(Exception):
    """The request does not fit into a sealed value."""


class SealedRequests:
    """Seals interactions and pushed requests under the newest master key, and opens those sealed under any."""

    def __init__(self, master_keys: MasterKeys) -> None:
        self._newest = master_keys.newest
        self._keys = {it: OctKey.import_key(master_keys.derive(it, _PURPOSE)) for it in master_keys}

    def seal(self, content: Interaction | PushedRequest) -> str:
        """Return the sealed value. Raise SealedRequestTooLongError if it has more than 6 KiB."""
        header = {"alg": "dir", "enc": "A256GCM", "kid": self._newest, "typ": _TYPES[type(content)]}
        octets = msgspec.json.encode(content)
        sealed = jwe.encrypt_compact(header, octets, self._keys[self._newest], algorithms=_ALGORITHMS)
        if len(sealed) > MAX_SEALED_CHARACTERS:
            raise SealedRequestTooLongError
        return sealed

    def open(self, text: str, now: int, kind: type[Content]) -> Content | None:
        """Return the content, or None if the value was not made here for content of this kind, or has expired."""
        if len(text) > MAX_SEALED_CHARACTERS or not _SHAPE.fullmatch(text):
            return None
        try:
            opened = jwe.decrypt_compact(text, lambda it: self._keys[it.headers()["kid"]], algorithms=_ALGORITHMS)
            if opened.headers().get("typ") != _TYPES[kind]:
                return None
            content = msgspec.json.decode(opened.plaintext or b"", type=kind)
        except (JoseError, KeyError, TypeError, ValueError):
            return None
        return content if now < content.expires_at else None


class FormTokens:
    """Tokens in the forms of signed-in people, which another site cannot know (CSRF)."""

    def __init__(self, master_keys: MasterKeys) -> None:
        *_, oldest = master_keys
        self._key = master_keys.derive(oldest, _FORM_PURPOSE)

    def derive(self, secret_digest: bytes) -> str:
        """Return the token of a browser session."""
        return hmac.digest(self._key, secret_digest, "sha256").hex()

    def is_genuine(self, presented: str, secret_digest: bytes) -> bool:
        """Return whether it is the token of this browser session."""
        return hmac.compare_digest(presented.encode(), self.derive(secret_digest).encode())


def browser_digest(secret: str) -> str:
    """Return the digest by which a sealed value is bound to the cookie of a browser."""
    return hashlib.sha256(b"browser\0" + secret.encode()).hexdigest()[:32]
