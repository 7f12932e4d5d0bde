"""RFC 7517, 7518 and 7638: the published keys; RFC 7515 sections 4 and 5.2: what our own verifier makes of a header."""

import base64
import hashlib
import json
from typing import Any

import jwt
import pytest

from jeton.rules.key_lifecycle import CLOCK_SKEW_SECONDS, PROPAGATION_SECONDS
from support.in_process_server import ISSUER, App, Running

JWKS = "/.well-known/jwks.json"
PRIVATE = {"d", "p", "q", "dp", "dq", "qi", "oth", "k"}
PUBLISHED_AFTER = PROPAGATION_SECONDS + 600 + 300 + CLOCK_SKEW_SECONDS


async def _keys(jeton: Running) -> list[dict[str, Any]]:
    response = await jeton.http.get(JWKS)
    assert response.status_code == 200
    return list(response.json()["keys"])


def _rotate(jeton: Running) -> None:
    jeton.maintenance.rotation.rotate_now()
    jeton.maintenance.refresh()


def _octets(text: str) -> bytes:
    """Strict base64url without padding."""
    assert "=" not in text
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)


def _verified(token: str, keys: list[dict[str, Any]]) -> dict[str, Any]:
    """The claims as somebody else's library sees them; times are the test clock's and so not looked at."""
    by_kid = {key.key_id: key for key in jwt.PyJWKSet(keys).keys}
    key = by_kid[jwt.get_unverified_header(token)["kid"]]
    options: Any = {"verify_exp": False, "verify_iat": False}
    return jwt.decode(token, key, algorithms=["RS256"], audience=ISSUER, issuer=ISSUER, options=options)


@pytest.mark.requirement("E01")
async def test_the_document_is_a_key_set_of_the_registered_media_type(jeton: Running) -> None:
    response = await jeton.http.get(JWKS)

    assert response.headers["content-type"] == "application/jwk-set+json"
    assert list(response.json()) == ["keys"]


@pytest.mark.requirement("E02")
async def test_each_key_says_what_it_is_for(jeton: Running) -> None:
    keys = await _keys(jeton)

    assert [(key["kty"], key["use"], key["alg"]) for key in keys] == [("RSA", "sig", "RS256")] * 2
    assert all("key_ops" not in key for key in keys)
    assert len({key["kid"] for key in keys}) == 2


@pytest.mark.requirement("E03")
async def test_no_private_member_is_ever_published(jeton: Running) -> None:
    before = await _keys(jeton)
    _rotate(jeton)

    for key in before + await _keys(jeton):
        assert key.keys() == {"kty", "use", "alg", "kid", "n", "e"}
        assert PRIVATE.isdisjoint(key)


@pytest.mark.requirement("E04", "E05")
async def test_modulus_and_exponent_are_long_enough_and_in_their_shortest_form(jeton: Running) -> None:
    for key in await _keys(jeton):
        modulus, exponent = _octets(key["n"]), _octets(key["e"])
        assert int.from_bytes(modulus).bit_length() >= 2048
        assert modulus[0] != 0
        assert exponent == b"\x01\x00\x01"


@pytest.mark.requirement("E06")
async def test_the_kid_is_the_thumbprint_of_the_key(jeton: Running) -> None:
    for key in await _keys(jeton):
        canonical = f'{{"e":"{key["e"]}","kty":"RSA","n":"{key["n"]}"}}'
        digest = base64.urlsafe_b64encode(hashlib.sha256(canonical.encode()).digest())
        assert key["kid"] == digest.rstrip(b"=").decode()


@pytest.mark.requirement("E07", "E09")
async def test_a_token_s_header_asks_nothing_of_its_reader(jeton: Running) -> None:
    token = (await jeton.token(jeton.add_client(), grant_type="client_credentials")).json()["access_token"]

    assert jwt.get_unverified_header(token).keys() == {"typ", "alg", "kid"}


@pytest.mark.requirement("E02")
async def test_a_token_names_a_published_key_and_another_library_verifies_it(jeton: Running) -> None:
    app = jeton.add_client()
    token = (await jeton.token(app, grant_type="client_credentials")).json()["access_token"]

    assert _verified(token, await _keys(jeton))["client_id"] == app.client_id


# Caching.


@pytest.mark.requirement("E01")
async def test_anybody_may_read_and_keep_the_key_set(jeton: Running) -> None:
    headers = (await jeton.http.get(JWKS)).headers

    assert headers["cache-control"] == "public, max-age=300"
    assert headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-credentials" not in headers


@pytest.mark.requirement("E01")
@pytest.mark.parametrize("form", ["{}", "W/{}", '"other", {}', "*"], ids=["strong", "weak", "in a list", "any"])
async def test_who_has_it_already_is_told_so(jeton: Running, form: str) -> None:
    etag = (await jeton.http.get(JWKS)).headers["etag"]

    response = await jeton.http.get(JWKS, headers={"If-None-Match": form.format(etag)})

    assert (response.status_code, response.content) == (304, b"")
    assert response.headers["etag"] == etag
    assert response.headers["cache-control"] == "public, max-age=300"
    assert response.headers["access-control-allow-origin"] == "*"


