"""RSA keys that are generated once in each process, because each takes as long as several tests."""

from typing import Final

from joserfc.jwk import Key

from jeton.crypto.algorithms import generate_key

# Databases that tests copy are created with the first keys, and tests then get the others.
OF_TEMPLATES: Final = 2
_BITS: Final = 2048


class RsaKeys:
    """Generates keys as `generate_key` does. The RSA keys are the same in each test, and different within one."""

    def __init__(self) -> None:
        self._generated: list[Key] = []
        self._next = OF_TEMPLATES

    def restart(self, at: int = OF_TEMPLATES) -> None:
        """Begin again at this key."""
        self._next = at

    def __call__(self, algorithm: str, rsa_bits: int | None) -> Key:
        if (algorithm, rsa_bits) != ("RS256", _BITS):
            return generate_key(algorithm, rsa_bits)
        place, self._next = self._next, self._next + 1
        while len(self._generated) <= place:
            self._generated.append(generate_key(algorithm, rsa_bits))
        return self._generated[place]


RSA_KEYS: Final = RsaKeys()
