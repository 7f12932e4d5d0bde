"""joserfc as a resource server: the key set as published, and the claims registry (RFC 7517, 7519, 9068)."""

import json
import urllib.request
from typing import Any

import pytest
from joserfc import jwt
from joserfc.errors import BadSignatureError, ExpiredTokenError, InvalidClaimError, UnsupportedAlgorithmError
from joserfc.jwk import KeySet

from interop.access_tokens import access_token, token_response, with_claims, with_header
from interop.live_server import AUDIENCE, Live


def published(live: Live) -> dict[str, Any]:
    with urllib.request.urlopen(live.jwks_uri, timeout=30) as answer:
        assert answer.headers.get_content_type() == "application/jwk-set+json"
        return dict(json.load(answer))


@pytest.fixture
def keys(live: Live) -> KeySet:
    return KeySet.import_key_set(published(live))  # type: ignore[arg-type]


def verified(keys: KeySet, live: Live, token: str, audience: str = AUDIENCE, now: int | None = None) -> jwt.Token:
    """Signature first, then the claims; `typ` is the caller's to look at."""
    decoded = jwt.decode(token, keys, algorithms=["RS256"])
    essential: dict[str, Any] = {name: {"essential": True} for name in ("exp", "iat", "sub", "jti", "client_id")}
    registry = jwt.JWTClaimsRegistry(
        now,
        **essential,
        iss={"essential": True, "value": live.issuer},
        aud={"essential": True, "value": audience},
    )
    registry.validate(decoded.claims)
    return decoded


@pytest.mark.requirement("E01", "G01", "G02")
def test_an_access_token_verifies(live: Live, keys: KeySet) -> None:
    token = verified(keys, live, access_token(live, scope="read write"))

    assert (token.header["typ"], token.header["alg"]) == ("at+jwt", "RS256")
    assert token.claims["sub"] == live.sub
    assert token.claims["scope"] == "read write"


@pytest.mark.requirement("E03", "E06")
def test_each_key_is_public_and_named_by_its_thumbprint(live: Live, keys: KeySet) -> None:
    assert [key.kid for key in keys] == [key.thumbprint() for key in keys]
    for key in published(live)["keys"]:
        assert set(key) == {"kty", "n", "e", "kid", "use", "alg"}


@pytest.mark.requirement("F03")
def test_it_expires(live: Live, keys: KeySet) -> None:
    answer = token_response(live)
    exp = verified(keys, live, answer["access_token"]).claims["exp"]

    assert verified(keys, live, answer["access_token"], now=exp - 1).claims["exp"] == exp
    with pytest.raises(ExpiredTokenError):
        verified(keys, live, answer["access_token"], now=exp + 1)


@pytest.mark.requirement("G08")
def test_it_is_not_for_another_audience(live: Live, keys: KeySet) -> None:
    with pytest.raises(InvalidClaimError):
        verified(keys, live, access_token(live), audience="https://payroll.example")


@pytest.mark.requirement("A48")
def test_changed_claims_do_not_verify(live: Live, keys: KeySet) -> None:
    with pytest.raises(BadSignatureError):
        verified(keys, live, with_claims(access_token(live), roles=["admin"]))


@pytest.mark.parametrize("algorithm", ["none", "HS256", "RS512"])
@pytest.mark.requirement("F04", "F05")
def test_another_algorithm_in_the_header_does_not_verify(live: Live, keys: KeySet, algorithm: str) -> None:
    with pytest.raises(UnsupportedAlgorithmError):
        verified(keys, live, with_header(access_token(live), alg=algorithm))
