"""DPoP at /account and userinfo, at introspection, and nonces (RFC 9449 sections 6 to 9)."""

from typing import Any
from unittest.mock import Mock

import httpx2
import pytest

from jeton.storage.database import StorageUnavailableError
from jeton.storage.tables import single_uses
from support.dpop import TOKEN_URL, DpopKey
from support.in_process_server import ISSUER, PASSWORD, Running, StartServer, shared_server
from support.sessions import unique_name

KEY, OTHER = DpopKey(), DpopKey.ed25519()
SCOPE = frozenset({"account", "openid", "profile"})
every_operation = pytest.mark.parametrize(
    ("method", "path", "options"),
    [
        ("GET", "/account", {}),
        ("GET", "/account/sessions", {}),
        ("DELETE", "/account/sessions", {}),
        ("DELETE", "/account/sessions/AAAAAAAAAAAAAAAAAAAAAA", {}),
        ("POST", "/account/password", {"data": {"current_password": PASSWORD, "new_password": PASSWORD[::-1]}}),
        ("GET", "/oauth/userinfo", {}),
        ("POST", "/oauth/userinfo", {}),
        ("HEAD", "/account", {}),
    ],
)
jeton = shared_server()


async def bound_token(jeton: Running, key: DpopKey | None = KEY, **claims: Any) -> str:
    """Return the access token of a new user, bound to the key."""
    app, user = jeton.add_client(unique_name("app"), scope=SCOPE), jeton.add_user(unique_name("user"))
    headers = {} if key is None else {"DPoP": key.proof(**claims)}
    form = {"grant_type": "password", "username": user.username, "password": PASSWORD}
    response = await jeton.token(app, headers, **form)
    assert response.status_code == 200, response.text
    return str(response.json()["access_token"])


async def send(
    jeton: Running, headers: dict[str, str], method: str = "GET", path: str = "/account", **options: Any
) -> httpx2.Response:
    return await jeton.http.request(method, path, headers=headers, **options)


def challenges(response: httpx2.Response) -> list[str]:
    return response.headers.get_list("www-authenticate")


def refusal(response: httpx2.Response) -> tuple[int, str]:
    """Return status and error code, which the challenge of the scheme that was used has as well."""
    error = response.json()["error"]
    assert f'error="{error}"' in challenges(response)[0]
    assert 'algs="ES256 EdDSA Ed25519"' in "".join(challenges(response))
    return response.status_code, error


@every_operation
@pytest.mark.requirement("DP11", "DP03", "L11")
async def test_a_bound_token_with_a_proof_for_the_request_authenticates_its_user(
    jeton: Running, method: str, path: str, options: dict[str, Any]
) -> None:
    token = await bound_token(jeton)

    response = await send(jeton, KEY.headers(method, ISSUER + path, token), method, path, **options)

    # There is no such session.
    assert response.status_code == (404 if path.endswith("AAAA") else 200)


@every_operation
@pytest.mark.requirement("DP11", "L14", "OI41")
async def test_bound_token_is_no_bearer_token(jeton: Running, method: str, path: str, options: dict[str, Any]) -> None:
    token = await bound_token(jeton)
    proof = KEY.proof(method, ISSUER + path, token)

    for more in ({}, {"DPoP": proof}):
        response = await send(jeton, {"Authorization": f"Bearer {token}", **more}, method, path, **options)
        assert response.status_code == 401
        assert 'Bearer realm="jeton", error="invalid_token"' in challenges(response)[0]
    if (method, path) == ("POST", "/oauth/userinfo"):
        assert refusal(await send(jeton, {}, method, path, data={"access_token": token})) == (401, "invalid_token")


@pytest.mark.requirement("DP11", "L14")
async def test_an_unbound_token_is_refused_under_the_scheme_dpop(jeton: Running) -> None:
    token = await bound_token(jeton, None)

    assert refusal(await send(jeton, KEY.headers("GET", ISSUER + "/account", token))) == (401, "invalid_token")
    assert (await send(jeton, {"Authorization": f"Bearer {token}"})).status_code == 200


@pytest.mark.requirement("DP01", "DP03", "DP11", "DP20", "L11")
@pytest.mark.parametrize(
    ("key", "proof", "error"),
    [
        (KEY, None, "invalid_dpop_proof"),
        (KEY, {"ath": None}, "invalid_dpop_proof"),
        (KEY, {"ath": "fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo"}, "invalid_dpop_proof"),
        (KEY, {"htm": "POST"}, "invalid_dpop_proof"),
        (KEY, {"htu": ISSUER + "/account/sessions"}, "invalid_dpop_proof"),
        (KEY, {"iat": 1}, "invalid_dpop_proof"),
        (OTHER, {}, "invalid_token"),
    ],
    ids=["none", "no ath", "ath of another token", "method", "path", "old", "another key"],
)
async def test_a_proof_that_is_not_for_this_request_is_refused_and_stores_nothing(
    jeton: Running, key: DpopKey, proof: dict[str, Any] | None, error: str
) -> None:
    token = await bound_token(jeton)
    headers = key.headers("GET", ISSUER + "/account", token, **(proof or {}))
    if proof is None:
        del headers["DPoP"]
    before = jeton.count(single_uses)

    response = await send(jeton, headers)

    assert refusal(response) == (401, error)
    assert challenges(response)[0].startswith('DPoP realm="jeton", error=')
    assert jeton.count(single_uses) == before


