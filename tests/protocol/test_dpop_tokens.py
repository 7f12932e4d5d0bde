"""DPoP at the token endpoint (RFC 9449 sections 5 and 10): how tokens and codes are bound, what wrong proofs cost."""

import json
from typing import Any

import httpx2
import pytest
from joserfc import jws

from support.authorization_codes import add_app, redeem, sign_in
from support.browsing import Browser, authorization_parameters, browser
from support.dpop import DpopKey
from support.hash_counter import count_hashes
from support.in_process_server import ISSUER, PASSWORD, App, Running, StartServer, shared_server
from support.responses import outcome
from support.sessions import unique_name
from support.statement_recorder import statements_of
from support.stored_sessions import stored_family

KEY, OTHER = DpopKey(), DpopKey.ed25519()
jeton = shared_server()


async def log_in(jeton: Running, app: App, key: DpopKey | None) -> dict[str, Any]:
    """Return the tokens of a new user."""
    user = jeton.add_user(unique_name("user"))
    response = await request_with_proof(
        jeton, app, key, grant_type="password", username=user.username, password=PASSWORD
    )
    assert response.status_code == 200, response.text
    return dict(response.json())


async def request_with_proof(
    jeton: Running, app: App, key: DpopKey | None, idempotency_key: str | None = None, **form: str
) -> httpx2.Response:
    """Send a token request with a new proof by this key."""
    headers = {} if key is None else {"DPoP": key.proof()}
    if idempotency_key is not None:
        headers["Idempotency-Key"] = idempotency_key
    return await jeton.token(app, headers, **form)


async def refresh(
    jeton: Running, app: App, token: str, key: DpopKey | None, idempotency_key: str | None = None
) -> httpx2.Response:
    return await request_with_proof(jeton, app, key, idempotency_key, grant_type="refresh_token", refresh_token=token)


def claims_of(tokens: dict[str, Any]) -> dict[str, Any]:
    claims: dict[str, Any] = json.loads(jws.extract_compact(tokens["access_token"].encode()).payload)
    return claims


def bound_to(tokens: dict[str, Any]) -> tuple[str, Any]:
    """Return the token type and the claim `cnf` of the token."""
    return tokens["token_type"], claims_of(tokens).get("cnf")


@pytest.mark.requirement("DP07", "DP10", "L12", "L13", "OI26")
@pytest.mark.parametrize("key", [KEY, OTHER, None], ids=["ES256", "Ed25519", "no proof"])
@pytest.mark.parametrize("grant", ["password", "client_credentials", "authorization_code", "refresh_token"])
async def test_tokens_of_each_grant_are_bound_to_the_proof(jeton: Running, grant: str, key: DpopKey | None) -> None:
    app = jeton.add_client(unique_name("app"))
    if grant == "client_credentials":
        tokens = (await request_with_proof(jeton, app, key, grant_type=grant)).json()
    elif grant == "authorization_code":
        app = add_app(jeton, unique_name("app"))
        code = await sign_in(jeton, unique_name("user")).code(app)
        tokens = (await redeem(jeton, app, code, dpop=None if key is None else key.proof())).json()
    else:
        tokens = await log_in(jeton, app, key)
        if grant == "refresh_token":
            tokens = (await refresh(jeton, app, tokens["refresh_token"], key)).json()

    assert bound_to(tokens) == (("Bearer", None) if key is None else ("DPoP", {"jkt": key.jkt}))


@pytest.mark.requirement("DP06", "DP07", "DP20", "L12")
async def test_refresh_token_of_a_public_client_takes_its_key_and_nothing_else_ends_the_session(jeton: Running) -> None:
    app = jeton.add_client(unique_name("app"), public=True)
    token = (await log_in(jeton, app, KEY))["refresh_token"]
    spent = token
    token = (await refresh(jeton, app, spent, KEY)).json()["refresh_token"]

    for wrong in (None, OTHER):
        # The second one would be a replay.
        for presented in (token, spent):
            assert outcome(await refresh(jeton, app, presented, wrong)) == (400, "invalid_grant")
    family = stored_family(jeton, token)
    assert family is not None
    assert (family.generation, family.revoked_at, family.dpop_jkt) == (1, None, KEY.jkt)

    refreshed = (await refresh(jeton, app, token, KEY)).json()
    assert bound_to(refreshed) == ("DPoP", {"jkt": KEY.jkt})
    # With the key it is a replay.
    assert outcome(await refresh(jeton, app, spent, KEY)) == (400, "invalid_grant")
    assert outcome(await refresh(jeton, app, refreshed["refresh_token"], KEY)) == (400, "invalid_grant")


