"""Private keys in an HSM (PKCS#11): made there, they sign there, and never leave it."""

import base64
import hashlib
import json
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from joserfc.jwk import import_key
from joserfc.util import urlsafe_b64decode
from pkcs11 import Attribute, KeyType, Mechanism, MechanismFlag, PrivateKey, PublicKey, Session, SignMixin
from pkcs11.util.ec import encode_named_curve_parameters

from jeton.crypto.algorithms import is_signature, public_jwk
from jeton.crypto.key_stores import KeyStoreError
from jeton.crypto.pkcs11_token import LoggedIn, Pkcs11Token
from jeton.rules.key_lifecycle import StoredKey

_PRIVATE: Final = {Attribute.SENSITIVE: True, Attribute.EXTRACTABLE: False}
# The public key is stored with the others': the token keeps no object of it.
_PUBLIC: Final = {Attribute.TOKEN: False}
_P256: Final = encode_named_curve_parameters("secp256r1")
_ED25519: Final = bytes.fromhex("06032b6570")
_PROBE: Final = b"jeton: is this the key?"


@dataclass(frozen=True, slots=True)
class Pkcs11Key:
    """A private key on the token, found by its CKA_ID."""

    kid: str
    algorithm: str
    token: Pkcs11Token
    identity: bytes
    is_external: ClassVar[bool] = True

    def sign(self, signing_input: bytes) -> bytes:
        """Takes as long as the token takes. KeyStoreError where it is away, also after a second try."""
        return self.token.use(lambda logged_in: _sign(logged_in.find(self.identity), self.algorithm, signing_input))


class Pkcs11Keys:
    """The key store on a token; several servers may share it."""

    name: Final = "pkcs11"

    def __init__(self, token: Pkcs11Token) -> None:
        self._token = token

    def create(self, algorithm: str, rsa_bits: int | None) -> StoredKey:
        """A new key that cannot be exported. It is labelled with its kid, and that is its CKA_ID too."""

        def generate(logged_in: LoggedIn) -> StoredKey:
            public, private = _generate(logged_in.session, algorithm, rsa_bits)
            if private[Attribute.EXTRACTABLE] or not private[Attribute.SENSITIVE]:
                private.destroy()
                raise KeyStoreError("the PKCS#11 token makes private keys that can be exported: it must not be used")
            key = import_key(_members(public, algorithm))
            public.destroy()
            kid = key.thumbprint()
            private[Attribute.ID], private[Attribute.LABEL] = _identity_of(kid), f"jeton {kid}"
            return StoredKey(kid, algorithm, public_jwk(key, algorithm), self.name, _identity_of(kid).hex())

        return self._token.use(generate)

    def open(self, stored: StoredKey) -> Pkcs11Key:
        """The key; KeyStoreError where the token has none, or another than the one that is published."""
        key = Pkcs11Key(stored.kid, stored.algorithm, self._token, _identity_of(stored.kid))
        published = import_key(json.loads(stored.public_jwk))
        if published.thumbprint() != stored.kid or not is_signature(
            stored.algorithm, _PROBE, key.sign(_PROBE), published
        ):
            raise KeyStoreError(f"the PKCS#11 token holds another key in the place of {stored.kid}: revoke that key")
        return key

    def destroy(self, stored: StoredKey) -> None:
        """It is gone from the token for good, or was already."""
        self._token.use(lambda logged_in: logged_in.destroy(_identity_of(stored.kid)))


def _identity_of(kid: str) -> bytes:
    """The CKA_ID: the thumbprint itself."""
    return urlsafe_b64decode(kid.encode())


def _generate(session: Session, algorithm: str, rsa_bits: int | None) -> tuple[PublicKey, PrivateKey]:
    about: dict[str, Any] = {
        "store": True,
        "capabilities": MechanismFlag.SIGN | MechanismFlag.VERIFY,
        "public_template": _PUBLIC,
        "private_template": _PRIVATE,
    }
    match algorithm:
        case "RS256":
            return session.generate_keypair(KeyType.RSA, rsa_bits, **about)
        case "ES256":
            kind, curve, mechanism = KeyType.EC, _P256, Mechanism.EC_KEY_PAIR_GEN
        case "EdDSA":
            kind, curve, mechanism = KeyType.EC_EDWARDS, _ED25519, Mechanism.EC_EDWARDS_KEY_PAIR_GEN
        case _:
            raise KeyStoreError(f"a PKCS#11 token signs no tokens with {algorithm}: see keys.algorithm")
    parameters = session.create_domain_parameters(kind, {Attribute.EC_PARAMS: curve}, local=True)
    return parameters.generate_keypair(mechanism=mechanism, **about)


def _members(public: PublicKey, algorithm: str) -> dict[str, str | list[str]]:
    """The public key as a JWK (RFC 7518 section 6, RFC 8037 section 2)."""
    if algorithm == "RS256":
        modulus, exponent = public[Attribute.MODULUS], public[Attribute.PUBLIC_EXPONENT]
        return {"kty": "RSA", "n": _base64url(modulus.lstrip(b"\0")), "e": _base64url(exponent.lstrip(b"\0"))}
    # Some tokens wrap the point into an OCTET STRING, as they should, and some do not: its end is the same.
    point = public[Attribute.EC_POINT]
    if algorithm == "ES256":
        return {"kty": "EC", "crv": "P-256", "x": _base64url(point[-64:-32]), "y": _base64url(point[-32:])}
    return {"kty": "OKP", "crv": "Ed25519", "x": _base64url(point[-32:])}


def _sign(key: SignMixin, algorithm: str, signing_input: bytes) -> bytes:
    match algorithm:
        case "RS256":
            return key.sign(signing_input, mechanism=Mechanism.SHA256_RSA_PKCS)
        case "ES256":
            # Tokens give R || S, as JWS wants it (RFC 7518 section 3.4); not all of them hash.
            return key.sign(hashlib.sha256(signing_input).digest(), mechanism=Mechanism.ECDSA)
    return key.sign(signing_input, mechanism=Mechanism.EDDSA)


def _base64url(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()
