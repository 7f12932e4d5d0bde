"""Client secrets (RFC 6749 section 2.3.1): methods, rotation, failures that look alike; client cache (ADR 0005)."""

from base64 import b64encode
from typing import Any

import httpx2
import pytest

from jeton.crypto.credentials import digest_secret
from jeton.storage.clients import update_client
from support.authorization_codes import add_app, redeem, sign_in
from support.in_process_server import PASSWORD, START, App, Running
from support.responses import outcome, visible
from support.sessions import Session, new_session, unique_name

BASIC, POST = "client_secret_basic", "client_secret_post"
GRANT = {"grant_type": "client_credentials"}
OLD, NEW = digest_secret("old"), digest_secret("new")


async def send(jeton: Running, method: str, client_id: str, secret: str) -> httpx2.Response:
    if method == POST:
        return await jeton.http.post("/oauth/token", data=GRANT | {"client_id": client_id, "client_secret": secret})
    header = "Basic " + b64encode(f"{client_id}:{secret}".encode()).decode()
    return await jeton.http.post("/oauth/token", data=GRANT, headers={"Authorization": header})


@pytest.mark.requirement("A37", "A40", "N15")
@pytest.mark.parametrize(("method", "other"), [(BASIC, POST), (POST, BASIC)])
async def test_every_failure_has_the_same_response(jeton: Running, method: str, other: str) -> None:
    jeton.add_client("known")
    jeton.add_client("disabled", disabled=True, secret_digest=NEW)
    jeton.add_client("restricted", auth_methods=frozenset({other}), secret_digest=NEW)
    jeton.add_client("spa", public=True)
    jeton.add_client("secretless", secret_digest=None)

    answers = [
        await send(jeton, method, name, "new")
        for name in ("unknown", "known", "disabled", "restricted", "spa", "secretless", "x" * 129)
    ]

    assert len({repr(visible(it)) for it in answers}) == 1
    assert answers[0].status_code == 401


@pytest.mark.both_databases
@pytest.mark.requirement("A06", "A10", "K06")
async def test_client_may_use_only_its_own_methods(jeton: Running) -> None:
    for methods in (set(), {BASIC}, {POST}, {BASIC, POST}):
        app = jeton.add_client(unique_name(), auth_methods=frozenset(methods), secret_digest=NEW)
        for method in (BASIC, POST):
            status = (await send(jeton, method, app.client_id, "new")).status_code
            assert status == (200 if method in methods else 401)


@pytest.mark.both_databases
@pytest.mark.requirement("O14")
async def test_previous_secret_is_valid_until_its_overlap_ends(jeton: Running) -> None:
    for end, status in ((None, 401), (START - 1, 401), (START, 401), (START + 1, 200)):
        overlap: dict[str, Any] = {"previous_secret_digest": OLD, "previous_secret_expires_at": end}
        client_id = jeton.add_client(unique_name(), secret_digest=NEW, **overlap).client_id
        assert (await send(jeton, BASIC, client_id, "old")).status_code == status
        assert (await send(jeton, BASIC, client_id, "new")).status_code == 200
        assert (await send(jeton, BASIC, client_id, "older")).status_code == 401


@pytest.mark.requirement("A37")
async def test_empty_secret_is_not_counted_as_a_guess(jeton: Running) -> None:
    app = jeton.add_client()
    empty = [(await send(jeton, BASIC, it, "")).status_code for it in [app.client_id, "unknown"] * 60]

    assert empty == [401] * 120


# A cached client may authenticate, and everything else is decided by the stored one.


@pytest.fixture
async def session(jeton: Running) -> Session:
    return await new_session(jeton)


def change_elsewhere(jeton: Running, app: App, **columns: Any) -> None:
    """Change the client as another process does. This server has not read the change yet."""
    with jeton.database.write() as connection:
        update_client(connection, app.client_id, **columns)


@pytest.mark.both_databases
@pytest.mark.requirement("A37", "A39", "A42", "O03", "O07")
async def test_permission_removed_from_a_client_is_refused_at_its_next_refresh(
    jeton: Running, session: Session
) -> None:
    for change, scope, status, error in (
        ({"disabled": True}, "", 401, "invalid_client"),
        ({"grant_types": frozenset({"password"})}, "", 400, "unauthorized_client"),
        ({"scope": frozenset({"read"})}, "write", 400, "invalid_scope"),
        ({"scope": frozenset({"other"})}, "", 400, "invalid_scope"),
        ({"require_dpop": True}, "", 400, "invalid_dpop_proof"),
    ):
        before = {name: getattr(session.app.client, name) for name in change}
        change_elsewhere(jeton, session.app, **change)
        refused = await jeton.refresh(session.app, session.refresh, scope=scope)
        assert (refused.status_code, refused.json()["error"]) == (status, error)
        change_elsewhere(jeton, session.app, **before)

    assert await jeton.refreshed(session.app, session.refresh)


@pytest.mark.requirement("DP09")
async def test_newly_required_proof_is_required_at_once_for_a_login_and_a_code(jeton: Running) -> None:
    app, alice = add_app(jeton), sign_in(jeton)
    code = await alice.code(app)
    change_elsewhere(jeton, app, require_dpop=True)
    assert outcome(await redeem(jeton, app, code)) == (400, "invalid_dpop_proof")

    jeton.add_user("bob")
    other = jeton.add_client("other")
    change_elsewhere(jeton, other, require_dpop=True)
    login = {"grant_type": "password", "username": "bob", "password": PASSWORD}
    assert outcome(await jeton.token(other, None, **login)) == (400, "invalid_dpop_proof")


@pytest.mark.requirement("A37")
async def test_client_disabled_just_now_gets_the_response_to_failed_authentication(
    jeton: Running, session: Session
) -> None:
    change_elsewhere(jeton, session.app, disabled=True)

    cached = await jeton.refresh(session.app, session.refresh)
    wrong = await jeton.refresh(App(session.app.client, "wrong"), session.refresh)

    assert visible(cached) == visible(wrong)


@pytest.mark.requirement("A10")
async def test_new_authentication_method_is_accepted_at_once(jeton: Running) -> None:
    app = jeton.add_client(auth_methods=frozenset({BASIC}))
    assert (await send(jeton, POST, app.client_id, app.secret or "")).status_code == 401
    change_elsewhere(jeton, app, auth_methods=frozenset({POST}))

    assert (await send(jeton, POST, app.client_id, app.secret or "")).status_code == 200
