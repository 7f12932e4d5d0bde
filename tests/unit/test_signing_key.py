"""Signing keys and what they sign (RFC 7515, 7517, 7518, 7638, 9068): kept sealed, deterministic, standard."""

import base64
import hashlib
import json
from dataclasses import replace

import jwt
import pytest

from jeton.crypto.master_key import MasterKeyError, MasterKeys
from jeton.crypto.sealed_keys import SealedKeys
from jeton.crypto.signed_jwt import Signer, VerifiedToken, Verifier, unverified_parts
from jeton.oauth.key_life import StoredKey

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
def test_the_header_holds_typ_alg_and_kid_and_nothing_else(sealed: StoredKey, token: str) -> None:
    assert json.loads(decoded(token.partition(".")[0])) == {"typ": "at+jwt", "alg": "RS256", "kid": sealed.kid}


def test_what_was_signed_is_verified(sealed: StoredKey, token: str) -> None:
    assert Verifier([json.loads(sealed.public_jwk)]).verify(token) == VerifiedToken(sealed.kid, CLAIMS)


@pytest.mark.requirement("G01")
def test_another_library_verifies_it_by_the_public_key(sealed: StoredKey, token: str) -> None:
    key = jwt.PyJWK.from_json(sealed.public_jwk)

    assert jwt.decode(token, key, algorithms=["RS256"], options={"verify_exp": False}) == CLAIMS


def test_signing_again_gives_the_same_bytes(signer: Signer, token: str) -> None:
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


@pytest.mark.requirement("E06")
def test_the_kid_is_the_thumbprint(sealed: StoredKey) -> None:
    public = json.loads(sealed.public_jwk)
    text = f'{{"e":"{public["e"]}","kty":"RSA","n":"{public["n"]}"}}'

    assert decoded(sealed.kid) == hashlib.sha256(text.encode()).digest()


def test_every_key_is_another_one(sealed: StoredKey, other: StoredKey) -> None:
    assert sealed.kid != other.kid


@pytest.mark.requirement("O14")
def test_the_private_part_is_encrypted(sealed: StoredKey) -> None:
    header, wrapped, iv, ciphertext, tag = sealed.private_part.split(".")

    assert json.loads(decoded(header))["alg"] == "A256GCMKW"
    assert json.loads(decoded(header))["enc"] == "A256GCM"
    assert all((wrapped, iv, ciphertext, tag))
    assert not any(b"RSA" in decoded(part) for part in (wrapped, iv, ciphertext, tag))


@pytest.mark.requirement("O14")
def test_an_older_master_key_still_opens_what_it_sealed(sealed: StoredKey) -> None:
    assert SealedKeys(MasterKeys([b"n" * 32, b"m" * 32])).open(sealed).kid == sealed.kid


@pytest.mark.requirement("O14")
def test_without_its_master_key_it_stays_closed(sealed: StoredKey) -> None:
    with pytest.raises(MasterKeyError, match=f"master key {MASTER_KEYS.newest} is needed"):
        SealedKeys(MasterKeys([b"n" * 32])).open(sealed)


@pytest.mark.requirement("O14")
@pytest.mark.parametrize("part", range(5), ids=["header", "wrapped key", "nonce", "ciphertext", "tag"])
def test_an_altered_private_part_stays_closed(sealed: StoredKey, part: int) -> None:
    parts = sealed.private_part.split(".")
    middle = len(parts[part]) // 2
    parts[part] = parts[part][:middle] + ("A" if parts[part][middle] != "A" else "B") + parts[part][middle + 1 :]

    with pytest.raises(MasterKeyError):
        SEALED_KEYS.open(replace(sealed, private_part=".".join(parts)))


@pytest.mark.requirement("O14")
def test_the_private_part_of_another_key_is_not_taken_for_this_one_s(sealed: StoredKey, other: StoredKey) -> None:
    with pytest.raises(MasterKeyError, match=sealed.kid):
        SEALED_KEYS.open(replace(sealed, private_part=other.private_part))


@pytest.mark.requirement("O18")
def test_a_private_part_never_shows_in_a_repr(sealed: StoredKey, signer: Signer) -> None:
    assert sealed.private_part[:20] not in repr(sealed)
    assert repr(signer) == f"Signer({sealed.kid})"


def test_people_may_look_into_a_token_that_is_not_verified(sealed: StoredKey, token: str) -> None:
    altered = token[:-10] + "A" * 10

    assert unverified_parts(altered) == ({"typ": "at+jwt", "alg": "RS256", "kid": sealed.kid}, CLAIMS)


@pytest.mark.parametrize("text", ["", "a", "a.b.c", "..", "jrt_" + "A" * 76, "W10.W10.", "é.é.é"])
def test_what_is_no_token_has_no_parts(text: str) -> None:
    assert unverified_parts(text) is None
