"""The public keys of a client: its JWK Set (RFC 7517), which proves its assertions and certificates."""

import base64
import binascii
import json
from collections.abc import Mapping
from typing import Any, Final

from jeton.frozen import Frozen, Hidden

# Of client assertions: asymmetric algorithms only (RFC 8725 section 3.1). "EdDSA" is the older name of "Ed25519".
ASSERTION_ALGORITHMS: Final = ("ES256", "Ed25519", "EdDSA", "PS256", "RS256")
MAX_KEYS: Final = 16
MAX_KEY_SET_CHARACTERS: Final = 64 * 1024
# Members of a JWK that are private or secret (RFC 7518 section 6).
PRIVATE_MEMBERS: Final = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})

_MAX_KID_CHARACTERS: Final = 256
_RSA_BITS: Final = range(2048, 8192 + 1)
_RSA_EXPONENTS: Final = range(65537, 2**32, 2)
# What identifies a kind of key, the members that are its numbers, and its algorithms (RFC 7518, RFC 8037).
_KINDS: Final[tuple[tuple[Mapping[str, str], tuple[str, ...], frozenset[str]], ...]] = (
    ({"kty": "RSA"}, ("n", "e"), frozenset({"RS256", "PS256"})),
    ({"kty": "EC", "crv": "P-256"}, ("x", "y"), frozenset({"ES256"})),
    ({"kty": "OKP", "crv": "Ed25519"}, ("x",), frozenset({"Ed25519", "EdDSA"})),
)
_COORDINATE_OCTETS: Final = 32


class ClientKeysError(Exception):
    """The JWK Set is not acceptable. The message says why."""


class ClientKey(Frozen):
    """A public key of a client.

    `algorithms` are those of ASSERTION_ALGORITHMS that it may be used with; none if it is for something else. `jwk` has
    only the members that make up the key. `certificate` is the DER of its own certificate, the first of `x5c`.
    """

    kid: str | None
    algorithms: frozenset[str]
    jwk: Hidden[Mapping[str, str]]
    certificate: Hidden[bytes | None] = None


def parse_client_keys(document: object) -> tuple[ClientKey, ...]:
    """Return the keys of a JWK Set. Raise ClientKeysError if it has none, or one that is private, weak or malformed.

    Keys of unknown types and keys for encryption are without effect (RFC 7517 section 5).
    """
    keys = document.get("keys") if isinstance(document, Mapping) else None
    if not isinstance(keys, (list, tuple)) or not all(isinstance(key, Mapping) for key in keys):
        raise ClientKeysError('a JWK Set is a JSON object with an array of keys: {"keys": [...]}')
    if not 1 <= len(keys) <= MAX_KEYS:
        raise ClientKeysError(f"a client has 1 to {MAX_KEYS} keys")
    if len(json.dumps(keys)) > MAX_KEY_SET_CHARACTERS:
        raise ClientKeysError(f"the JWK Set of a client has at most {MAX_KEY_SET_CHARACTERS} characters")
    parsed = tuple(_parse_key(key) for key in keys)
    kids = [key.kid for key in parsed if key.kid is not None]
    if len(set(kids)) != len(kids):
        raise ClientKeysError("each key of a client has a kid of its own")
    return parsed


def find_key(keys: tuple[ClientKey, ...], kid: str | None, algorithm: str) -> ClientKey | None:
    """Return the key that a JWS header names, or None. Without `kid`, exactly one key must fit the algorithm."""
    fitting = [key for key in keys if algorithm in key.algorithms and kid in (None, key.kid)]
    return fitting[0] if len(fitting) == 1 else None


def _parse_key(jwk: Mapping[str, Any]) -> ClientKey:
    if PRIVATE_MEMBERS & jwk.keys() or jwk.get("kty") == "oct":
        raise ClientKeysError("the JWK Set contains a private or secret key: replace that key, and send public keys")
    kid = jwk.get("kid")
    if kid is not None and not (isinstance(kid, str) and 0 < len(kid) <= _MAX_KID_CHARACTERS and kid.isprintable()):
        raise ClientKeysError(f"a kid has 1 to {_MAX_KID_CHARACTERS} printable characters")
    certificate = _parse_certificate(jwk["x5c"]) if "x5c" in jwk else None
    for kind, members, algorithms in _KINDS:
        if all(jwk.get(name) == value for name, value in kind.items()):
            _check_size({name: _octets(jwk, name) for name in members})
            key = {**kind, **{name: jwk[name] for name in members}}
            return ClientKey(kid, _allowed(jwk, algorithms), key, certificate)
    return ClientKey(kid, frozenset(), {}, certificate)


def _allowed(jwk: Mapping[str, Any], algorithms: frozenset[str]) -> frozenset[str]:
    """Return the algorithms that the key itself admits by `use`, `key_ops` and `alg` (RFC 7517 sections 4.2 to 4.4)."""
    operations = jwk.get("key_ops", ["verify"])
    if jwk.get("use", "sig") != "sig" or not isinstance(operations, (list, tuple)) or "verify" not in operations:
        return frozenset()
    return algorithms if "alg" not in jwk else frozenset(it for it in algorithms if it == jwk["alg"])


def _check_size(numbers: Mapping[str, bytes]) -> None:
    if "n" not in numbers:
        if any(len(octets) != _COORDINATE_OCTETS for octets in numbers.values()):
            raise ClientKeysError(f"the coordinates of a key have {_COORDINATE_OCTETS} octets each")
        return
    modulus, exponent = int.from_bytes(numbers["n"]), int.from_bytes(numbers["e"])
    if modulus.bit_length() not in _RSA_BITS or exponent not in _RSA_EXPONENTS or modulus % 2 == 0:
        raise ClientKeysError(
            f"an RSA key has {_RSA_BITS.start} to {_RSA_BITS.stop - 1} bits, and an odd exponent of at least 65537"
        )


def _octets(jwk: Mapping[str, Any], name: str) -> bytes:
    """Return a member that is base64url without padding (RFC 7515 section 2)."""
    text = jwk.get(name)
    try:
        if not isinstance(text, str) or not text.isascii() or set("=+/") & set(text):
            raise ValueError
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise ClientKeysError(f"the member {name} of a key is missing, or not base64url") from None


def _parse_certificate(chain: object) -> bytes:
    """Return the DER of the first certificate of an `x5c` (RFC 7517 section 4.7)."""
    try:
        if not isinstance(chain, (list, tuple)) or not chain or not isinstance(chain[0], str):
            raise ValueError
        return base64.b64decode(chain[0], validate=True)
    except (binascii.Error, ValueError):
        raise ClientKeysError("an x5c is an array of certificates, each DER in base64 (RFC 7517 4.7)") from None
