"""The JWK Set (RFC 7517, 7518, 7638): its keys, and how long it is cached."""

import base64
import hashlib

import httpx2
import pytest

from jeton.rules.key_lifecycle import CLOCK_SKEW_SECONDS, PROPAGATION_SECONDS
from support.in_process_server import Running, StartServer, shared_server
from support.signing_keys import rotate

JWKS = "/.well-known/jwks.json"
PUBLISHED_AFTER = PROPAGATION_SECONDS + 600 + 300 + CLOCK_SKEW_SECONDS
jeton = shared_server()


@pytest.fixture(scope="module")
async def response(jeton: Running) -> httpx2.Response:
    return await jeton.http.get(JWKS)


@pytest.mark.requirement("E01")
async def test_document_is_a_cacheable_key_set(response: httpx2.Response) -> None:
    assert list(response.json()) == ["keys"]
    assert response.headers["content-type"] == "application/jwk-set+json"
    assert response.headers["cache-control"] == "public, max-age=300"
    assert response.headers["access-control-allow-origin"] == "*"


@pytest.mark.requirement("E02", "E03", "E04", "E05", "E06")
async def test_each_key_has_the_public_members_only_in_their_shortest_form(response: httpx2.Response) -> None:
    keys = response.json()["keys"]
    assert len({key["kid"] for key in keys}) == len(keys) == 2
    for key in keys:
        assert key.keys() == {"kty", "use", "alg", "kid", "n", "e"}
        assert (key["kty"], key["use"], key["alg"], key["e"]) == ("RSA", "sig", "RS256", "AQAB")
        modulus = base64.b64decode(key["n"] + "=" * (-len(key["n"]) % 4), altchars=b"-_", validate=True)
        assert "=" not in key["n"]
        assert (int.from_bytes(modulus).bit_length() >= 2048, modulus[0] != 0) == (True, True)
        thumbprint = hashlib.sha256(f'{{"e":"AQAB","kty":"RSA","n":"{key["n"]}"}}'.encode()).digest()
        assert key["kid"] == base64.urlsafe_b64encode(thumbprint).rstrip(b"=").decode()


@pytest.mark.requirement("E01")
@pytest.mark.parametrize("form", ["{}", "W/{}", '"other", {}', "*"], ids=["strong", "weak", "in a list", "any"])
async def test_cached_key_set_is_answered_304(jeton: Running, response: httpx2.Response, form: str) -> None:
    etag = response.headers["etag"]

    again = await jeton.http.get(JWKS, headers={"If-None-Match": form.format(etag)})

    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", etag)
    assert again.headers["cache-control"] == "public, max-age=300"
    assert again.headers["access-control-allow-origin"] == "*"


@pytest.mark.requirement("E01")
async def test_document_is_never_cached_beyond_the_next_planned_change(start: StartServer) -> None:
    jeton = await start()
    rotate(jeton, force=True)
    jeton.clock.advance(PUBLISHED_AFTER - 10)
    jeton.shared_state.refresh()

    assert (await jeton.http.get(JWKS)).headers["cache-control"] == "public, max-age=10"
