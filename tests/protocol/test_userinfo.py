"""Userinfo (OpenID Connect Core section 5.3): who may ask, and how."""

from typing import Any

import httpx2
import pytest
from sqlalchemy import update

from jeton.storage.tables import users
from support.authorization_codes import SignedIn, add_app, add_resource, sign_in
from support.in_process_server import App, Running

PATH = "/oauth/userinfo"
SCOPE = frozenset({"openid", "profile", "email", "read"})
BOTH = pytest.mark.parametrize("method", ["GET", "POST"])


@pytest.fixture
def app(jeton: Running) -> App:
    return add_app(jeton, scope=SCOPE)


@pytest.fixture
def alice(jeton: Running) -> SignedIn:
    return sign_in(jeton)


async def token(alice: SignedIn, app: App, scope: frozenset[str] = SCOPE, **more: Any) -> dict[str, Any]:
    return await alice.redeemed(app, await alice.code(app, scope=scope, **more))


async def ask(jeton: Running, access_token: str, method: str = "GET") -> httpx2.Response:
    return await jeton.http.request(method, PATH, headers={"Authorization": f"Bearer {access_token}"})


def refusal(response: httpx2.Response) -> tuple[int, str | None]:
    assert response.headers["www-authenticate"].startswith('Bearer realm="jeton"')
    return response.status_code, response.json().get("error")


@BOTH
@pytest.mark.requirement("OI40", "OI42")
async def test_claims_are_of_the_user_of_the_id_token(jeton: Running, app: App, alice: SignedIn, method: str) -> None:
    with jeton.database.write() as connection:
        connection.execute(update(users).values(profile={"name": "Alice Archer"}, email="alice@example.com"))
    tokens = await token(alice, app)

    response = await ask(jeton, tokens["access_token"], method)

    assert (response.status_code, response.headers["content-type"]) == (200, "application/json")
    assert response.headers["cache-control"] == "no-store"
    claims = response.json()
    assert (claims["sub"], claims["name"], claims["preferred_username"]) == (alice.user.sub, "Alice Archer", "alice")
    assert (claims["email"], claims["email_verified"]) == ("alice@example.com", False)
    id_token = jeton.keyring.id_token_verifier.verify(tokens["id_token"])
    assert id_token is not None
    assert id_token.claims["sub"] == claims["sub"]


@pytest.mark.requirement("OI40", "B02", "B03")
async def test_token_may_be_in_the_form_but_not_in_the_uri_nor_twice(jeton: Running, app: App, alice: SignedIn) -> None:
    access_token = (await token(alice, app))["access_token"]
    form, header = {"access_token": access_token}, {"Authorization": f"Bearer {access_token}"}

    assert (await jeton.http.post(PATH, data=form)).status_code == 200
    assert refusal(await jeton.http.post(PATH, data=form, headers=header)) == (400, "invalid_request")
    assert refusal(await jeton.http.get(PATH, params=form)) == (400, "invalid_request")
    assert refusal(await jeton.http.get(PATH)) == (401, None)
    assert refusal(await jeton.http.post(PATH)) == (401, None)


@pytest.mark.requirement("OI41")
async def test_only_tokens_with_openid_for_this_server_are_accepted(jeton: Running, app: App, alice: SignedIn) -> None:
    add_resource(jeton, "https://api.example", "read", "openid")
    jeton.set_client("app", resources=("https://api.example",))
    plain = await token(alice, app, frozenset({"read"}))
    assert refusal(await ask(jeton, plain["access_token"])) == (403, "insufficient_scope")
    of_api = await token(alice, app, resources=("https://api.example",))
    assert (await ask(jeton, of_api["access_token"])).status_code == 200
    for other in (of_api["id_token"], of_api["access_token"][:-4], "x"):
        assert refusal(await ask(jeton, other)) == (401, "invalid_token")


@pytest.mark.requirement("OI41")
async def test_the_current_scope_of_the_client_applies(jeton: Running, app: App, alice: SignedIn) -> None:
    access_token = (await token(alice, app))["access_token"]
    jeton.set_client("app", scope=frozenset({"openid", "read"}))

    assert (await ask(jeton, access_token)).json() == {"sub": alice.user.sub}