@pytest.mark.both_databases
@pytest.mark.requirement("DP05", "DP11", "L17")
async def test_a_proof_is_used_once_and_only_by_an_accepted_request(start: StartServer) -> None:
    jeton = await start()
    token = await bound_token(jeton)
    headers = KEY.headers("GET", ISSUER + "/account", token)

    assert (await send(jeton, headers)).status_code == 200
    assert refusal(await send(jeton, headers)) == (401, "invalid_dpop_proof")
    ended = await bound_token(jeton)
    jeton.clock.advance(600)
    fresh_key = DpopKey(jeton.clock, KEY.algorithm, KEY.key)
    before = jeton.count(single_uses)
    assert refusal(await send(jeton, fresh_key.headers("GET", ISSUER + "/account", ended))) == (401, "invalid_token")
    assert jeton.count(single_uses) == before


@pytest.mark.requirement("DP05", "DP11")
async def test_while_the_database_takes_no_writes_a_proof_is_not_accepted_unchecked(
    start: StartServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    jeton = await start()
    token, unbound = await bound_token(jeton), await bound_token(jeton, None)
    monkeypatch.setattr(jeton.database, "write", Mock(side_effect=StorageUnavailableError("away")))

    response = await send(jeton, KEY.headers("GET", ISSUER + "/account", token))

    assert (response.status_code, response.headers["retry-after"]) == (503, "1")
    assert (await send(jeton, {"Authorization": f"Bearer {unbound}"})).status_code == 200


@pytest.mark.requirement("DP10", "L13")
async def test_introspection_names_type_and_key(jeton: Running) -> None:
    app = jeton.add_client(unique_name("app"), introspect=True)
    for key, bound in ((KEY, {"token_type": "DPoP", "cnf": {"jkt": KEY.jkt}}), (None, {"token_type": "Bearer"})):
        headers = {} if key is None else {"DPoP": key.proof()}
        token = (await jeton.token(app, headers, grant_type="client_credentials")).json()["access_token"]

        answer = await jeton.introspect(app, token)

        assert {name: it for name, it in answer.items() if name in ("token_type", "cnf")} == bound


# Nonces


@pytest.mark.requirement("DP04", "DP12", "DP13", "DP15", "L15")
async def test_required_nonces_are_sent_accepted_for_an_overlap_and_never_optional(start: StartServer) -> None:
    jeton = await start(TOKENS__REQUIRE_DPOP_NONCE="true")
    app, form = jeton.add_client(), {"grant_type": "client_credentials"}
    wrong_clock = KEY  # The clock does not move.

    async def ask(**claims: Any) -> httpx2.Response:
        return await jeton.token(app, {"DPoP": wrong_clock.proof(**claims)}, **form)

    first = await ask()
    assert (first.status_code, first.json()["error"]) == (400, "use_dpop_nonce")
    (nonce,) = first.headers.get_list("dpop-nonce")
    answered = await ask(nonce=nonce)
    assert (answered.status_code, answered.headers.get_list("dpop-nonce")) == (200, [nonce])
    jeton.clock.advance(60)
    overlapping = await ask(nonce=nonce)
    assert overlapping.status_code == 200
    assert overlapping.headers["dpop-nonce"] != nonce
    jeton.clock.advance(60)
    for refused in (await ask(nonce=nonce), await ask(), await ask(nonce="guessed"), await ask(nonce=7)):
        assert (refused.status_code, refused.json()["error"]) == (400, "use_dpop_nonce")
    # A client that does not use DPoP is not affected.
    assert (await jeton.token(app, None, **form)).status_code == 200


@pytest.mark.requirement("DP12", "DP14", "DP15", "L15")
async def test_resources_require_separate_nonces(start: StartServer) -> None:
    jeton = await start(TOKENS__REQUIRE_DPOP_NONCE="true")
    nonce = (await jeton.http.post("/oauth/token")).headers["dpop-nonce"]
    token, url = await bound_token(jeton, nonce=nonce), ISSUER + "/account"

    for wrong in ({}, {"nonce": nonce}):
        response = await send(jeton, KEY.headers("GET", url, token, **wrong))
        assert refusal(response) == (401, "use_dpop_nonce")
        assert challenges(response)[0].startswith('DPoP realm="jeton", error="use_dpop_nonce"')
        (own,) = response.headers.get_list("dpop-nonce")
    assert (await send(jeton, KEY.headers("GET", url, token, nonce=own))).status_code == 200
    app = jeton.add_client("other")
    back = await jeton.token(app, {"DPoP": KEY.proof(nonce=own)}, grant_type="client_credentials")
    assert back.json()["error"] == "use_dpop_nonce"


@pytest.mark.requirement("DP12")
async def test_without_the_setting_no_nonce_is_sent_and_any_is_accepted(jeton: Running) -> None:
    app = jeton.add_client(unique_name("app"))
    response = await jeton.token(app, {"DPoP": KEY.proof(nonce="of before")}, grant_type="client_credentials")

    assert (response.status_code, "dpop-nonce" in response.headers) == (200, False)


@pytest.mark.requirement("DP03")
async def test_a_proof_names_the_issuer_whatever_host_and_path_the_request_came_by(start: StartServer) -> None:
    issuer = "https://login.example/tenant"
    jeton = await start(SERVER__ISSUER=issuer)
    app, form = jeton.add_client(), {"grant_type": "client_credentials"}

    async def status(path: str, url: str) -> int:
        headers = {"DPoP": KEY.proof(url=url), "Host": "attacker.example"}
        return (await jeton.post(path, app, headers, **form)).status_code

    for path in ("/oauth/token", "/tenant/oauth/token"):
        assert await status(path, issuer + "/oauth/token") == 200
        assert await status(path, "https://attacker.example/oauth/token") == 400
        assert await status(path, TOKEN_URL) == 400
