"""RFC 9068: the access token as a resource server sees it, verified by PyJWT through the served key set."""

import base64
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import jwt
import pytest

from jeton.crypto.signed_jwt import MAX_CHARACTERS
from jeton.oauth.clients import Client
from jeton.oauth.registration_rules import RegistrationError, check_client, check_roles
from support.in_process_server import ISSUER, START, App, Running

CLIENT = Client("web", public=False, created_at=START)

API = "https://api.example"
REQUIRED = {"iss", "exp", "aud", "sub", "client_id", "iat", "jti"}
USER_CLAIMS = REQUIRED | {"scope", "sid", "auth_time", "amr", "roles", "status"}


async def verified(jeton: Running, token: str, audience: str = ISSUER) -> dict[str, Any]:
    """The claims, as somebody gets them who knows nothing but the issuer, the key set and their own name."""
    key_set = jwt.PyJWKSet.from_dict((await jeton.http.get("/.well-known/jwks.json")).json())
    key = key_set[jwt.get_unverified_header(token)["kid"]]
    claims: dict[str, Any] = jwt.decode(
        token,
        key,
        algorithms=["RS256"],
        audience=audience,
        issuer=ISSUER,
        # The clock of the tests is not the clock of PyJWT.
        options={"verify_exp": False, "verify_iat": False, "require": sorted(REQUIRED)},
    )
    return claims


def without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in pairs]
    assert len(names) == len(set(names)), names
    return dict(pairs)


def part(token: str, number: int) -> dict[str, Any]:
    """Header or claims, read without a library; no name may occur twice."""
    text = token.split(".")[number]
    read = json.loads(base64.urlsafe_b64decode(text + "=="), object_pairs_hook=without_repetition)
    assert isinstance(read, dict)
    return read


@pytest.fixture
def app(jeton: Running) -> App:
    return jeton.add_client()


@pytest.mark.requirement("F05", "F13", "G01", "E06")
async def test_the_header_is_typ_alg_and_a_kid_of_the_key_set(jeton: Running, app: App) -> None:
    jeton.add_user()
    header = part((await jeton.log_in(app))["access_token"], 0)
    keys = (await jeton.http.get("/.well-known/jwks.json")).json()["keys"]

    assert header == {"typ": "at+jwt", "alg": "RS256", "kid": header["kid"]}
    assert header["kid"] in {key["kid"] for key in keys}


@pytest.mark.requirement("F02", "G02", "G03", "G05", "G06", "G08")
async def test_a_user_s_token_holds_these_claims(jeton: Running, app: App) -> None:
    user = jeton.add_user(roles=("admin", "staff"))

    claims = await verified(jeton, (await jeton.log_in(app))["access_token"])

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


@pytest.mark.requirement("F01", "F02")
async def test_claims_have_the_types_of_rfc_7519_and_occur_once(jeton: Running, app: App) -> None:
    jeton.add_user()
    claims = part((await jeton.log_in(app))["access_token"], 1)

    assert {name: type(claims[name]) for name in ("iss", "sub", "aud", "jti", "client_id", "sid", "scope")} == (
        dict.fromkeys(("iss", "sub", "aud", "jti", "client_id", "sid", "scope"), str)
    )
    assert {type(claims[name]) for name in ("exp", "iat", "auth_time")} == {int}
    assert (type(claims["amr"]), type(claims["roles"])) == (list, list)


@pytest.mark.requirement("G09", "O10")
@pytest.mark.parametrize("given", [set(), {"preferred_username"}, {"email"}, {"preferred_username", "email"}])
async def test_personal_data_is_only_for_clients_that_were_given_it(jeton: Running, given: set[str]) -> None:
    app = jeton.add_client(claims=frozenset(given))
    jeton.add_user("Alice", email="alice@example.com")

    claims = await verified(jeton, (await jeton.log_in(app))["access_token"])

    known = {"preferred_username": "Alice", "email": "alice@example.com"}
    assert claims.keys() - USER_CLAIMS == given
    assert all(claims[name] == known[name] for name in given)


@pytest.mark.requirement("G09")
async def test_a_user_without_email_has_no_such_claim(jeton: Running) -> None:
    app = jeton.add_client(claims=frozenset({"email"}))
    jeton.add_user()

    assert "email" not in await verified(jeton, (await jeton.log_in(app))["access_token"])


@pytest.mark.requirement("G04")
async def test_the_authentication_stays_what_it_was_through_refreshes(jeton: Running, app: App) -> None:
    jeton.add_user()
    tokens = await jeton.log_in(app)
    first = await verified(jeton, tokens["access_token"])
    for _ in range(3):
        jeton.clock.advance(1000)
        tokens = await jeton.refreshed(app, tokens["refresh_token"])
    last = await verified(jeton, tokens["access_token"])

    assert (last["auth_time"], last["amr"], last["sid"], last["sub"]) == (
        START,
        ["pwd"],
        first["sid"],
        first["sub"],
    )
    assert (last["iat"], last["exp"]) == (START + 3000, START + 3600)
    assert last["jti"] != first["jti"]


@pytest.mark.requirement("G04")
async def test_a_new_login_is_a_new_authentication(jeton: Running, app: App) -> None:
    jeton.add_user()
    await jeton.log_in(app)
    jeton.clock.advance(1000)

    claims = await verified(jeton, (await jeton.log_in(app))["access_token"])

    assert claims["auth_time"] == START + 1000


@pytest.mark.requirement("G06", "O10")
async def test_roles_are_those_of_now(jeton: Running, app: App) -> None:
    user = jeton.add_user(roles=("admin",))
    tokens = await jeton.log_in(app)
    jeton.set_user(user.sub, roles=())

    refreshed = await jeton.refreshed(app, tokens["refresh_token"])

    assert (await verified(jeton, refreshed["access_token"]))["roles"] == []


