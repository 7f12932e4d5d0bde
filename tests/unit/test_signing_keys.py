"""Signing keys and signed tokens (RFC 7515, 7517, 7518, 7638, 8037, 9068), and the stores that open keys."""

import base64
import hashlib
import json
import traceback
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import jwt
import pytest

from jeton.crypto.key_stores import KeyStoreError, KeyStores, PrivateKey
from jeton.crypto.master_key import MasterKeyError, MasterKeys
from jeton.crypto.sealed_keys import SealedKeys
from jeton.crypto.signed_jwt import Signer, VerifiedToken, Verifier, unverified_parts
from jeton.frozen import replace
from jeton.rules.key_lifecycle import StoredKey
from support.base64url import base64url

OLD, NEW = MasterKeys([b"m" * 32]), MasterKeys([b"n" * 32])
BOTH = MasterKeys([b"n" * 32, b"m" * 32])
SEALED_KEYS = SealedKeys(OLD)
CLAIMS = {"iss": "https://as.example", "sub": "u_1", "exp": 1_000_000, "scope": "read"}
# The members of each public key that its thumbprint covers (RFC 7638 section 3.2).
NUMBERS = {"RS256": ["e", "kty", "n"], "ES256": ["crv", "kty", "x", "y"], "EdDSA": ["crv", "kty", "x"]}
ALGORITHMS = [("RS256", 2048), ("RS256", 3072), ("ES256", None), ("EdDSA", None)]


@pytest.fixture(scope="module", params=ALGORITHMS, ids=lambda it: f"{it[0]} {it[1] or ''}")
def stored(request: pytest.FixtureRequest) -> StoredKey:
    """A key of each algorithm."""
    return SEALED_KEYS.create(*request.param)


@pytest.fixture(scope="module")
def sealed() -> StoredKey:
    return SEALED_KEYS.create("ES256", None)


def decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def public(stored: StoredKey) -> dict[str, Any]:
    return dict(json.loads(stored.public_jwk))


@pytest.mark.requirement("F13", "G01")
def test_token_is_verified_here_and_by_another_library(stored: StoredKey) -> None:
    token = Signer(SEALED_KEYS.open(stored)).sign(CLAIMS)

    header = {"typ": "at+jwt", "alg": stored.algorithm, "kid": stored.kid}
    assert json.loads(decoded(token.partition(".")[0])) == header
    assert Verifier([public(stored)]).verify(token) == VerifiedToken(stored.kid, CLAIMS)
    key = jwt.PyJWK.from_json(stored.public_jwk)
    assert jwt.decode(token, key, algorithms=[stored.algorithm], options={"verify_exp": False}) == CLAIMS
    assert unverified_parts(token[:-10] + "A" * 10) == (header, CLAIMS)


@pytest.mark.requirement("A48", "F04", "F06")
def test_changed_signature_other_type_and_other_algorithm_are_rejected(stored: StoredKey) -> None:
    private, verifier = SEALED_KEYS.open(stored), Verifier([public(stored)])
    head, body, signature = Signer(private).sign(CLAIMS).split(".")
    octets = decoded(signature)

    for changed in (bytes([octets[0] ^ 1, *octets[1:]]), octets[:-1], octets + b"\0", b"\0" * len(octets), b""):
        assert verifier.verify(f"{head}.{body}.{base64url(changed)}") is None
    assert verifier.verify(Signer(private).sign(CLAIMS, "statuslist+jwt")) is None
    for claimed in ("RS256", "ES256", "EdDSA", "Ed25519", "none"):
        header = json.dumps({"typ": "at+jwt", "alg": claimed, "kid": stored.kid}, separators=(",", ":"))
        signed = f"{base64url(header.encode())}.{body}"
        token = f"{signed}.{base64url(private.sign(signed.encode()))}"
        assert (verifier.verify(token) is not None) is (claimed == stored.algorithm)


@pytest.mark.requirement("E02", "E03", "E04", "E05", "E06", "F04")
def test_public_key_has_its_members_and_no_private_one_and_its_thumbprint_as_kid(stored: StoredKey) -> None:
    jwk, numbers = public(stored), NUMBERS[stored.algorithm]

    assert jwk.keys() == {"kid", "use", "alg", *numbers}
    assert (jwk["alg"], jwk["use"], jwk["kid"]) == (stored.algorithm, "sig", stored.kid)
    assert jwk.get("crv") == {"RS256": None, "ES256": "P-256", "EdDSA": "Ed25519"}[stored.algorithm]
    assert jwk.get("e") == ("AQAB" if stored.algorithm == "RS256" else None)
    if bits := stored.key_type.rsa_bits:
        assert int.from_bytes(decoded(jwk["n"])).bit_length() == len(decoded(jwk["n"])) * 8 == bits
        assert "=" not in jwk["n"]
    text = json.dumps({name: jwk[name] for name in numbers}, separators=(",", ":"))
    assert decoded(stored.kid) == hashlib.sha256(text.encode()).digest()


def test_generated_keys_differ_and_signatures_have_the_jws_form(sealed: StoredKey) -> None:
    signer = Signer(SEALED_KEYS.open(SEALED_KEYS.create("RS256", 2048)))

    assert SEALED_KEYS.create("ES256", None).kid != sealed.kid
    assert {len(SEALED_KEYS.open(sealed).sign(b"%d" % number)) for number in range(50)} == {64}
    assert signer.sign(CLAIMS) == signer.sign(dict(CLAIMS))


