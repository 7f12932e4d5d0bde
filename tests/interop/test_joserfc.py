"""joserfc as a resource server: the key set as published, and the claims registry (RFC 7517, 7519, 9068)."""

import json
import urllib.request
from typing import Any

import pytest
from joserfc import jwt
from joserfc.errors import (
    BadSignatureError,
    ExpiredTokenError,
    InvalidClaimError,
    JoseError,
    UnsupportedAlgorithmError,
)
from joserfc.jwk import KeySet

from interop.access_tokens import access_token, tampered
from interop.live_server import AUDIENCE, Live


def published(live: Live) -> dict[str, Any]:
    with urllib.request.urlopen(live.jwks_uri, timeout=30) as answer:
        assert answer.headers.get_content_type() == "application/jwk-set+json"
        return dict(json.load(answer))


def verified(live: Live, token: str, audience: str = AUDIENCE, now: int | None = None) -> jwt.Token:
    """Verify the signature, then the claims. `typ` is left to the caller."""
    keys = KeySet.import_key_set(published(live))  # type: ignore[arg-type]
    decoded = jwt.decode(token, keys, algorithms=["RS256"])
    essential: dict[str, Any] = {name: {"essential": True} for name in ("exp", "iat", "sub", "jti", "client_id")}
    issuer: Any = {"essential": True, "value": live.issuer}
    registry = jwt.JWTClaimsRegistry(now, **essential, iss=issuer, aud={"essential": True, "value": audience})
    registry.validate(decoded.claims)
    return decoded


@pytest.mark.requirement("E01", "F03", "G01", "G02")
def test_access_token_verifies_until_it_expires(live: Live) -> None:
    text = access_token(live, scope="read write")
    token = verified(live, text)

    assert (token.header["typ"], token.header["alg"]) == ("at+jwt", "RS256")
    assert (token.claims["sub"], token.claims["scope"]) == (live.sub, "read write")
    exp = token.claims["exp"]
    assert verified(live, text, now=exp - 1).claims["exp"] == exp
    with pytest.raises(ExpiredTokenError):
        verified(live, text, now=exp + 1)


@pytest.mark.requirement("E03", "E06")
def test_each_key_is_public_and_named_by_its_thumbprint(live: Live) -> None:
    keys = published(live)

    assert all(key.kid == key.thumbprint() for key in KeySet.import_key_set(keys))  # type: ignore[arg-type]
    assert all(set(key) == {"kty", "n", "e", "kid", "use", "alg"} for key in keys["keys"])


@pytest.mark.requirement("A48", "F04", "F05", "G08")
@pytest.mark.parametrize(
    ("part", "changes", "audience", "error"),
    [
        (0, {}, "https://payroll.example", InvalidClaimError),
        (1, {"roles": ["admin"]}, AUDIENCE, BadSignatureError),
        *((0, {"alg": algorithm}, AUDIENCE, UnsupportedAlgorithmError) for algorithm in ("none", "HS256", "RS512")),
    ],
    ids=["another audience", "other claims", "none", "HS256", "RS512"],
)
def test_other_tokens_do_not_verify(
    live: Live, part: int, changes: dict[str, Any], audience: str, error: type[JoseError]
) -> None:
    token = access_token(live)

    with pytest.raises(error):
        verified(live, tampered(token, part, **changes) if changes else token, audience)
