"""ID tokens of another algorithm than access tokens (OpenID Connect Core 15.1, Discovery section 3, ADR 0030)."""

import hashlib
from typing import Any

import jwt
import pytest

from jeton.rules.key_lifecycle import PROPAGATION_SECONDS, KeyState
from support.authorization_codes import SignedIn, add_app, redeem, sign_in
from support.base64url import base64url
from support.browsing import browser
from support.in_process_server import App, Running, StartServer
from support.signing_keys import (
    ECDSA,
    by_state,
    new_token,
    published_kids,
    replace_by_ecdsa_keys,
    revoke_key,
    rotate,
    signer_of,
    stored_keys,
    verified_id_token,
)

DAY, MAX_AGE = 86400, 300
READY = MAX_AGE + PROPAGATION_SECONDS
OPENID = frozenset({"openid", "read"})
ACTIVE, NEXT, RETIRING, REVOKED = KeyState.ACTIVE, KeyState.NEXT, KeyState.RETIRING, KeyState.REVOKED


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    """A database after the first start of a server with ES256."""
    replace_by_ecdsa_keys(sqlite_url)
    return sqlite_url


@pytest.fixture
async def jeton(start: StartServer) -> Running:
    return await start(**ECDSA)


def advance(jeton: Running, seconds: int) -> None:
    jeton.clock.advance(seconds)
    jeton.shared_state.refresh()


async def tokens_of(alice: SignedIn, app: App) -> dict[str, Any]:
    return await alice.redeemed(app, await alice.code(app, scope=OPENID))


async def announced(jeton: Running) -> list[str]:
    document = (await jeton.http.get("/.well-known/openid-configuration")).json()
    return list(document["id_token_signing_alg_values_supported"])


def algorithm_of(token: str) -> str:
    return str(jwt.get_unverified_header(token)["alg"])


@pytest.mark.requirement("OI24", "OI25", "OI51")
@pytest.mark.parametrize(("algorithm", "octets"), [("RS256", 16), ("ES256", 16), ("EdDSA", 32)])
async def test_each_client_has_id_tokens_of_its_algorithm_beside_other_access_tokens(
    jeton: Running, algorithm: str, octets: int
) -> None:
    app, alice = add_app(jeton, scope=OPENID, id_token_alg=algorithm, refresh_token="always"), sign_in(jeton)
    advance(jeton, 0)
    advance(jeton, READY)

    tokens = await tokens_of(alice, app)

    access_token = tokens["access_token"]
    assert (algorithm_of(access_token), algorithm_of(tokens["id_token"])) == ("ES256", algorithm)
    digest = hashlib.new("sha256" if octets == 16 else "sha512", access_token.encode()).digest()
    expected = base64url(digest[:octets])
    assert verified_id_token(jeton, tokens["id_token"])["at_hash"] == expected
    assert algorithm_of((await jeton.refreshed(app, tokens["refresh_token"]))["id_token"]) == algorithm
    assert await announced(jeton) == sorted({"RS256", "ES256", algorithm}, key=["RS256", "ES256", "EdDSA"].index)


@pytest.mark.requirement("OI24", "OI51")
async def test_rs256_key_exists_from_the_first_start(jeton: Running) -> None:
    app, alice = add_app(jeton, scope=OPENID), sign_in(jeton)
    advance(jeton, 0)

    assert algorithm_of((await tokens_of(alice, app))["id_token"]) == "RS256"
    assert await announced(jeton) == ["RS256", "ES256"]


@pytest.mark.requirement("OI24")
async def test_new_algorithm_is_published_before_it_signs_and_refused_until_then(jeton: Running) -> None:
    app = add_app(jeton, scope=OPENID, id_token_alg="EdDSA")
    jeton.add_user()
    advance(jeton, 0)
    (first,) = stored_keys(jeton, "EdDSA")
    assert (first.state, first.ready_at) == (NEXT, jeton.clock.now() + READY)
    assert first.kid in await published_kids(jeton, "EdDSA")

    async with browser(jeton) as visitor:
        for seconds in (0, READY - 1):
            advance(jeton, seconds)
            await visitor.authorize(app, scope="openid")
            assert visitor.answer["error"] == "temporarily_unavailable"
            assert "EdDSA yet" in visitor.answer["error_description"]
            assert await announced(jeton) == ["RS256", "ES256"]
        await visitor.authorize(app)
        assert visitor.path == "/sign-in"
        advance(jeton, 1)
        await visitor.authorize(app, scope="openid")
        assert visitor.path == "/sign-in"


