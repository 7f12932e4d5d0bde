"""Authorization codes that are bound to a DPoP key, by dpop_jkt or by a proof at the push (RFC 9449 section 10)."""

import httpx2
import pytest

from support.authorization_codes import add_app, redeem, sign_in
from support.browsing import authorization_parameters, browser
from support.dpop import DpopKey
from support.in_process_server import ISSUER, App, Running, StartServer, shared_server
from support.responses import outcome
from support.sessions import fresh

KEY, OTHER = DpopKey(), DpopKey.ed25519()
PAR = "/oauth/par"
jeton = shared_server()


@pytest.mark.requirement("DP16", "L16")
@pytest.mark.parametrize("public", [True, False])
async def test_a_code_for_a_key_is_redeemed_by_that_key_only(jeton: Running, public: bool) -> None:
    app = add_app(jeton, fresh("app"), public=public)
    code = await sign_in(jeton, fresh("user")).code(app, dpop_jkt=KEY.jkt)

    for proof in (None, OTHER.proof()):
        assert outcome(await redeem(jeton, app, code, dpop=proof)) == (400, "invalid_grant")
    redeemed = await redeem(jeton, app, code, dpop=KEY.proof())

    assert (redeemed.status_code, redeemed.json()["token_type"]) == (200, "DPoP")


@pytest.mark.requirement("DP16", "L16")
async def test_the_key_of_an_authorization_request_travels_through_the_pages_to_its_code(jeton: Running) -> None:
    app, user = add_app(jeton, fresh("app"), public=True), jeton.add_user(fresh("user"))
    async with browser(jeton) as visitor:
        await visitor.authorize(app, dpop_jkt=KEY.jkt)
        await visitor.sign_in(user.username)
        await visitor.decide()
        code = visitor.answer["code"]

        assert outcome(await redeem(jeton, app, code, dpop=OTHER.proof())) == (400, "invalid_grant")
        assert (await redeem(jeton, app, code, dpop=KEY.proof())).status_code == 200
        for wrong in ("x", KEY.jkt + "=", KEY.jkt[:-1] + "/"):
            await visitor.authorize(app, dpop_jkt=wrong)
            assert visitor.answer["error"] == "invalid_request"


async def push(jeton: Running, app: App, key: DpopKey | None, jkt: str | None = None) -> httpx2.Response:
    headers = {} if key is None else {"DPoP": key.proof(url=ISSUER + PAR)}
    return await jeton.post(PAR, app, headers, **authorization_parameters(app, dpop_jkt=jkt))


@pytest.mark.requirement("DP16", "L16", "PA11")
@pytest.mark.parametrize(
    ("key", "jkt"), [(KEY, None), (None, KEY.jkt), (KEY, KEY.jkt)], ids=["proof", "dpop_jkt", "both"]
)
async def test_the_key_of_a_push_binds_the_code(jeton: Running, key: DpopKey | None, jkt: str | None) -> None:
    app, user = add_app(jeton, fresh("app")), jeton.add_user(fresh("user"))
    pushed = await push(jeton, app, key, jkt)
    assert pushed.status_code == 201, pushed.text
    async with browser(jeton) as visitor:
        await visitor.get("/oauth/authorize", client_id=app.client_id, request_uri=pushed.json()["request_uri"])
        await visitor.sign_in(user.username)
        await visitor.decide()
        code = visitor.answer["code"]

    assert outcome(await redeem(jeton, app, code, dpop=OTHER.proof())) == (400, "invalid_grant")
    assert (await redeem(jeton, app, code, dpop=KEY.proof())).status_code == 200


@pytest.mark.requirement("DP03", "PA11")
async def test_a_push_with_a_wrong_proof_or_two_keys_is_refused(jeton: Running) -> None:
    app = add_app(jeton, fresh("app"))

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