@pytest.mark.requirement("F02")
async def test_a_repeated_refresh_with_another_key_has_another_jti(jeton: Running) -> None:
    app = jeton.add_client(unique_name("app"), lifetimes={"retry_grace_seconds": 10})
    spent = (await log_in(jeton, app, None))["refresh_token"]

    first, second = [claims_of((await refresh(jeton, app, spent, key)).json()) for key in (KEY, OTHER)]

    assert first["cnf"] != second["cnf"]
    assert first["jti"] != second["jti"]


@pytest.mark.requirement("DP07")
async def test_a_session_that_began_without_a_key_is_not_bound_later(jeton: Running) -> None:
    """An attacker with a stolen refresh token could bind it, and its owner could then not even end the session."""
    app = jeton.add_client(unique_name("app"), public=True)
    spent = (await log_in(jeton, app, None))["refresh_token"]
    stolen = (await refresh(jeton, app, spent, OTHER)).json()

    assert bound_to(stolen) == ("DPoP", {"jkt": OTHER.jkt})
    assert outcome(await refresh(jeton, app, spent, None)) == (400, "invalid_grant")
    assert outcome(await refresh(jeton, app, stolen["refresh_token"], OTHER)) == (400, "invalid_grant")


@pytest.mark.both_databases
@pytest.mark.requirement("DP05", "DP20", "L17")
async def test_a_proof_is_used_once_and_its_replay_costs_no_refresh_token(start: StartServer) -> None:
    jeton = await start()
    app, proof = jeton.add_client(), KEY.proof()
    token = (await log_in(jeton, app, KEY))["refresh_token"]
    used = await jeton.token(app, {"DPoP": proof}, grant_type="client_credentials")

    form = {"grant_type": "refresh_token", "refresh_token": token}
    assert used.status_code == 200
    for again in (form, {"grant_type": "client_credentials"}):
        assert outcome(await jeton.token(app, {"DPoP": proof}, **again)) == (400, "invalid_dpop_proof")
    first = await jeton.token(app, {"DPoP": (proof := KEY.proof())}, **form)
    # Not a replay of the refresh token, because the proof is checked first.
    assert outcome(await jeton.token(app, {"DPoP": proof}, **form)) == (400, "invalid_dpop_proof")
    assert (await refresh(jeton, app, first.json()["refresh_token"], KEY)).status_code == 200


@pytest.mark.requirement("DP05")
@pytest.mark.parametrize(("key", "uses"), [(None, []), (KEY, ["INSERT", "SELECT"])])
async def test_a_refresh_reads_and_writes_the_use_of_its_proof_and_without_one_nothing_more(
    jeton: Running, key: DpopKey | None, uses: list[str]
) -> None:
    app = jeton.add_client(unique_name("app"))
    token = (await log_in(jeton, app, key))["refresh_token"]

    with statements_of(jeton) as statements:
        assert (await refresh(jeton, app, token, key)).status_code == 200

    # Maintenance counts the rows periodically.
    assert sorted(it.split()[0] for it in statements if "single_uses" in it and "count(" not in it) == uses