@pytest.mark.requirement("F11", "G07", "I11", "O06")
@pytest.mark.parametrize(
    ("audience", "expected"),
    [((), ISSUER), ((API,), API), ((API, "https://b.example"), [API, "https://b.example"])],
    ids=["the server's default", "the client's", "several"],
)
async def test_the_audience_is_the_client_s_or_the_default(
    jeton: Running, audience: tuple[str, ...], expected: object
) -> None:
    app = jeton.add_client(audience=audience)
    jeton.add_user()
    tokens = await jeton.log_in(app)

    claims = await verified(jeton, tokens["access_token"], (*audience, ISSUER)[0])

    assert claims["aud"] == expected


@pytest.mark.requirement("F03", "F11", "G08")
async def test_a_token_is_refused_by_whom_it_is_not_for(jeton: Running, app: App) -> None:
    jeton.add_user()
    token = (await jeton.log_in(app))["access_token"]

    with pytest.raises(jwt.InvalidAudienceError):
        await verified(jeton, token, "https://elsewhere.example")


@pytest.mark.requirement("I07")
async def test_a_session_keeps_its_audience_when_the_client_gets_another(jeton: Running) -> None:
    app = jeton.add_client(audience=(API,))
    jeton.add_user()
    tokens = await jeton.log_in(app)
    jeton.set_client(app.client_id, audience=("https://b.example",))

    refreshed = await jeton.refreshed(app, tokens["refresh_token"])

    assert (await verified(jeton, refreshed["access_token"], API))["aud"] == API


@pytest.mark.requirement("A48", "F06", "F10")
@pytest.mark.parametrize("claim", ["sub", "scope", "aud", "exp", "iss", "roles"])
async def test_no_claim_can_be_altered(jeton: Running, app: App, claim: str) -> None:
    jeton.add_user()
    token = (await jeton.log_in(app))["access_token"]
    header, _, signature = token.split(".")
    altered = json.dumps(part(token, 1) | {claim: "other"}).encode()
    forged = f"{header}.{base64.urlsafe_b64encode(altered).rstrip(b'=').decode()}.{signature}"

    with pytest.raises(jwt.InvalidSignatureError):
        await verified(jeton, forged)
    assert await jeton.introspect(app, forged) == {"active": False}


@pytest.mark.requirement("F10", "O05")
@pytest.mark.parametrize("issuer", ["https://elsewhere.example", ISSUER + "/", "", None])
async def test_what_our_key_signed_for_another_issuer_is_not_ours(jeton: Running, app: App, issuer: object) -> None:
    jeton.add_user()
    claims = part((await jeton.log_in(app))["access_token"], 1)
    sign = jeton.keyring.signer.sign

    assert await jeton.introspect(app, sign(claims | {"iss": issuer})) == {"active": False}
    assert (await jeton.introspect(app, sign(claims)))["active"] is True


@pytest.mark.requirement("F14")
async def test_an_access_token_is_no_refresh_token_and_the_other_way_round(jeton: Running, app: App) -> None:
    jeton.add_user()
    tokens = await jeton.log_in(app)

    assert (await jeton.refresh(app, tokens["access_token"])).json()["error"] == "invalid_grant"
    with pytest.raises(jwt.DecodeError):
        await verified(jeton, tokens["refresh_token"])


@pytest.mark.requirement("G03")
async def test_a_user_whose_name_is_a_client_s_is_not_taken_for_it(jeton: Running, app: App) -> None:
    user = jeton.add_user(app.client_id)
    own = (await jeton.token(app, grant_type="client_credentials")).json()["access_token"]

    claims = await verified(jeton, (await jeton.log_in(app, app.client_id))["access_token"])

    assert claims["sub"] == user.sub
    assert (await verified(jeton, own))["sub"] == app.client_id != user.sub


@pytest.mark.requirement("A34")
async def test_the_longest_token_that_can_be_issued_can_be_presented(jeton: Running) -> None:
    scope = frozenset(f"{number:02}{'s' * 96}" for number in range(11))
    audience = tuple(f"https://{number}.{'a' * 83}.example" for number in range(7))
    fields: dict[str, Any] = {"scope": scope, "audience": audience, "claims": ("preferred_username", "email")}
    app = jeton.add_client("c" * 128, **fields)
    roles = tuple(f"{number}{'r' * 96}" for number in range(8))
    email = "\u00fc" * 64 + "@" + ".".join(["a" * 62] * 3)
    user = jeton.add_user("\U00010428" * 255, email=email, roles=roles)
    check_client(app.client)
    check_roles(user.roles)

    token = (await jeton.log_in(app, user.username))["access_token"]

    # A signature of 4096 bits is 341 characters longer, and an issuer may be longer than that of the tests.
    assert 6000 < len(token) <= MAX_CHARACTERS - 1000
    assert (await jeton.introspect(app, token))["active"]


@pytest.mark.parametrize(
    ("what", "refused"),
    [
        ("scopes", lambda: check_client(replace(CLIENT, scope=frozenset(f"{n:03}{'s' * 97}" for n in range(12))))),
        ("audiences", lambda: check_client(replace(CLIENT, audience=("a" * 798,)))),
        ("roles", lambda: check_roles(["\u00fc" * 399])),
    ],
    ids=["scopes", "audiences", "roles"],
)
def test_what_would_make_a_token_too_long_to_be_presented_is_refused(what: str, refused: Callable[[], None]) -> None:
    with pytest.raises(RegistrationError, match=f"the {what} of a .* are too long in total"):
        refused()
