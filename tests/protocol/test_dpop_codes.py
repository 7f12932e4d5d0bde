"""Authorization codes that are bound to a DPoP key, by dpop_jkt or by a proof at the push (RFC 9449 section 10)."""

import httpx2
import pytest

from support.authorization_codes import add_app, redeem
from support.browsing import Browser, authorization_parameters, browser
from support.dpop import DpopKey
from support.in_process_server import ISSUER, App, Running, StartServer, shared_server
from support.responses import outcome
from support.sessions import unique_name

KEY, OTHER = DpopKey(), DpopKey.ed25519()
PAR = "/oauth/par"
jeton = shared_server()


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


@pytest.mark.requirement("DP16")
async def test_malformed_thumbprint_is_refused(jeton: Running) -> None:
    app = add_app(jeton, unique_name("app"))
    async with browser(jeton) as visitor:
        for wrong in ("x", KEY.jkt + "=", KEY.jkt[:-1] + "/"):
            await visitor.authorize(app, dpop_jkt=wrong)
            assert visitor.answer["error"] == "invalid_request"


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
