"""Login by user name and password, by clients that have the grant (RFC 6749 section 4.3)."""

import asyncio
from typing import Any

import pytest
from structlog.testing import capture_logs

from jeton.crypto.passwords import Verified
from jeton.storage.users import delete_user, find_users
from support.authorization_codes import add_resource
from support.hash_counter import count_hashes
from support.in_process_server import PASSWORD, SESSIONS, App, Running, StartServer
from support.responses import outcome, visible

LOGIN = {"grant_type": "password", "username": "alice", "password": PASSWORD}
API, OTHER_API = "https://api.example", "https://other.example"


@pytest.mark.both_databases
@pytest.mark.requirement("A38", "N15", "O19")
async def test_wrong_password_and_unusable_account_look_the_same(jeton: Running, app: App) -> None:
    jeton.add_user("carol", disabled=True)
    jeton.add_user("dave", password_hash=None)
    gone = jeton.add_user("erin")
    with jeton.database.write() as connection:
        delete_user(connection, gone.sub)
    wrong = [("alice", it) for it in ("wrong", PASSWORD + " ", "x" * 1025)] + [("carol", "wrong")]
    nobody = ["nobody", "carol", "dave", "erin", "no user name: spaces", "\u0001", "x" * 256]

    answers = [
        await jeton.token(app, None, **LOGIN | {"username": username, "password": password})
        for username, password in (*wrong, *((name, PASSWORD) for name in nobody))
    ]

    assert outcome(answers[0]) == (400, "invalid_grant")
    assert len({repr(visible(answer)) for answer in answers}) == 1


@pytest.mark.requirement("A21", "A31", "A39", "I12", "O07")
async def test_grant_can_be_switched_off_and_open_sessions_continue(start: StartServer) -> None:
    before, after = await start(), await start(GRANTS__PASSWORD="false")
    app = before.add_client()
    before.add_user()
    tokens = await before.log_in(app)

    assert outcome(await after.token(app, None, **LOGIN)) == (400, "unsupported_grant_type")
    assert await after.refreshed(app, tokens["refresh_token"])


