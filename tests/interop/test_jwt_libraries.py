"""PyJWT and joserfc as resource servers: the key set as published, and access tokens by the rules of RFC 9068."""

import base64
import json
import urllib.request
from typing import Any
from urllib.parse import urlencode

import joserfc.jwt
import jwt
import pytest
from joserfc.errors import ExpiredTokenError
from joserfc.jwk import KeySet

from interop.live_server import AUDIENCE, Live
from support.server_processes import wait_until

REQUIRED = ["iss", "exp", "aud", "sub", "client_id", "iat", "jti"]


def token_response(live: Live, **parameters: str) -> dict[str, Any]:
    """Log in with the client `web-basic`, without an OAuth library."""
    form = {"grant_type": "password", "username": live.username, "password": live.password, **parameters}
    credentials = base64.b64encode(f"web-basic:{live.secrets['web-basic']}".encode()).decode()
    headers = {"Authorization": f"Basic {credentials}"}
    request = urllib.request.Request(live.token_endpoint, urlencode(form).encode(), headers)
    with urllib.request.urlopen(request, timeout=30) as answer:
        return dict(json.load(answer))


def by_pyjwt(live: Live, token: str, keys: jwt.PyJWKClient | None = None) -> dict[str, Any]:
    """Verify the token. Return its claims."""
    key = (keys or jwt.PyJWKClient(live.jwks_uri)).get_signing_key_from_jwt(token)
    options: Any = {"require": REQUIRED}
    return jwt.decode(token, key, algorithms=["RS256"], audience=AUDIENCE, issuer=live.issuer, options=options)


def published(live: Live) -> dict[str, Any]:
    with urllib.request.urlopen(live.jwks_uri, timeout=30) as answer:
        assert answer.headers.get_content_type() == "application/jwk-set+json"
        return dict(json.load(answer))


def by_joserfc(live: Live, token: str, now: int | None = None) -> dict[str, Any]:
    keys = KeySet.import_key_set(published(live))  # type: ignore[arg-type]
    decoded = joserfc.jwt.decode(token, keys, algorithms=["RS256"])
    rules: dict[str, Any] = {name: {"essential": True} for name in REQUIRED}
    rules["iss"]["value"], rules["aud"]["value"] = live.issuer, AUDIENCE
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
    assert (jwt.get_unverified_header(token)["typ"], jwt.get_unverified_header(token)["alg"]) == ("at+jwt", "RS256")
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


def test_rotation_needs_no_restart_and_no_new_fetch(live: Live) -> None:
    """The next key is published ahead, so a client that fetches at most every 30 seconds has it already."""
    keys, old = jwt.PyJWKClient(live.jwks_uri), token_response(live)["access_token"]
    by_pyjwt(live, old, keys=keys)

    (kid,) = (key["kid"] for key in live.server.json("keys", "rotate", "--now") if key["state"] == "active")
    tokens = [old]

    def is_used() -> bool:
        tokens.append(token_response(live)["access_token"])
        return bool(jwt.get_unverified_header(tokens[-1])["kid"] == kid)

    wait_until(is_used, f"the server signs with {kid}", seconds=10)
    new = tokens[-1]

    assert jwt.get_unverified_header(old)["kid"] != kid
    assert by_pyjwt(live, new, keys=keys)["sub"] == by_pyjwt(live, old, keys=keys)["sub"] == live.sub
