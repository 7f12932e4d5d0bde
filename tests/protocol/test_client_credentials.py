"""The client credentials grant (RFC 6749 section 4.4)."""

import pytest

from support.in_process_server import SESSIONS, App, Running, shared_server
from support.sessions import fresh

jeton = shared_server()


async def claims_of(jeton: Running, app: App, **more: str) -> dict[str, object]:
    response = await jeton.token(app, None, grant_type="client_credentials", **more)
    assert response.status_code == 200, response.text
    assert response.json().keys() == {"access_token", "token_type", "expires_in", "scope"}
    return jeton.claims(response.json()["access_token"])


@pytest.mark.requirement("A14", "A25", "A26", "A32", "F02", "G02", "G03")
async def test_token_names_the_client_and_neither_user_nor_session(jeton: Running) -> None:
    user = jeton.add_user(fresh())
    app = jeton.add_client(fresh(), claims=frozenset({"preferred_username", "email"}))
    named = {"username": user.username, "password": "x", "sub": user.sub, "refresh_token": "x"}

    first, second = await claims_of(jeton, app), await claims_of(jeton, app, **named)

    assert first.keys() == {"iss", "sub", "aud", "exp", "iat", "jti", "client_id", "scope", "status"}
    assert (first["sub"], first["client_id"]) == (app.client_id, app.client_id)
    assert second == first | {"jti": second["jti"], "status": second["status"]}
    assert second["jti"] != first["jti"]


@pytest.mark.requirement("A25", "A39", "O07")
@pytest.mark.parametrize(
    ("public", "grant_types"),
    [(True, SESSIONS | {"client_credentials"}), (False, SESSIONS)],
    ids=["public client", "without the grant"],
)
async def test_other_clients_are_unauthorized(jeton: Running, public: bool, grant_types: frozenset[str]) -> None:
    app = jeton.add_client(fresh(), public=public, grant_types=grant_types)

    response = await jeton.token(app, grant_type="client_credentials")

    assert (response.status_code, response.json()["error"]) == (400, "unauthorized_client")
