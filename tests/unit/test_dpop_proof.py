"""Signature and key of DPoP proofs (RFC 9449 section 4.2), and nonces (section 8)."""

import json
from typing import Any

import pytest
from joserfc.jwk import ECKey, OctKey

from jeton.crypto.dpop_nonces import DpopNonces
from jeton.crypto.dpop_proof import MAX_PROOF_CHARACTERS, DpopProofError, ath_of, verify_proof
from jeton.crypto.master_key import generate_master_key, parse_master_keys
from jeton.crypto.single_use_digest import single_use_digest
from support.base64url import base64url
from support.dpop import DpopKey
from support.rsa_keys import rsa_key
from support.tables import rows

KEY = DpopKey()
NOW = 1_800_000_000


def rejection(proof: str) -> str:
    with pytest.raises(DpopProofError) as refused:
        verify_proof(proof)
    return str(refused.value)


@pytest.mark.requirement("DP02", "DP18", "L10")
@pytest.mark.parametrize(
    "key", [KEY, DpopKey.ed25519(), DpopKey(None, "Ed25519", DpopKey.ed25519().key)], ids=lambda it: it.algorithm
)
def test_a_proof_is_verified_by_the_key_in_it_of_which_additional_members_count_for_nothing(key: DpopKey) -> None:
    jwk = {**key.public_jwk(), "kid": "a name", "use": "sig", "x5u": "https://attacker.example"}
    for header in ({}, {"jwk": jwk}):
        proof = verify_proof(key.proof(header=header, jti="x"))

        assert (proof.jkt, proof.claims["jti"]) == (key.jkt, "x")


@pytest.mark.requirement("DP02", "DP11", "L10")
def test_the_examples_of_the_standard() -> None:
    """RFC 9449 sections 4.1 and 7.1."""
    example = (
        "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa"
        "0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlA"
        "tMjU2In19.eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIjoiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29t"
        "L3Rva2VuIiwiaWF0IjoxNTYyMjYyNjE2fQ.2-GxA6T8lP4vfrg8v-FdWP0A0zdrj8igiMLvqRMUvwnQg4PtFLbdLXiOSsX0x7NVY-FNyJK"
        "70nfbV37xRZT3Lg"
    )

    assert verify_proof(example).jkt == "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"
    token = "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU"
    assert ath_of(token) == "fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo"


JWK = KEY.public_jwk()
HEADERS: dict[str, list[dict[str, Any]]] = {
    "proof_of_other_type": [{"typ": it} for it in (None, "JWT", "at+jwt", ["dpop+jwt"])],
    "proof_algorithm_not_allowed": [
        *({"alg": it} for it in (None, "none", "HS256", "RS256", ["ES256"])),
        {"alg": "HS256", "jwk": OctKey.generate_key().as_dict(private=True)},
    ],
    "proof_has_critical_extension": [{"crit": ["exp"], "exp": 1}, {"crit": []}],
    "proof_key_missing_or_private": [{"jwk": it} for it in (None, "key", {**JWK, "d": "AA"}, {**JWK, "k": "AA"})],
    "proof_key_of_other_type": [
        *({"alg": "EdDSA"}, {"jwk": {"kty": "oct", "crv": "P-256"}}),
        *({"jwk": it.as_dict(private=False)} for it in (ECKey.generate_key("P-384"), rsa_key(0))),
    ],
    "proof_key_malformed": [{"jwk": {**JWK, "x": it}} for it in (None, JWK["x"] + "=", "A" * 42)],
    "proof_signature_wrong": [{"jwk": {**JWK, "x": "A" * 43}}, {"jwk": DpopKey().public_jwk()}],
}


@pytest.mark.requirement("DP02", "L10")
@pytest.mark.parametrize(("reason", "header"), rows(HEADERS))
def test_each_member_of_the_header_is_checked(reason: str, header: dict[str, Any]) -> None:
    assert rejection(KEY.proof(header=header)) == reason


def _segments(proof: str, **replaced: bytes) -> str:
    parts = dict(zip(("header", "claims", "signature"), proof.split("."), strict=True))
    encoded = {name: base64url(it) for name, it in replaced.items()}
    return ".".join((parts | encoded).values())


PROOF = KEY.proof()
MALFORMED = [
    *("", "garbage", "a.b", "a.b.c.d", f"{PROOF}, {PROOF}", f" {PROOF}", PROOF + "=", PROOF + "\n"),
    KEY.proof(filler="x" * MAX_PROOF_CHARACTERS),
    *(_segments(PROOF, header=it) for it in (b"[]", b"[" * 2000, b"\xff")),
    _segments(PROOF, claims=b'"jti"'),
]
WRONGLY_SIGNED = [
    _segments(PROOF, claims=json.dumps({"jti": "y"}).encode()),
    *(_segments(PROOF, signature=it) for it in (b"x" * 64, b"x", bytes(64))),
]


@pytest.mark.requirement("DP01", "DP02", "DP20", "L11")
def test_text_that_is_not_one_signed_jwt_is_refused() -> None:
    assert {it: rejection(it) for it in MALFORMED} == dict.fromkeys(MALFORMED, "proof_malformed")
    assert {it: rejection(it) for it in WRONGLY_SIGNED} == dict.fromkeys(WRONGLY_SIGNED, "proof_signature_wrong")


OLD, NEW = generate_master_key(), generate_master_key()


def nonces(*keys: str, resource: bool = False) -> DpopNonces:
    return DpopNonces(parse_master_keys(" ".join(keys)), "resource server" if resource else "authorization server")


@pytest.mark.requirement("DP12", "DP13", "L15")
def test_a_nonce_is_accepted_for_two_periods() -> None:
    start = NOW // 60 * 60
    nonce = nonces(OLD).current(start + 59)

    ends = [nonces(OLD).expires_at(nonce, start + seconds) for seconds in (-61, -60, 0, 59, 60, 119, 120)]
    assert ends == [None, *[start + 120] * 5, None]
    assert nonces(OLD).current(start + 60) != nonce


@pytest.mark.requirement("DP13", "DP14", "L15")
@pytest.mark.parametrize("nonce", ["", "x" * 32, "A" * 32, "x" * 31, "x" * 33, "\u00e9" * 32])
def test_a_nonce_that_was_not_made_here_or_for_the_other_role_is_refused(nonce: str) -> None:
    genuine = nonces(OLD).current(NOW)
    changed = genuine[:-1] + ("A" if genuine[-1] != "A" else "B")

    assert len(genuine) == 32
    for other in (nonce, changed, nonces(NEW).current(NOW), nonces(OLD, resource=True).current(NOW)):
        assert nonces(OLD).expires_at(other, NOW) is None
    assert nonces(OLD, resource=True).expires_at(genuine, NOW) is None


@pytest.mark.requirement("DP13")
@pytest.mark.parametrize(
    ("issuing", "accepting"),
    [((OLD,), (NEW, OLD)), ((NEW, OLD), (OLD,)), ((NEW, OLD), (NEW, OLD)), ((NEW,), (NEW, OLD))],
)
def test_nodes_agree_while_a_master_key_is_added_or_removed(
    issuing: tuple[str, ...], accepting: tuple[str, ...]
) -> None:
    assert nonces(*accepting).expires_at(nonces(*issuing).current(NOW), NOW) is not None


@pytest.mark.requirement("DP05")
def test_different_uses_have_different_digests() -> None:
    different = [("a", "b", "c"), ("a", "bc", ""), ("ab", "c"), ("a", "b", "d"), ("b", "b", "c")]

    assert len({single_use_digest(*it) for it in different}) == len(different)
    assert single_use_digest("a", "b") == single_use_digest("a", "b")
