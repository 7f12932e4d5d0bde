"""PyJWT as a resource server: keys by PyJWKClient, access tokens by the rules of RFC 9068 section 4."""

from typing import Any

import jwt
import pytest

from interop.access_tokens import access_token, header_of, rotate_key, token_response, with_claims, with_header
from interop.live_server import AUDIENCE, Live

REQUIRED = ["iss", "exp", "aud", "sub", "client_id", "iat", "jti"]


def verified(keys: jwt.PyJWKClient, live: Live, token: str, audience: str = AUDIENCE) -> dict[str, Any]:
    key = keys.get_signing_key_from_jwt(token)
    options: Any = {"require": REQUIRED}
    return jwt.decode(token, key, algorithms=["RS256"], audience=audience, issuer=live.issuer, options=options)


@pytest.fixture
def keys(live: Live) -> jwt.PyJWKClient:
    return jwt.PyJWKClient(live.jwks_uri)


@pytest.mark.requirement("E01", "E02", "G01", "G02")
def test_an_access_token_verifies(live: Live, keys: jwt.PyJWKClient) -> None:
    answer = token_response(live, scope="read")
    claims = verified(keys, live, answer["access_token"])

    assert (claims["sub"], claims["client_id"], claims["scope"]) == (live.sub, "web-basic", "read")
    assert claims["roles"] == ["clerk"]
    assert claims["exp"] - claims["iat"] == answer["expires_in"]


@pytest.mark.requirement("F13", "G01")
def test_the_header_says_that_it_is_an_access_token_and_which_key_signed_it(live: Live, keys: jwt.PyJWKClient) -> None:
    header = jwt.get_unverified_header(access_token(live))

    assert (header["typ"], header["alg"]) == ("at+jwt", "RS256")
    assert header["kid"] in {key.key_id for key in keys.get_signing_keys()}


@pytest.mark.requirement("E02", "E03")
def test_the_key_set_holds_public_signature_keys_only(live: Live, keys: jwt.PyJWKClient) -> None:
    found = keys.get_jwk_set().keys

    assert len(found) >= 2
    assert {(key.key_type, key.algorithm_name, key.public_key_use) for key in found} == {("RSA", "RS256", "sig")}
    assert all(type(key.key).__name__ == "RSAPublicKey" for key in found)


@pytest.mark.requirement("F03", "G08")
def test_it_is_not_for_another_audience(live: Live, keys: jwt.PyJWKClient) -> None:
    with pytest.raises(jwt.InvalidAudienceError):
        verified(keys, live, access_token(live), audience="https://payroll.example")


@pytest.mark.parametrize("change", [{"scope": "read write admin"}, {"exp": 4102444800}, {"sub": "u_0"}], ids=str)
@pytest.mark.requirement("A48", "B08")
def test_changed_claims_do_not_verify(live: Live, keys: jwt.PyJWKClient, change: dict[str, Any]) -> None:
    with pytest.raises(jwt.InvalidSignatureError):
        verified(keys, live, with_claims(access_token(live), **change))


@pytest.mark.requirement("F04", "F05")
def test_another_algorithm_in_the_header_does_not_verify(live: Live, keys: jwt.PyJWKClient) -> None:
    with pytest.raises(jwt.InvalidAlgorithmError):
        verified(keys, live, with_header(access_token(live), alg="none"))


@pytest.mark.requirement("F14")
def test_a_refresh_token_is_no_access_token(live: Live, keys: jwt.PyJWKClient) -> None:
    with pytest.raises(jwt.DecodeError):
        verified(keys, live, token_response(live)["refresh_token"])


def test_a_rotation_needs_no_restart_and_no_new_fetch(live: Live, keys: jwt.PyJWKClient) -> None:
    """The next key is published ahead: a client that fetches but every 30 seconds, as this one, holds it already."""
    old = access_token(live)
    verified(keys, live, old)

    kid = rotate_key(live)
    new = access_token(live)

    assert header_of(old)["kid"] != kid == header_of(new)["kid"]
    assert verified(keys, live, new)["sub"] == verified(keys, live, old)["sub"] == live.sub


def test_a_key_that_was_never_seen_is_fetched(live: Live) -> None:
    keys = jwt.PyJWKClient(live.jwks_uri, cooldown_duration=0)
    token = access_token(live)
    unseen = header_of(token)["kid"]
    published = keys.fetch_data()["keys"]
    assert keys.jwk_set_cache is not None
    keys.jwk_set_cache.put({"keys": [key for key in published if key["kid"] != unseen]})

    assert unseen not in {key.key_id for key in keys.get_signing_keys()}
    assert verified(keys, live, token)["sub"] == live.sub
