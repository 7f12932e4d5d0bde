"""RSA keys that are generated once per process, because generating one takes as long as several tests."""

from typing import Final

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from joserfc.jwk import Key, RSAKey

from jeton.crypto.algorithms import generate_key

# Template databases are created with the first keys; tests get the following ones.
OF_TEMPLATES: Final = 2
_BITS: Final = 2048
_PRIVATE: Final = frozenset({"kty", "n", "e", "d", "p", "q", "dp", "dq", "qi"})


class RsaKeys:
    """A replacement for `generate_key`. The RSA keys are the same in each test, and different within a test."""

    def __init__(self) -> None:
        self._generated: list[Key] = []
        self._next = OF_TEMPLATES

    def restart(self, at: int = OF_TEMPLATES) -> None:
        """Continue with the key of this number."""
        self._next = at

    def __call__(self, algorithm: str, rsa_bits: int | None) -> Key:
        if (algorithm, rsa_bits) != ("RS256", _BITS):
            return generate_key(algorithm, rsa_bits)
        place, self._next = self._next, self._next + 1
        return self.at(place)

    def at(self, place: int) -> Key:
        """Return the key of this number."""
        while len(self._generated) <= place:
            self._generated.append(generate_key("RS256", _BITS))
        return self._generated[place]


RSA_KEYS: Final = RsaKeys()


def rsa_key(place: int, **members: str) -> RSAKey:
    """Return a signing key that is the same in each test, with these members of its JWK."""
    private = RSA_KEYS.at(place).as_dict(private=True)
    return RSAKey.import_key({**{name: it for name, it in private.items() if name in _PRIVATE}, **members})


def rsa_private_key(place: int) -> RSAPrivateKey:
    """Return the same key as an object of the library `cryptography`."""
    key = rsa_key(place).private_key
    assert key is not None
    return key