@pytest.mark.requirement("E01")
async def test_a_rotation_changes_the_etag(jeton: Running) -> None:
    etag = (await jeton.http.get(JWKS)).headers["etag"]
    _rotate(jeton)

    response = await jeton.http.get(JWKS, headers={"If-None-Match": etag})

    assert response.status_code == 200
    assert response.headers["etag"] != etag


@pytest.mark.requirement("E01")
async def test_the_key_set_is_never_kept_beyond_the_next_planned_change(jeton: Running) -> None:
    _rotate(jeton)
    jeton.clock.advance(PUBLISHED_AFTER - 10)
    jeton.maintenance.refresh()

    assert (await jeton.http.get(JWKS)).headers["cache-control"] == "public, max-age=10"


@pytest.mark.requirement("E02")
async def test_after_a_rotation_old_and_new_tokens_verify(jeton: Running) -> None:
    app = jeton.add_client()
    old = (await jeton.token(app, grant_type="client_credentials")).json()["access_token"]
    _rotate(jeton)
    new = (await jeton.token(app, grant_type="client_credentials")).json()["access_token"]

    keys = await _keys(jeton)

    assert len(keys) == 3
    assert jwt.get_unverified_header(old)["kid"] != jwt.get_unverified_header(new)["kid"]
    assert _verified(old, keys)["client_id"] == _verified(new, keys)["client_id"] == app.client_id
    assert (await jeton.introspect(app, old))["active"] is True


@pytest.mark.requirement("E02")
async def test_the_key_that_signs_next_was_published_before(jeton: Running) -> None:
    published = {key["kid"] for key in await _keys(jeton)}
    _rotate(jeton)

    token = (await jeton.token(jeton.add_client(), grant_type="client_credentials")).json()["access_token"]

    assert jwt.get_unverified_header(token)["kid"] in published


# What our own verifier refuses, though the signature is right.


def _signed(jeton: Running, header: str, app: App) -> str:
    """A token with exactly this protected header, signed by the active key; the claims are a good token's."""
    parts, now = jeton.server.parts, jeton.clock.now()
    claims = {"iss": ISSUER, "sub": app.client_id, "aud": ISSUER, "client_id": app.client_id, "jti": "made-up"}
    payload = json.dumps(claims | {"iat": now, "exp": now + 600}).encode()
    signed = b".".join(base64.urlsafe_b64encode(part).rstrip(b"=") for part in (header.encode(), payload))
    local: Any = parts.keyring.signer._key
    key: Any = jwt.PyJWK(local.key.as_dict(private=True), "RS256").key
    signature = jwt.get_algorithm_by_name("RS256").sign(signed, key)
    return (signed + b"." + base64.urlsafe_b64encode(signature).rstrip(b"=")).decode()


def _header(jeton: Running, **members: Any) -> str:
    header = {"typ": "at+jwt", "alg": "RS256", "kid": jeton.keyring.signer.kid} | members
    return json.dumps(header, separators=(",", ":"))


async def test_a_token_put_together_by_hand_is_active_when_nothing_is_wrong_with_it(jeton: Running) -> None:
    app = jeton.add_client()

    assert (await jeton.introspect(app, _signed(jeton, _header(jeton), app)))["active"] is True


@pytest.mark.requirement("E07", "E08", "E09")
@pytest.mark.parametrize(
    "members",
    [
        {"crit": ["x"], "x": 1},
        {"crit": ["exp"], "exp": 1},
        {"crit": []},
        {"crit": "b64", "b64": True},
        {"crit": ["b64"], "b64": False},
        {"b64": False},
        {"alg": "none"},
        {"alg": "RS512"},
        {"alg": "HS256"},
        {"typ": "JWT"},
        {"kid": "unknown"},
        {"kid": None},
    ],
    ids=lambda members: json.dumps(members) if isinstance(members, dict) else None,
)
async def test_a_header_that_is_not_exactly_ours_makes_a_token_inactive(
    jeton: Running, members: dict[str, Any]
) -> None:
    app = jeton.add_client()

    assert await jeton.introspect(app, _signed(jeton, _header(jeton, **members), app)) == {"active": False}


@pytest.mark.requirement("E08")
@pytest.mark.parametrize("last", ["at+jwt", "JWT"])
async def test_a_header_member_sent_twice_makes_a_token_inactive(jeton: Running, last: str) -> None:
    app, first = jeton.add_client(), "JWT" if last == "at+jwt" else "at+jwt"
    header = _header(jeton)[:-1].replace('"at+jwt"', f'"{first}"') + f',"typ":"{last}"}}'

    assert await jeton.introspect(app, _signed(jeton, header, app)) == {"active": False}


@pytest.mark.requirement("E08")
@pytest.mark.parametrize("part", [0, 1, 2], ids=["header", "claims", "signature"])
@pytest.mark.parametrize("addition", ["=", "==", "\n", " ", "+", "/"])
async def test_base64url_is_read_strictly(jeton: Running, part: int, addition: str) -> None:
    app = jeton.add_client()
    parts = (await jeton.token(app, grant_type="client_credentials")).json()["access_token"].split(".")
    parts[part] += addition

    assert await jeton.introspect(app, ".".join(parts)) == {"active": False}
