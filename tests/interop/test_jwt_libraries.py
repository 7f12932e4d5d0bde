"""PyJWT and joserfc as resource servers: the key set as published, and access tokens by the rules of RFC 9068."""

import json
import urllib.request
from collections.abc import Callable
from typing import Any

import joserfc.jwt
import jwt
import pytest
from joserfc.errors import BadSignatureError, ExpiredTokenError, InvalidClaimError, JoseError, UnsupportedAlgorithmError
from joserfc.jwk import KeySet

from interop.access_tokens import access_token, header_of, rotate_key, tampered, token_response
from interop.live_server import AUDIENCE, Live

REQUIRED = ["iss", "exp", "aud", "sub", "client_id", "iat", "jti"]


def by_pyjwt(live: Live, token: str, audience: str = AUDIENCE, keys: jwt.PyJWKClient | None = None) -> dict[str, Any]:
    """Verify the token. Return its claims."""
    key = (keys or jwt.PyJWKClient(live.jwks_uri)).get_signing_key_from_jwt(token)
    options: Any = {"require": REQUIRED}
    return jwt.decode(token, key, algorithms=["RS256"], audience=audience, issuer=live.issuer, options=options)


def published(live: Live) -> dict[str, Any]:
    with urllib.request.urlopen(live.jwks_uri, timeout=30) as answer:
        assert answer.headers.get_content_type() == "application/jwk-set+json"
        return dict(json.load(answer))


def by_joserfc(live: Live, token: str, audience: str = AUDIENCE, now: int | None = None) -> dict[str, Any]:
    keys = KeySet.import_key_set(published(live))  # type: ignore[arg-type]
    decoded = joserfc.jwt.decode(token, keys, algorithms=["RS256"])
    rules: dict[str, Any] = {name: {"essential": True} for name in REQUIRED}
    rules["iss"]["value"], rules["aud"]["value"] = live.issuer, audience
    joserfc.jwt.JWTClaimsRegistry(now, **rules).validate(decoded.claims)
    return decoded.claims


@pytest.mark.requirement("E01", "E02", "F03", "F13", "G01", "G02")
def test_access_token_verifies_until_it_expires(live: Live) -> None:
    answer = token_response(live, scope="read")
    token = answer["access_token"]
    claims = by_pyjwt(live, token)

    assert by_joserfc(live, token) == claims
    assert (claims["sub"], claims["client_id"], claims["scope"]) == (live.sub, "web-basic", "read")
    assert (claims["roles"], claims["exp"] - claims["iat"]) == (["clerk"], answer["expires_in"])
    assert (header_of(token)["typ"], header_of(token)["alg"]) == ("at+jwt", "RS256")
    assert by_joserfc(live, token, now=claims["exp"] - 1) == claims
    with pytest.raises(ExpiredTokenError):
        by_joserfc(live, token, now=claims["exp"] + 1)


@pytest.mark.requirement("E03", "E06")
def test_each_key_is_public_and_named_by_its_thumbprint(live: Live) -> None:
    keys = published(live)

    assert all(key.kid == key.thumbprint() for key in KeySet.import_key_set(keys))  # type: ignore[arg-type]
    assert all(set(key) == {"kty", "n", "e", "kid", "use", "alg"} for key in keys["keys"])
    found = jwt.PyJWKClient(live.jwks_uri).get_jwk_set().keys
    assert len(found) >= 2
    assert {(key.key_type, key.algorithm_name, key.public_key_use) for key in found} == {("RSA", "RS256", "sig")}


Change = Callable[[str], str]


@pytest.mark.requirement("A48", "B08", "F03", "F04", "F05", "F14", "G08")
@pytest.mark.parametrize(
    ("change", "audience", "errors"),
    [
        pytest.param(str, "https://payroll.example", (jwt.InvalidAudienceError, InvalidClaimError), id="audience"),
        *(
            pytest.param(lambda it, new=new: tampered(it, 1, **new), AUDIENCE,
                         (jwt.InvalidSignatureError, BadSignatureError), id=next(iter(new)))
            for new in ({"scope": "read admin"}, {"exp": 4102444800}, {"sub": "u_0"}, {"roles": ["admin"]})
        ),
        *(
            pytest.param(lambda it, alg=alg: tampered(it, 0, alg=alg), AUDIENCE,
                         (jwt.InvalidAlgorithmError, UnsupportedAlgorithmError), id=alg)
            for alg in ("none", "HS256", "RS512")
        ),
    ],
)  # fmt: skip
def test_invalid_tokens_do_not_verify(
    live: Live, change: Change, audience: str, errors: tuple[type[jwt.PyJWTError], type[JoseError]]
) -> None:
    answer = token_response(live)

    with pytest.raises(errors[0]):
        by_pyjwt(live, change(answer["access_token"]), audience)
    with pytest.raises(errors[1]):
        by_joserfc(live, change(answer["access_token"]), audience)
    with pytest.raises(jwt.DecodeError):
        by_pyjwt(live, answer["refresh_token"])


def test_rotation_needs_no_restart_and_no_new_fetch(live: Live) -> None:
    """The next key is published ahead, so a client that fetches at most every 30 seconds has it already."""
    keys, old = jwt.PyJWKClient(live.jwks_uri), access_token(live)
    by_pyjwt(live, old, keys=keys)

    kid = rotate_key(live)
    new = access_token(live)

    assert header_of(old)["kid"] != kid == header_of(new)["kid"]
    assert by_pyjwt(live, new, keys=keys)["sub"] == by_pyjwt(live, old, keys=keys)["sub"] == live.sub


def test_key_that_was_never_seen_is_fetched(live: Live) -> None:
    keys = jwt.PyJWKClient(live.jwks_uri, cooldown_duration=0)
    token = access_token(live)
    unseen = header_of(token)["kid"]
    found = keys.fetch_data()["keys"]
    assert keys.jwk_set_cache is not None
    keys.jwk_set_cache.put({"keys": [key for key in found if key["kid"] != unseen]})

    assert unseen not in {key.key_id for key in keys.get_signing_keys()}
    assert by_pyjwt(live, token, keys=keys)["sub"] == live.sub
