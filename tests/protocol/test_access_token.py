"""Access tokens (RFC 9068) as a resource server sees them: verified by PyJWT through the served key set."""

import base64
import json
from typing import Any

import jwt
import pytest

from jeton.crypto.signed_jwt import MAX_CHARACTERS
from jeton.oauth.registration.registration_rules import check_client, check_roles
from support.in_process_server import ISSUER, START, Running, StartServer, shared_server
from support.sessions import new_session, unique_name

API = "https://api.example"
jeton = shared_server()


async def verified(jeton: Running, token: str, audience: str = ISSUER) -> dict[str, Any]:
    """Return the claims, verified by PyJWT with the issuer, the key set and the audience. The clock is another one."""
    keys = jwt.PyJWKSet.from_dict((await jeton.http.get("/.well-known/jwks.json")).json())
    key = keys[jwt.get_unverified_header(token)["kid"]]
    options: Any = {"verify_exp": False, "verify_iat": False, "require": ["exp", "aud", "sub", "iat", "jti"]}
    return jwt.decode(token, key, algorithms=["RS256"], audience=audience, issuer=ISSUER, options=options)


def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    assert len(pairs) == len(dict(pairs))
    return dict(pairs)


def part(token: str, number: int) -> dict[str, Any]:
    """Return the header or the claims, parsed without a library. No name may occur twice."""
    read = json.loads(base64.urlsafe_b64decode(token.split(".")[number] + "=="), object_pairs_hook=unique)
    assert isinstance(read, dict)
    return read


@pytest.mark.both_databases
@pytest.mark.requirement("E06", "F01", "F02", "F03", "F05", "F13", "G01", "G02", "G03", "G05", "G06", "G08")
async def test_token_of_a_user_has_exactly_these_members(start: StartServer) -> None:
    jeton = await start()
    user = jeton.add_user(roles=("admin", "staff"))
    token = (await new_session(jeton, jeton.add_client(), user)).access

    claims = await verified(jeton, token)

    assert part(token, 0) == {"typ": "at+jwt", "alg": "RS256", "kid": jeton.keyring.signer.kid}
    assert claims == part(token, 1)
    assert {type(claims[it]) for it in ("exp", "iat", "auth_time")} == {int}
    assert claims == {
        "iss": ISSUER,
        "sub": user.sub,
        "aud": ISSUER,
        "iat": START,
        "exp": START + 600,
        "jti": claims["jti"],
        "client_id": "web",
        "scope": "read write",
        "sid": claims["sid"],
        "auth_time": START,
        "amr": ["pwd"],
        "roles": ["admin", "staff"],
        "status": claims["status"],
    }


@pytest.mark.requirement("G04")
async def test_authentication_is_kept_through_refreshes_and_new_at_a_login(start: StartServer) -> None:
    jeton = await start()
    session = await new_session(jeton)
    first, tokens = await verified(jeton, session.access), session.tokens
    for _ in range(3):
        jeton.clock.advance(1000)
        tokens = await jeton.refreshed(session.app, tokens["refresh_token"])
    last = await verified(jeton, tokens["access_token"])
    again = await verified(jeton, (await new_session(jeton, session.app, session.user)).access)

    changed = {"iat": START + 3000, "exp": START + 3600, "jti": last["jti"], "status": last["status"]}
    assert last == first | changed
    assert (last["jti"], again["sid"]) != (first["jti"], first["sid"])
    assert again["auth_time"] == START + 3000


@pytest.mark.requirement("F11", "G06", "G07", "I07", "I11", "O06", "O10")
async def test_refresh_has_the_current_roles_and_the_audience_of_the_session(jeton: Running) -> None:
    session = await new_session(jeton, user=jeton.add_user(unique_name(), roles=("admin",)), audience=(API,))
    jeton.set_user(session.user.sub, roles=())
    jeton.set_client(session.app.client_id, audience=("https://b.example",))

    claims = await verified(jeton, (await jeton.refreshed(session.app, session.refresh))["access_token"], API)

    assert (claims["roles"], claims["aud"]) == ([], API)


@pytest.mark.requirement("F10", "O05")
async def test_token_that_our_key_signed_for_another_issuer_is_inactive(jeton: Running) -> None:
    session, sign = await new_session(jeton), jeton.keyring.signer.sign
    issuers = [ISSUER, ISSUER + "/", "https://elsewhere.example", "", None]
    signed = [sign(part(session.access, 1) | {"iss": it}) for it in issuers]

    assert [(await jeton.introspect(session.app, it))["active"] for it in signed] == [True, *[False] * 4]


@pytest.mark.requirement("A34")
async def test_longest_token_that_can_be_issued_can_be_presented(jeton: Running) -> None:
    email = "\u00fc" * 64 + "@" + ".".join(["a" * 62] * 3)
    user = jeton.add_user("\U00010428" * 255, email=email, roles=tuple(f"{it}{'r' * 96}" for it in range(8)))
    app = jeton.add_client(
        "c" * 128,
        scope=frozenset(f"{number:02}{'s' * 96}" for number in range(11)),
        audience=tuple(f"https://{number}.{'a' * 83}.example" for number in range(7)),
        claims=("preferred_username", "email"),
    )
    check_client(app.client)
    check_roles(user.roles)

    token = (await new_session(jeton, app, user)).access

    # A signature of 4096 bits is 341 characters longer, and an issuer may be longer than that of the tests.
    assert 6000 < len(token) <= MAX_CHARACTERS - 1000
    assert (await jeton.introspect(app, token))["active"]