@pytest.mark.requirement("OI24", "OI27")
async def test_while_its_new_algorithm_is_not_ready_a_client_refreshes_without_id_token_and_loses_no_code(
    jeton: Running,
) -> None:
    app, alice = add_app(jeton, scope=OPENID, refresh_token="always"), sign_in(jeton)
    tokens, code = await tokens_of(alice, app), await alice.code(app, scope=OPENID)
    jeton.set_client("app", id_token_alg="EdDSA")
    advance(jeton, 0)

    refused = await redeem(jeton, app, code)
    assert (refused.status_code, refused.json()["error"]) == (503, "temporarily_unavailable")
    refreshed = await jeton.refreshed(app, tokens["refresh_token"])
    assert "id_token" not in refreshed

    jeton.set_client("app", id_token_alg="ES256")
    advance(jeton, 0)
    assert algorithm_of((await alice.redeemed(app, code))["id_token"]) == "ES256"
    assert algorithm_of((await jeton.refreshed(app, refreshed["refresh_token"]))["id_token"]) == "ES256"


@pytest.mark.requirement("OI24", "OI28")
async def test_key_of_id_tokens_signs_no_access_token_and_an_access_token_is_no_id_token(jeton: Running) -> None:
    app = add_app(jeton, scope=OPENID, introspect=True)
    jeton.add_user()
    tokens = await jeton.log_in(jeton.add_client("web"))
    forged = jeton.keyring.id_token_signer("RS256").sign(
        jwt.decode(tokens["access_token"], options={"verify_signature": False})
    )

    assert (await jeton.introspect(app, tokens["access_token"]))["active"] is True
    assert await jeton.introspect(app, forged) == {"active": False}
    assert jeton.keyring.verifier.verify(forged) is None
    assert jeton.keyring.id_token_verifier.verify(tokens["access_token"]) is None


@pytest.mark.requirement("OI24", "LO03")
async def test_keys_of_id_tokens_rotate_and_are_revoked_by_themselves(jeton: Running) -> None:
    app, alice = add_app(jeton, scope=OPENID), sign_in(jeton)
    old, before = await tokens_of(alice, app), by_state(stored_keys(jeton, "RS256"), "RS256")
    assert signer_of(old["id_token"]) == before[ACTIVE]

    rotate(jeton)
    rotated = by_state(stored_keys(jeton, "RS256"), "RS256")
    new = await tokens_of(alice, app)

    assert (rotated[RETIRING], rotated[ACTIVE]) == (before[ACTIVE], before[NEXT])
    assert signer_of(new["id_token"]) == rotated[ACTIVE]
    assert await published_kids(jeton, "RS256") == set(rotated.values())
    for tokens in (old, new):
        assert jeton.keyring.id_token_verifier.verify(tokens["id_token"]) is not None
        assert verified_id_token(jeton, tokens["id_token"])["sub"] == alice.user.sub

    signer = jeton.keyring.signer.kid
    jeton.clock.advance(PROPAGATION_SECONDS)
    revoke_key(jeton, rotated[ACTIVE])
    assert signer_of((await tokens_of(alice, app))["id_token"]) == rotated[NEXT]
    assert jeton.keyring.id_token_verifier.verify(new["id_token"]) is None
    assert signer_of(await new_token(jeton, jeton.add_client())) == signer


@pytest.mark.requirement("OI24", "F04")
async def test_rs256_never_pauses_while_access_tokens_change_to_it_and_back(start: StartServer, jeton: Running) -> None:
    app, alice = add_app(jeton, scope=OPENID), sign_in(jeton)

    for algorithm in ("RS256", "EdDSA"):
        node = await start(KEYS__ALGORITHM=algorithm, KEYS__PUBLISH_AHEAD_SECONDS="0")
        for seconds in (0, READY - 1, 1, 0):
            advance(node, seconds)
            advance(jeton, 0)
            for server in (node, jeton):
                alice_there = SignedIn(server, alice.user, alice.browser_session)
                assert algorithm_of((await tokens_of(alice_there, app))["id_token"]) == "RS256"
        assert algorithm_of(await new_token(jeton, jeton.add_client(f"of {algorithm}"))) == algorithm
        await start(KEYS__ALGORITHM=algorithm, KEYS__PUBLISH_AHEAD_SECONDS="0")
        states = [key.state for key in stored_keys(jeton, "RS256")]
        assert sorted(states) == ([RETIRING] if algorithm == "RS256" else [ACTIVE, NEXT, RETIRING])


@pytest.mark.requirement("O14")
async def test_longest_lifetime_of_any_token_is_recorded_in_the_keys_of_each_series(start: StartServer) -> None:
    def recorded() -> list[int]:
        keys = [*stored_keys(node, "access_token"), *stored_keys(node, "RS256")]
        return [it.longest_seconds for it in keys if it.state is ACTIVE]

    node = await start(**ECDSA, TOKENS__ACCESS_SECONDS="10", TOKENS__STATUS_LIST="false")
    rotate(node)
    assert recorded() == [120, 120], "logout tokens live longer than these access tokens"
    for seconds, longest in (("7200", 7200), ("600", 7200)):
        node = await start(**ECDSA, TOKENS__ACCESS_SECONDS=seconds)
        assert recorded() == [longest, longest]