@pytest.mark.requirement("CO05", "DP06")
@pytest.mark.parametrize("public", [True, False])
@pytest.mark.parametrize("grant", ["refresh_token", "authorization_code"])
async def test_lost_answer_is_repeated_with_a_new_proof_by_its_key(jeton: Running, grant: str, public: bool) -> None:
    app, alice = add_app(jeton, unique_name("app"), public=public), sign_in(jeton, unique_name("user"))
    code = await alice.code(app)
    token = (
        "" if grant == "authorization_code" else (await alice.redeemed(app, code, dpop=KEY.proof()))["refresh_token"]
    )

    async def send(key: DpopKey, repetition: str) -> httpx2.Response:
        if grant == "refresh_token":
            return await refresh(jeton, app, token, key, repetition)
        return await redeem(jeton, app, code, repetition, dpop=key.proof())

    first, again = await send(KEY, "key"), await send(KEY, "key")

    assert (first.status_code, again.status_code) == (200, 200)
    assert claims_of(again.json()) == claims_of(first.json())
    assert again.json()["refresh_token"] == first.json()["refresh_token"]
    assert outcome(await send(OTHER, "key")) == (400, "invalid_grant")
    family = stored_family(jeton, first.json()["refresh_token"])
    assert family is not None
    # A confidential client with another key has sent another request: a replay, which ends the session.
    assert (family.revoked_at is None) == public


@pytest.mark.requirement("DP09")
async def test_a_client_that_must_use_dpop_gets_no_token_without_a_proof(jeton: Running) -> None:
    app = jeton.add_client(unique_name("app"), require_dpop=True)
    token = (await log_in(jeton, app, KEY))["refresh_token"]

    own_name = await request_with_proof(jeton, app, None, grant_type="client_credentials")
    for refused in (own_name, await refresh(jeton, app, token, None)):
        assert outcome(refused) == (400, "invalid_dpop_proof")
    assert (await refresh(jeton, app, token, KEY)).status_code == 200


@pytest.mark.requirement("DP01", "DP02", "DP03", "DP04", "DP20", "L10", "L11", "L12")
@pytest.mark.parametrize(
    "proofs",
    [
        pytest.param([""], id="empty"),
        pytest.param([KEY.proof(), KEY.proof()], id="two headers"),
        pytest.param([KEY.proof(header={"jwk": OTHER.public_jwk()})], id="another key"),
        pytest.param([KEY.proof("GET")], id="another method"),
        pytest.param([KEY.proof(url=ISSUER + "/oauth/revoke")], id="another endpoint"),
        pytest.param([KEY.proof(iat=1_700_000_000)], id="old"),
    ],
)
async def test_a_wrong_proof_is_refused_before_password_and_database(
    jeton: Running, monkeypatch: pytest.MonkeyPatch, proofs: list[str]
) -> None:
    app, user = jeton.add_client(unique_name("app")), jeton.add_user(unique_name("user"))
    token = (await log_in(jeton, app, None))["refresh_token"]
    headers = [("DPoP", it) for it in proofs]
    hashes = count_hashes(jeton, monkeypatch)

    async def send(**form: str) -> httpx2.Response:
        assert app.auth is not None
        return await jeton.http.post("/oauth/token", data=form, auth=app.auth, headers=headers)

    with statements_of(jeton) as statements:
        wrong = [
            await send(grant_type="password", username=user.username, password=PASSWORD),
            await send(grant_type="refresh_token", refresh_token=token),
            await send(grant_type="client_credentials"),
        ]

    assert [outcome(it) for it in wrong] == [(400, "invalid_dpop_proof")] * 3
    # The client may have to be read: it authenticates before its proof is checked.
    assert (hashes, [it for it in statements if "FROM clients" not in it]) == ([], [])
    assert (await refresh(jeton, app, token, None)).status_code == 200


@pytest.mark.requirement("DP19")
async def test_a_proof_replaces_no_other_check(jeton: Running) -> None:
    app = jeton.add_client(unique_name("app"))
    form = {"grant_type": "client_credentials"}

    wrong_secret = await jeton.token(App(app.client, "jcs_wrong"), {"DPoP": KEY.proof()}, **form)
    wrong_scope = await jeton.token(app, {"DPoP": KEY.proof()}, **form, scope="admin")

    assert outcome(wrong_secret) == (401, "invalid_client")
    assert outcome(wrong_scope) == (400, "invalid_scope")