@pytest.mark.parametrize(("algorithm", "rsa_bits"), [("RS512", 2048), ("HS256", None), ("none", None), ("ES256", 2048)])
def test_unsupported_algorithm_or_size_is_rejected(algorithm: str, rsa_bits: int | None) -> None:
    with pytest.raises(ValueError, match=f"no key can be generated for {algorithm}"):
        SEALED_KEYS.create(algorithm, rsa_bits)


@pytest.mark.requirement("O14", "O18")
def test_private_part_is_encrypted_and_never_shown(stored: StoredKey) -> None:
    header, *parts = stored.private_part.split(".")
    local = SEALED_KEYS.open(stored)
    private = [str(value) for name, value in local.key.as_dict(private=True).items() if name in ("d", "p", "q", "dp")]
    with pytest.raises(MasterKeyError) as refused:
        SEALED_KEYS.open(replace(stored, kid="another"))

    assert {"alg": "A256GCMKW", "enc": "A256GCM"}.items() <= json.loads(decoded(header)).items()
    assert len(parts) == 4
    assert all(parts)
    shown = [repr(stored), repr(local), repr(Signer(local)), *traceback.format_exception(refused.value)]
    assert private
    assert not any(secret in text for text in [*shown, *map(str, map(decoded, parts))] for secret in private)
    assert not any(stored.private_part in text for text in shown)


@pytest.mark.requirement("O14")
def test_private_part_is_opened_by_any_configured_master_key_and_resealed_with_the_newest(stored: StoredKey) -> None:
    resealed = replace(stored, private_part=SealedKeys(BOTH).reseal(stored))

    assert SealedKeys(BOTH).open(stored).kid == SealedKeys(NEW).open(resealed).kid == stored.kid
    with pytest.raises(MasterKeyError, match=f"master key {OLD.newest} is needed"):
        SealedKeys(NEW).open(stored)
    with pytest.raises(MasterKeyError, match=f"master key {NEW.newest} is needed"):
        SEALED_KEYS.open(resealed)


@pytest.mark.requirement("O14")
@pytest.mark.parametrize("part", range(5), ids=["header", "wrapped key", "nonce", "ciphertext", "tag"])
def test_altered_private_part_or_one_of_another_key_is_rejected(sealed: StoredKey, part: int) -> None:
    parts = sealed.private_part.split(".")
    middle = len(parts[part]) // 2
    parts[part] = parts[part][:middle] + ("A" if parts[part][middle] != "A" else "B") + parts[part][middle + 1 :]

    for private_part in (".".join(parts), SEALED_KEYS.create("ES256", None).private_part):
        with pytest.raises(MasterKeyError):
            SEALED_KEYS.open(replace(sealed, private_part=private_part))


@pytest.mark.parametrize("changed", [{"kty": None}, {"d": None}, {"n": None}, {"q": "AQ"}, {"d": "*"}], ids=str)
def test_incomplete_private_key_is_rejected(changed: dict[str, str | None]) -> None:
    """Whether its factors are prime is not checked, because only a holder of the master key can have sealed it."""
    rsa = SEALED_KEYS.create("RS256", 2048)
    private = json.loads(SEALED_KEYS._unseal(rsa)) | changed
    whole = {name: member for name, member in private.items() if member is not None}

    with pytest.raises(MasterKeyError):
        SEALED_KEYS.open(replace(rsa, private_part=SEALED_KEYS._seal(json.dumps(whole).encode())))


@pytest.mark.parametrize(
    "text", ["", "a", "a.b.c", "..", "jrt_" + "A" * 76, "W10.W10.", "eyJhbGciOiJub25lIn0.W10.", "é.é.é"]
)
def test_text_that_is_not_a_jwt_has_no_parts(text: str) -> None:
    assert unverified_parts(text) is None


@dataclass
class Store:
    """A key store with numbered keys, which records its calls."""

    name: str
    opened: list[str] = field(default_factory=list)
    created: int = 0
    destroyed: list[str] = field(default_factory=list)

    def create(self, algorithm: str, rsa_bits: int | None) -> StoredKey:
        self.created += 1
        return StoredKey(f"{self.name}-{self.created}", algorithm, "{}", self.name, "a reference")

    def check(self) -> None:
        """Do nothing."""

    def open(self, stored: StoredKey) -> PrivateKey:
        self.opened.append(stored.kid)
        key: Any = SimpleNamespace(kid=stored.kid)
        return key  # type: ignore[no-any-return]

    def destroy(self, stored: StoredKey) -> None:
        self.destroyed.append(stored.kid)


def test_new_key_is_created_in_the_default_store_and_each_is_opened_and_destroyed_by_its_own() -> None:
    one, two = Store("one"), Store("two")
    stores, (key, other) = KeyStores(one, two), [two.create("ES256", None) for _ in range(2)]

    assert stores.create("ES256", None).store == stores.default_store == "one"
    opened = stores.open(key)
    assert opened.kid == "two-1"
    assert stores.open(key) is opened
    stores.open(other)
    # A closed key is opened again on demand.
    stores.close_all_except({"two-2"})
    for it in (key, other):
        stores.open(it)
    stores.destroy(key)
    assert (one.opened, one.destroyed, two.destroyed) == ([], [], ["two-1"])
    assert two.opened == ["two-1", "two-2", "two-1"]


def test_key_of_a_store_that_is_not_configured_can_be_deleted_but_not_opened() -> None:
    store, of_other = Store("one"), Store("two").create("ES256", None)

    KeyStores(store).destroy(of_other)
    with pytest.raises(KeyStoreError, match="two-1 is in the key store 'two', which is not configured"):
        KeyStores(store).open(of_other)
    assert (store.opened, store.destroyed) == ([], [])
