"""Signing keys and signed tokens (RFC 7515, 7517, 7518, 7638, 8037, 9068)."""

import base64
import hashlib
import json
import traceback
from dataclasses import replace

import jwt
import pytest

from jeton.crypto.master_key import MasterKeyError, MasterKeys
from jeton.crypto.sealed_keys import SealedKeys
from jeton.crypto.signed_jwt import Signer, VerifiedToken, Verifier, unverified_parts
from jeton.rules.key_lifecycle import StoredKey

MASTER_KEYS = MasterKeys([b"m" * 32])
SEALED_KEYS = SealedKeys(MASTER_KEYS)
CLAIMS = {"iss": "https://as.example", "sub": "u_1", "exp": 1_000_000, "scope": "read"}


@pytest.fixture(scope="module")
def sealed() -> StoredKey:
    return SEALED_KEYS.create("RS256", 2048)


@pytest.fixture(scope="module")
def other() -> StoredKey:
    return SEALED_KEYS.create("RS256", 2048)


@pytest.fixture(scope="module")
def signer(sealed: StoredKey) -> Signer:
    return Signer(SEALED_KEYS.open(sealed))


@pytest.fixture(scope="module")
def token(signer: Signer) -> str:
    return signer.sign(CLAIMS)


def decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


@pytest.mark.requirement("F13", "G01")
def test_header_has_only_typ_alg_and_kid(sealed: StoredKey, token: str) -> None:
    assert json.loads(decoded(token.partition(".")[0])) == {"typ": "at+jwt", "alg": "RS256", "kid": sealed.kid}


def test_signed_token_is_verified(sealed: StoredKey, token: str) -> None:
    assert Verifier([json.loads(sealed.public_jwk)]).verify(token) == VerifiedToken(sealed.kid, CLAIMS)


@pytest.mark.requirement("G01")
def test_other_library_verifies_the_token_with_the_public_key(sealed: StoredKey, token: str) -> None:
    key = jwt.PyJWK.from_json(sealed.public_jwk)

    assert jwt.decode(token, key, algorithms=["RS256"], options={"verify_exp": False}) == CLAIMS


def test_rsa_signature_is_deterministic(signer: Signer, token: str) -> None:
    assert signer.sign(dict(CLAIMS)) == token


@pytest.mark.requirement("E02", "E03", "E04", "E05")
@pytest.mark.parametrize("bits", [2048, 3072])
def test_the_public_part_is_public_and_complete(bits: int) -> None:
    key = SEALED_KEYS.create("RS256", bits)
    public = json.loads(key.public_jwk)

    assert public.keys() == {"kty", "n", "e", "kid", "use", "alg"}
    assert (public["kty"], public["use"], public["alg"], public["e"]) == ("RSA", "sig", "RS256", "AQAB")
    assert (public["kid"], key.algorithm) == (key.kid, "RS256")
    assert int.from_bytes(decoded(public["n"])).bit_length() == bits
    assert len(decoded(public["n"])) * 8 == bits
    assert "=" not in public["n"]


ALGORITHMS = [("RS256", 2048), ("ES256", None), ("EdDSA", None)]


@pytest.fixture(scope="module", params=ALGORITHMS, ids=[name for name, _ in ALGORITHMS])
def stored(request: pytest.FixtureRequest) -> StoredKey:
    """A key for each algorithm."""
    return SEALED_KEYS.create(*request.param)


@pytest.mark.requirement("E02", "E03", "F04")
def test_each_algorithm_has_its_own_public_members_and_no_private_one(stored: StoredKey) -> None:
    public = json.loads(stored.public_jwk)

    numbers = {"RS256": {"n", "e"}, "ES256": {"crv", "x", "y"}, "EdDSA": {"crv", "x"}}[stored.algorithm]
    assert public.keys() == {"kty", "kid", "use", "alg"} | numbers
    assert (public["alg"], public["kid"]) == (stored.algorithm, stored.kid)
    assert public.get("crv") == {"RS256": None, "ES256": "P-256", "EdDSA": "Ed25519"}[stored.algorithm]


