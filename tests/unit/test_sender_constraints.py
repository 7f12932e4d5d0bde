"""The keys that tokens are bound to (RFC 7800, RFC 8705, RFC 9449)."""

import pytest

from jeton.oauth.sender_constraints import UNBOUND, Confirmation, bound_family, confirmation_of, is_held_by
from support.builders import client, family

KEY, CERTIFICATE = Confirmation(jkt="key"), Confirmation(x5t_s256="certificate")
BOTH = Confirmation("key", "certificate")


@pytest.mark.requirement("DP07", "DP10", "L13")
def test_the_claim_names_the_keys_and_the_type_says_how_to_use_the_token() -> None:
    claims = {
        UNBOUND: ({}, "Bearer"),
        KEY: ({"jkt": "key"}, "DPoP"),
        CERTIFICATE: ({"x5t#S256": "certificate"}, "Bearer"),
        BOTH: ({"jkt": "key", "x5t#S256": "certificate"}, "DPoP"),
    }

    assert {it: (it.claim, it.token_type) for it in claims} == claims
    assert [confirmation_of({"cnf": claim} if claim else {}) for claim, _ in claims.values()] == list(claims)


@pytest.mark.requirement("DP07", "L12")
def test_only_the_refresh_tokens_of_a_public_client_are_bound() -> None:
    bound = [bound_family(family(), client(public=it), BOTH) for it in (True, False)]

    assert [Confirmation(it.dpop_jkt, it.certificate_thumbprint) for it in bound] == [BOTH, UNBOUND]


@pytest.mark.requirement("DP07", "L12")
def test_a_family_accepts_only_requests_that_prove_each_of_its_keys() -> None:
    presented = [UNBOUND, KEY, CERTIFICATE, BOTH, Confirmation("other", "other")]
    holders = {UNBOUND: presented, KEY: [KEY, BOTH], CERTIFICATE: [CERTIFICATE, BOTH], BOTH: [BOTH]}
    for bound_to, expected in holders.items():
        bound = family(dpop_jkt=bound_to.jkt, certificate_thumbprint=bound_to.x5t_s256)
        assert [it for it in presented if is_held_by(bound, it)] == expected


def test_other_keys_have_another_fingerprint() -> None:
    different = (UNBOUND, Confirmation("a"), Confirmation(None, "a"), Confirmation("a", "a"))

    assert len({it.fingerprint for it in different}) == len(different)
