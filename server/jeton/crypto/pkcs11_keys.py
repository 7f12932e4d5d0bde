"""Key store in an HSM (PKCS#11): private keys are generated there, sign there, and cannot be exported."""

import hashlib
import json
from typing import Any, ClassVar, Final

from joserfc.jwk import import_key
from joserfc.util import urlsafe_b64decode
from pkcs11 import Attribute, KeyType, Mechanism, MechanismFlag, PrivateKey, PublicKey, Session, SignMixin
from pkcs11.util.ec import encode_named_curve_parameters

from jeton.crypto.algorithms import public_jwk, verify
from jeton.crypto.base64url import base64url
from jeton.crypto.key_stores import KeyStoreError
from jeton.crypto.pkcs11_token import LoggedIn, Pkcs11Token
from jeton.frozen import Frozen
from jeton.rules.key_lifecycle import StoredKey

_PRIVATE: Final = {Attribute.SENSITIVE: True, Attribute.EXTRACTABLE: False}
# Public keys are stored in the database: the token keeps no public key object.
_PUBLIC: Final = {Attribute.TOKEN: False}
_P256: Final = encode_named_curve_parameters("secp256r1")
_ED25519: Final = bytes.fromhex("06032b6570")
_PROBE: Final = b"jeton: is this the key?"


class Pkcs11Key(Frozen):
    """A private key on the token, found by its CKA_ID."""

    kid: str
    algorithm: str
    token: Pkcs11Token
    identity: bytes
    is_external: ClassVar[bool] = True

    def sign(self, signing_input: bytes) -> bytes:
        """Return the JWS signature. Blocks. Raise KeyStoreError if the token fails twice."""
        return self.token.use(lambda logged_in: _sign(logged_in.find(self.identity), self.algorithm, signing_input))


class Pkcs11Keys:
    """The key store on a token. Several servers may share it."""

    name: Final = "pkcs11"

    def __init__(self, token: Pkcs11Token) -> None:
        self._token = token

    def create(self, algorithm: str, rsa_bits: int | None) -> StoredKey:
        """Generate a key that cannot be exported. Its label and its CKA_ID are its `kid`."""

        def generate(logged_in: LoggedIn) -> StoredKey:
            public, private = _generate(logged_in.session, algorithm, rsa_bits)
            if private[Attribute.EXTRACTABLE] or not private[Attribute.SENSITIVE]:
                private.destroy()
                raise KeyStoreError(
                    "the PKCS#11 token generates private keys that can be exported: it must not be used"
                )
            key = import_key(_members(public, algorithm))
            public.destroy()
            kid = key.thumbprint()
            private[Attribute.ID], private[Attribute.LABEL] = _identity_of(kid), f"jeton {kid}"
            return StoredKey(kid, algorithm, public_jwk(key, algorithm), self.name, _identity_of(kid).hex())

        return self._token.use(generate)

    def check(self) -> None:
        """Log in to the token. Raise KeyStoreError if that fails."""
        self._token.use(lambda _: None)

    def open(self, stored: StoredKey) -> Pkcs11Key:
        """Open the key. Raise KeyStoreError if the token has no such key, or another one than is published."""
        key = Pkcs11Key(stored.kid, stored.algorithm, self._token, _identity_of(stored.kid))
        published = import_key(json.loads(stored.public_jwk))
        if published.thumbprint() != stored.kid or not verify(stored.algorithm, _PROBE, key.sign(_PROBE), published):
            raise KeyStoreError(f"the PKCS#11 token has another private key under the id {stored.kid}: revoke that key")
        return key

    def destroy(self, stored: StoredKey) -> None:
        """Delete the key from the token, if it is there."""
        self._token.use(lambda logged_in: logged_in.destroy(_identity_of(stored.kid)))


def _identity_of(kid: str) -> bytes:
    """Return the CKA_ID: the thumbprint as bytes."""
    return urlsafe_b64decode(kid.encode())


def _generate(session: Session, algorithm: str, rsa_bits: int | None) -> tuple[PublicKey, PrivateKey]:
    options: dict[str, Any] = {
        "store": True,
        "capabilities": MechanismFlag.SIGN | MechanismFlag.VERIFY,
        "public_template": _PUBLIC,
        "private_template": _PRIVATE,
    }
    match algorithm:
        case "RS256":
            return session.generate_keypair(KeyType.RSA, rsa_bits, **options)
        case "ES256":
            kind, curve, mechanism = KeyType.EC, _P256, Mechanism.EC_KEY_PAIR_GEN
        case "EdDSA":
            kind, curve, mechanism = KeyType.EC_EDWARDS, _ED25519, Mechanism.EC_EDWARDS_KEY_PAIR_GEN
        case _:
            raise KeyStoreError(f"keys in a PKCS#11 token do not support {algorithm}: see keys.algorithm")
    parameters = session.create_domain_parameters(kind, {Attribute.EC_PARAMS: curve}, local=True)
    return parameters.generate_keypair(mechanism=mechanism, **options)


def _members(public: PublicKey, algorithm: str) -> dict[str, str | list[str]]:
    """Return the public key as a JWK (RFC 7518 section 6, RFC 8037 section 2)."""
    if algorithm == "RS256":
        modulus, exponent = public[Attribute.MODULUS], public[Attribute.PUBLIC_EXPONENT]
        return {"kty": "RSA", "n": base64url(modulus.lstrip(b"\0")), "e": base64url(exponent.lstrip(b"\0"))}
    # Some tokens wrap the point in an OCTET STRING, as specified, and some do not: the last bytes are the same.
    point = public[Attribute.EC_POINT]
    if algorithm == "ES256":
        return {"kty": "EC", "crv": "P-256", "x": base64url(point[-64:-32]), "y": base64url(point[-32:])}
    return {"kty": "OKP", "crv": "Ed25519", "x": base64url(point[-32:])}


def _sign(key: SignMixin, algorithm: str, signing_input: bytes) -> bytes:
    match algorithm:
        case "RS256":
            return key.sign(signing_input, mechanism=Mechanism.SHA256_RSA_PKCS)
        case "ES256":
            # Tokens return R || S, the format of JWS (RFC 7518 section 3.4). Not all tokens can hash, so hash here.
            return key.sign(hashlib.sha256(signing_input).digest(), mechanism=Mechanism.ECDSA)
    return key.sign(signing_input, mechanism=Mechanism.EDDSA)