@pytest.mark.requirement("G01")
def test_each_algorithm_verifies_here_and_with_another_library(stored: StoredKey) -> None:
    token = Signer(SEALED_KEYS.open(stored)).sign(CLAIMS)

    assert json.loads(decoded(token.partition(".")[0]))["alg"] == stored.algorithm
    assert Verifier([json.loads(stored.public_jwk)]).verify(token) == VerifiedToken(stored.kid, CLAIMS)
    key = jwt.PyJWK.from_json(stored.public_jwk)
    assert jwt.decode(token, key, algorithms=[stored.algorithm], options={"verify_exp": False}) == CLAIMS


@pytest.mark.requirement("A48", "F06")
def test_each_algorithm_rejects_a_changed_signature(stored: StoredKey) -> None:
    head, body, signature = Signer(SEALED_KEYS.open(stored)).sign(CLAIMS).split(".")
    octets = decoded(signature)
    verifier = Verifier([json.loads(stored.public_jwk)])

    for changed in (bytes([octets[0] ^ 1, *octets[1:]]), octets[:-1], octets + b"\0", b"\0" * len(octets), b""):
        text = base64.urlsafe_b64encode(changed).rstrip(b"=").decode()
        assert verifier.verify(f"{head}.{body}.{text}") is None


@pytest.mark.requirement("F04")
@pytest.mark.parametrize("claimed", ["RS256", "ES256", "EdDSA", "Ed25519", "none"])
def test_the_token_does_not_choose_the_algorithm(stored: StoredKey, claimed: str) -> None:
    private = SEALED_KEYS.open(stored)
    header = {"typ": "at+jwt", "alg": claimed, "kid": stored.kid}
    spelled = [json.dumps(it, separators=(",", ":")).encode() for it in (header, CLAIMS)]
    signed = b".".join(base64.urlsafe_b64encode(it).rstrip(b"=") for it in spelled)
    token = b".".join([signed, base64.urlsafe_b64encode(private.sign(signed)).rstrip(b"=")]).decode()

    verified = Verifier([json.loads(stored.public_jwk)]).verify(token)

    assert (verified is not None) is (claimed == stored.algorithm)


def test_ecdsa_signature_has_the_jws_length() -> None:
    key = SEALED_KEYS.open(SEALED_KEYS.create("ES256", None))

    assert {len(key.sign(b"%d" % number)) for number in range(50)} == {64}


def test_token_of_another_typ_is_not_an_access_token(stored: StoredKey) -> None:
    token = Signer(SEALED_KEYS.open(stored)).sign(CLAIMS, "statuslist+jwt")

    assert json.loads(decoded(token.partition(".")[0]))["typ"] == "statuslist+jwt"
    assert Verifier([json.loads(stored.public_jwk)]).verify(token) is None


@pytest.mark.parametrize(("algorithm", "rsa_bits"), [("RS512", 2048), ("HS256", None), ("none", None), ("ES256", 2048)])
def test_unsupported_algorithm_or_size_is_rejected(algorithm: str, rsa_bits: int | None) -> None:
    with pytest.raises(ValueError, match=f"no key can be generated for {algorithm}"):
        SEALED_KEYS.create(algorithm, rsa_bits)


@pytest.mark.requirement("E06")
def test_the_kid_is_the_thumbprint(sealed: StoredKey) -> None:
    public = json.loads(sealed.public_jwk)
    text = f'{{"e":"{public["e"]}","kty":"RSA","n":"{public["n"]}"}}'

    assert decoded(sealed.kid) == hashlib.sha256(text.encode()).digest()


def test_generated_keys_differ(sealed: StoredKey, other: StoredKey) -> None:
    assert sealed.kid != other.kid


@pytest.mark.requirement("O14")
def test_the_private_part_is_encrypted(sealed: StoredKey) -> None:
    header, wrapped, iv, ciphertext, tag = sealed.private_part.split(".")

    assert json.loads(decoded(header))["alg"] == "A256GCMKW"
    assert json.loads(decoded(header))["enc"] == "A256GCM"
    assert all((wrapped, iv, ciphertext, tag))
    assert not any(b"RSA" in decoded(part) for part in (wrapped, iv, ciphertext, tag))