@pytest.mark.requirement("DP05")
async def test_requests_with_a_proof_wait_while_the_store_is_full_and_others_do_not(
    start: StartServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    jeton = await start()
    app = jeton.add_client()
    tokens = await log_in(jeton, app, None)
    monkeypatch.setattr("jeton.storage.ledger.replay_store.MAX_ROWS", 0)
    jeton.shared_state.refresh()

    full = await refresh(jeton, app, tokens["refresh_token"], KEY)

    assert (*outcome(full), full.headers["retry-after"]) == (503, "temporarily_unavailable", "1")
    assert (await refresh(jeton, app, tokens["refresh_token"], None)).status_code == 200


# Authorization codes that are bound to a key, by dpop_jkt or by a proof at the push (section 10).


PAR = "/oauth/par"


async def push(jeton: Running, app: App, key: DpopKey | None, jkt: str | None = None) -> httpx2.Response:
    headers = {} if key is None else {"DPoP": key.proof(url=ISSUER + PAR)}
    return await jeton.post(PAR, app, headers, **authorization_parameters(app, dpop_jkt=jkt))


async def requested(jeton: Running, visitor: Browser, app: App, key: DpopKey | None, jkt: str | None, by: str) -> None:
    """Open an authorization request for the key in this way."""
    if by == "push":
        pushed = await push(jeton, app, key, jkt)
        assert pushed.status_code == 201, pushed.text
        await visitor.get("/oauth/authorize", client_id=app.client_id, request_uri=pushed.json()["request_uri"])
    else:
        await visitor.authorize(app, dpop_jkt=jkt)


@pytest.mark.requirement("DP16", "L16", "PA11")
@pytest.mark.parametrize("public", [True, False])
@pytest.mark.parametrize(
    ("by", "key", "jkt"),
    [("page", None, KEY.jkt), ("push", KEY, None), ("push", None, KEY.jkt), ("push", KEY, KEY.jkt)],
    ids=["request", "proof of a push", "push", "both"],
)
async def test_a_code_is_redeemed_only_by_the_key_that_its_request_named(
    jeton: Running, by: str, key: DpopKey | None, jkt: str | None, public: bool
) -> None:
    app, user = add_app(jeton, unique_name("app"), public=public), jeton.add_user(unique_name("user"))
    async with browser(jeton) as visitor:
        await requested(jeton, visitor, app, key, jkt, by)
        await visitor.finish(user.username)
        code = visitor.answer["code"]

    for proof in (None, OTHER.proof()):
        assert outcome(await redeem(jeton, app, code, dpop=proof)) == (400, "invalid_grant")
    redeemed = await redeem(jeton, app, code, dpop=KEY.proof())
    assert (redeemed.status_code, redeemed.json()["token_type"]) == (200, "DPoP")


@pytest.mark.requirement("DP03", "PA11")
async def test_a_push_with_a_wrong_proof_or_two_keys_is_refused(jeton: Running) -> None:
    app = add_app(jeton, unique_name("app"))

    assert outcome(await push(jeton, app, KEY, OTHER.jkt)) == (400, "invalid_request")
    assert outcome(await push(jeton, app, None, "x")) == (400, "invalid_request")
    for_another_endpoint = {"DPoP": KEY.proof()}
    response = await jeton.post(PAR, app, for_another_endpoint, **authorization_parameters(app))
    assert outcome(response) == (400, "invalid_dpop_proof")


@pytest.mark.requirement("DP12", "DP15", "PA11")
async def test_a_push_takes_the_same_nonces_as_a_token_request(start: StartServer) -> None:
    jeton = await start(TOKENS__REQUIRE_DPOP_NONCE="true")
    app = add_app(jeton)
    first = await push(jeton, app, KEY)
    assert outcome(first) == (400, "use_dpop_nonce")

    proof = {"DPoP": KEY.proof(url=ISSUER + PAR, nonce=first.headers["dpop-nonce"])}
    response = await jeton.post(PAR, app, proof, **authorization_parameters(app))

    assert response.status_code == 201
    form = {"grant_type": "refresh_token", "refresh_token": "garbage"}
    token = await jeton.token(app, {"DPoP": KEY.proof(nonce=response.headers["dpop-nonce"])}, **form)
    assert outcome(token) == (400, "invalid_grant")
