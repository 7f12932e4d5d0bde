"""ID token claims, and the digests in ID tokens."""

import hashlib

import pytest

from jeton.crypto.id_token_hashes import at_hash_of, derive_session_id
from jeton.frozen import replace
from jeton.oauth.decisions import Issue
from jeton.oauth.id_token import id_token_claims, signed_in_family
from support.base64url import base64url
from support.builders import NOW, client, family

OPENID = frozenset({"openid", "read"})
FAMILY = family(
    client_id="app",
    scope=OPENID,
    auth_time=NOW - 500,
    generation=1,
    code_expires_at=NOW + 50,
    browser_session_id="b",
)
ISSUE = Issue(client("app"), FAMILY.scope, FAMILY.audience, NOW, "code_redeemed", None, FAMILY)


@pytest.mark.requirement("OI20", "OI21", "OI22", "OI23", "OI25", "OI29")
def test_claims_are_exactly_those_that_are_known() -> None:
    given = {"issuer": "https://as.example", "expires_at": NOW + 60, "at_hash": "h"}
    least = {
        "iss": "https://as.example",
        "sub": "u_1",
        "aud": "app",
        "exp": NOW + 60,
        "iat": NOW,
        "auth_time": NOW - 500,
        "amr": ["pwd"],
        "at_hash": "h",
    }

    assert id_token_claims(ISSUE, FAMILY, sid=None, **given) == least  # type: ignore[arg-type]
    asked = replace(ISSUE, nonce="n")
    assert id_token_claims(asked, FAMILY, sid="b", **given) == least | {"nonce": "n", "sid": "b"}  # type: ignore[arg-type]


@pytest.mark.requirement("OI01")
def test_an_id_token_is_due_only_with_openid_and_after_an_authorization_request() -> None:
    assert signed_in_family(ISSUE) is FAMILY
    assert signed_in_family(replace(ISSUE, scope=frozenset({"read"}))) is None
    assert signed_in_family(replace(ISSUE, family=FAMILY._replace(code_expires_at=None))) is None
    assert signed_in_family(replace(ISSUE, family=None)) is None


@pytest.mark.requirement("OI25")
def test_at_hash_is_the_left_half_of_the_algorithms_digest() -> None:
    for algorithm, name, octets in (("RS256", "sha256", 16), ("ES256", "sha256", 16), ("EdDSA", "sha512", 32)):
        left = hashlib.new(name, b"the token").digest()[:octets]
        assert at_hash_of("the token", algorithm) == base64url(left)


@pytest.mark.requirement("OI29")
def test_sid_is_one_per_browser_session_and_client() -> None:
    sids = {derive_session_id(*it) for it in (("b", "app"), ("b", "other"), ("c", "app"))}

    assert len(sids) == 3
    assert derive_session_id("b", "app") in sids