@pytest.mark.requirement("O14")
def test_older_master_key_still_decrypts_its_keys(sealed: StoredKey) -> None:
    assert SealedKeys(MasterKeys([b"n" * 32, b"m" * 32])).open(sealed).kid == sealed.kid


@pytest.mark.requirement("O14")
def test_missing_master_key_cannot_decrypt(sealed: StoredKey) -> None:
    with pytest.raises(MasterKeyError, match=f"master key {MASTER_KEYS.newest} is needed"):
        SealedKeys(MasterKeys([b"n" * 32])).open(sealed)


@pytest.mark.requirement("O14")
@pytest.mark.parametrize("part", range(5), ids=["header", "wrapped key", "nonce", "ciphertext", "tag"])
def test_altered_private_part_cannot_be_decrypted(sealed: StoredKey, part: int) -> None:
    parts = sealed.private_part.split(".")
    middle = len(parts[part]) // 2
    parts[part] = parts[part][:middle] + ("A" if parts[part][middle] != "A" else "B") + parts[part][middle + 1 :]

    with pytest.raises(MasterKeyError):
        SEALED_KEYS.open(replace(sealed, private_part=".".join(parts)))


@pytest.mark.requirement("O14")
def test_private_part_of_another_key_is_rejected(sealed: StoredKey, other: StoredKey) -> None:
    with pytest.raises(MasterKeyError, match=sealed.kid):
        SEALED_KEYS.open(replace(sealed, private_part=other.private_part))


@pytest.mark.parametrize("changed", [{"kty": None}, {"d": None}, {"n": None}, {"q": "AQ"}, {"d": "*"}], ids=str)
def test_incomplete_private_key_is_rejected(sealed: StoredKey, changed: dict[str, str | None]) -> None:
    """Whether its factors are prime is not asked: nobody but us can have sealed it."""
    private = json.loads(SEALED_KEYS._unseal(sealed)) | changed
    whole = {name: member for name, member in private.items() if member is not None}
    reseal = replace(sealed, private_part=SEALED_KEYS._seal(json.dumps(whole).encode()))

    with pytest.raises(MasterKeyError):
        SEALED_KEYS.open(reseal)


@pytest.mark.requirement("O14")
def test_reseal_uses_the_newest_master_key(stored: StoredKey) -> None:
    newer = MasterKeys([b"n" * 32])
    both = SealedKeys(MasterKeys([b"n" * 32, b"m" * 32]))

    reseal = replace(stored, private_part=both.reseal(stored))

    assert SealedKeys(newer).open(reseal).kid == stored.kid
    with pytest.raises(MasterKeyError):
        SEALED_KEYS.open(reseal)


@pytest.mark.requirement("O18")
def test_repr_and_traceback_never_contain_the_private_key(stored: StoredKey) -> None:
    local = SEALED_KEYS.open(stored)
    private = [str(value) for name, value in local.key.as_dict(private=True).items() if name in ("d", "p", "q", "dp")]
    broken = replace(stored, kid="another")

    with pytest.raises(MasterKeyError) as refused:
        SEALED_KEYS.open(broken)

    shown = [repr(stored), repr(local), repr(Signer(local)), *traceback.format_exception(refused.value)]
    assert private
    assert not any(secret in text for text in shown for secret in [*private, stored.private_part])


def test_unverified_token_can_be_decoded_for_display(sealed: StoredKey, token: str) -> None:
    altered = token[:-10] + "A" * 10

    assert unverified_parts(altered) == ({"typ": "at+jwt", "alg": "RS256", "kid": sealed.kid}, CLAIMS)


@pytest.mark.parametrize("text", ["", "a", "a.b.c", "..", "jrt_" + "A" * 76, "W10.W10.", "é.é.é"])
def test_text_that_is_not_a_jwt_has_no_parts(text: str) -> None:
    assert unverified_parts(text) is None
