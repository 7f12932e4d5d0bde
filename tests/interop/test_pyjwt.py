"""PyJWT as a resource server: keys by PyJWKClient, access tokens by the rules of RFC 9068 section 4."""

from collections.abc import Callable
from typing import Any

import jwt
import pytest

from interop.access_tokens import access_token, header_of, rotate_key, tampered, token_response
from interop.live_server import AUDIENCE, Live

REQUIRED = ["iss", "exp", "aud", "sub", "client_id", "iat", "jti"]


def verified(keys: jwt.PyJWKClient, live: Live, token: str, audience: str = AUDIENCE) -> dict[str, Any]:
    key = keys.get_signing_key_from_jwt(token)
    options: Any = {"require": REQUIRED}
    return jwt.decode(token, key, algorithms=["RS256"], audience=audience, issuer=live.issuer, options=options)


@pytest.fixture
def keys(live: Live) -> jwt.PyJWKClient:
    return jwt.PyJWKClient(live.jwks_uri)


@pytest.mark.requirement("E01", "E02", "E03", "F13", "G01", "G02")
def test_access_token_verifies_with_the_key_set_of_public_signature_keys(live: Live, keys: jwt.PyJWKClient) -> None:
    answer = token_response(live, scope="read")
    claims, header = verified(keys, live, answer["access_token"]), jwt.get_unverified_header(answer["access_token"])
    found = keys.get_jwk_set().keys

    assert (claims["sub"], claims["client_id"], claims["scope"]) == (live.sub, "web-basic", "read")
    assert claims["roles"] == ["clerk"]
    assert claims["exp"] - claims["iat"] == answer["expires_in"]
    assert (header["typ"], header["alg"]) == ("at+jwt", "RS256")
    assert header["kid"] in {key.key_id for key in found}
    assert len(found) >= 2
    assert {(key.key_type, key.algorithm_name, key.public_key_use) for key in found} == {("RSA", "RS256", "sig")}
    assert all(type(key.key).__name__ == "RSAPublicKey" for key in found)


@pytest.mark.requirement("A48", "B08", "F03", "F04", "F05", "F14", "G08")
@pytest.mark.parametrize(
    ("change", "audience", "error"),
    [
        pytest.param(str, "https://payroll.example", jwt.InvalidAudienceError, id="another audience"),
        pytest.param(lambda it: tampered(it, 1, scope="read admin"), AUDIENCE, jwt.InvalidSignatureError, id="scope"),
        pytest.param(lambda it: tampered(it, 1, exp=4102444800), AUDIENCE, jwt.InvalidSignatureError, id="exp"),
        pytest.param(lambda it: tampered(it, 1, sub="u_0"), AUDIENCE, jwt.InvalidSignatureError, id="sub"),
        pytest.param(lambda it: tampered(it, 0, alg="none"), AUDIENCE, jwt.InvalidAlgorithmError, id="none"),
        pytest.param(None, AUDIENCE, jwt.DecodeError, id="refresh token"),
    ],
)
def test_other_tokens_do_not_verify(
    live: Live,
    keys: jwt.PyJWKClient,
    change: Callable[[str], str] | None,
    audience: str,
    error: type[jwt.PyJWTError],
) -> None:
    answer = token_response(live)

    with pytest.raises(error):
        verified(keys, live, change(answer["access_token"]) if change else answer["refresh_token"], audience)


def test_rotation_needs_no_restart_and_no_new_fetch(live: Live, keys: jwt.PyJWKClient) -> None:
    """The next key is published ahead: a client that fetches but every 30 seconds, as this one, holds it already."""
    old = access_token(live)
    verified(keys, live, old)

    kid = rotate_key(live)
    new = access_token(live)

    assert header_of(old)["kid"] != kid == header_of(new)["kid"]
    assert verified(keys, live, new)["sub"] == verified(keys, live, old)["sub"] == live.sub


def test_key_that_was_never_seen_is_fetched(live: Live) -> None:
    keys = jwt.PyJWKClient(live.jwks_uri, cooldown_duration=0)
    token = access_token(live)
    unseen = header_of(token)["kid"]
    published = keys.fetch_data()["keys"]
    assert keys.jwk_set_cache is not None
    keys.jwk_set_cache.put({"keys": [key for key in published if key["kid"] != unseen]})

    assert unseen not in {key.key_id for key in keys.get_signing_keys()}
    assert verified(keys, live, token)["sub"] == live.sub