@pytest.mark.requirement("A23", "O16", "P6", "P7")
async def test_nothing_is_hashed_for_a_request_that_may_not_log_in(
    jeton: Running, app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_grant = jeton.add_client("without", grant_types=frozenset({"refresh_token"}))
    runs = count_hashes(jeton, monkeypatch)

    answers = [
        await jeton.token(None, None, **LOGIN),
        await jeton.token(None, None, **LOGIN, client_id=app.client_id, client_secret="wrong"),
        await jeton.token(without_grant, None, **LOGIN),
        await jeton.token(app, None, **LOGIN, scope="admin"),
        await jeton.token(app, None, **LOGIN, scope='"'),
        await jeton.token(app, grant_type="password", username="alice"),
        await jeton.token(app, None, **LOGIN | {"grant_type": "client_credentials"}),
    ]

    assert [it.status_code for it in answers] == [401, 401, 400, 400, 400, 400, 200]
    assert runs == []


@pytest.mark.requirement("N15")
async def test_every_login_costs_one_hash(jeton: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    app = jeton.add_client()
    alice, _ = jeton.add_user(), jeton.add_user("carol", disabled=True)
    runs = count_hashes(jeton, monkeypatch)

    for username in ("alice", "carol", "nobody", "no user name"):
        await jeton.token(app, None, **LOGIN | {"username": username})

    assert runs == [alice.password_hash, None, None, None]


@pytest.mark.both_databases
@pytest.mark.requirement("I09", "O03", "O16")
@pytest.mark.parametrize(
    ("user", "client", "error"),
    [
        pytest.param({"password_version": 2}, {}, "invalid_grant", id="password changed"),
        pytest.param({"disabled": True}, {}, "invalid_grant", id="user disabled"),
        pytest.param({}, {"disabled": True}, "unauthorized_client", id="client disabled"),
        pytest.param({}, {"grant_types": frozenset({"refresh_token"})}, "unauthorized_client", id="grant taken away"),
        pytest.param({}, {"scope": frozenset({"read"})}, "invalid_scope", id="scope taken away"),
        pytest.param({}, {"resources": (OTHER_API,)}, "invalid_target", id="resource taken away"),
        pytest.param({}, {"audience": (OTHER_API,)}, "invalid_target", id="audience taken away"),
    ],
)
async def test_change_during_the_password_check_takes_effect(
    jeton: Running, monkeypatch: pytest.MonkeyPatch, user: dict[str, Any], client: dict[str, Any], error: str
) -> None:
    resources = add_resource(jeton, API).uri, add_resource(jeton, OTHER_API).uri
    app = jeton.add_client(grant_types=SESSIONS, resources=resources, audience=(API,))
    alice, form = jeton.add_user(), LOGIN if "audience" in client else LOGIN | {"resource": API}
    verify = jeton.passwords.verify

    def verify_and_change(password_hash: str | None, password: str) -> Verified:
        verified = verify(password_hash, password)
        if user:
            jeton.set_user(alice.sub, **user)
        if client:
            jeton.set_client(app.client_id, **client)
        return verified

    monkeypatch.setattr(jeton.passwords, "verify", verify_and_change)

    assert outcome(await jeton.token(app, None, **form)) == (400, error)


def stored_hash(jeton: Running) -> str:
    with jeton.database.read() as connection:
        return find_users(connection, ["alice"])["alice"].password_hash or ""


# A password hash of another system is accepted, and replaced in the same transaction.


HASHES = {
    "bcrypt": "$2y$04$abcdefghijklmnopqrstuu7EJV7kdjBBQxyb0HjTh9KS7.Lah/6CG",
    "PBKDF2": "pbkdf2_sha256$1000$seasaltseasalt$VNzPFE8wmAfZPF7ZBaPWZTpsgmcRgo3yR/SsvmOqXuY=",
}
UNUSABLE = {
    "rounds": HASHES["bcrypt"].replace("$04$", "$31$"),
    "our own form": "$argon2id$v=19$m=1048576,t=16,p=1$c2FsdHNhbHRzYWx0$" + "A" * 43,
}


@pytest.mark.both_databases
@pytest.mark.requirement("N12")
@pytest.mark.parametrize("password_hash", HASHES.values(), ids=HASHES)
async def test_first_login_replaces_the_hash_and_ends_no_session(start: StartServer, password_hash: str) -> None:
    jeton = await start(PASSWORDS__MEMORY_KIB="16")
    app, _ = jeton.add_client(), jeton.add_user(password_hash=password_hash)

    first, *_ = await asyncio.gather(*(jeton.log_in(app) for _ in range(3)))
    replaced = stored_hash(jeton)
    await jeton.log_in(app)

    assert replaced.startswith("$argon2id$v=19$m=16,t=1,p=1$")
    assert stored_hash(jeton) == replaced
    assert (await jeton.introspect(app, first["access_token"]))["active"] is True


@pytest.mark.requirement("N15", "O16")
@pytest.mark.parametrize(
    ("password_hash", "password", "disabled", "is_logged"),
    [
        *(pytest.param(it, "wrong", False, False, id=f"wrong, {name}") for name, it in HASHES.items()),
        *(pytest.param(it, PASSWORD, False, True, id=f"too expensive: {name}") for name, it in UNUSABLE.items()),
        pytest.param(HASHES["bcrypt"], PASSWORD, True, False, id="user disabled"),
    ],
)
async def test_failed_login_looks_like_an_unknown_user_and_replaces_nothing(
    jeton: Running, password_hash: str, password: str, disabled: bool, is_logged: bool
) -> None:
    app, user = jeton.add_client(), jeton.add_user(password_hash=password_hash, disabled=disabled)
    form = {"grant_type": "password", "password": password}

    with capture_logs() as lines:
        answers = [await jeton.token(app, None, **form, username=name) for name in ("alice", "nobody")]

    assert [it.status_code for it in answers] == [400, 400]
    assert answers[0].content == answers[1].content
    assert stored_hash(jeton) == password_hash
    unusable = [it for it in lines if it["event"] == "stored_password_hash_unusable"]
    assert [(it["sub"], it["log_level"]) for it in unusable] == [(user.sub, "error")] * is_logged
    assert password_hash not in str(lines)
