"""Login with a password hash of another system: it is accepted, and replaced in the same transaction."""

import asyncio

import pytest
from structlog.testing import capture_logs

from jeton.oauth.users import User
from jeton.storage.users import load_users
from support.in_process_server import PASSWORD, App, Running

HASHES = {
    "bcrypt": "$2y$04$abcdefghijklmnopqrstuu7EJV7kdjBBQxyb0HjTh9KS7.Lah/6CG",
    "PBKDF2": "pbkdf2_sha256$1000$seasaltseasalt$VNzPFE8wmAfZPF7ZBaPWZTpsgmcRgo3yR/SsvmOqXuY=",
}
UNUSABLE = {
    "rounds": HASHES["bcrypt"].replace("$04$", "$31$"),
    "our own form": "$argon2id$v=19$m=1048576,t=16,p=1$c2FsdHNhbHRzYWx0$" + "A" * 43,
}


@pytest.fixture
def app(jeton: Running) -> App:
    return jeton.add_client()


def stored_hash(jeton: Running, user: User) -> str:
    with jeton.database.read() as connection:
        return load_users(connection, [user.sub])[user.sub].password_hash or ""


@pytest.mark.both_databases
@pytest.mark.requirement("N12")
@pytest.mark.parametrize("password_hash", HASHES.values(), ids=HASHES)
async def test_first_login_replaces_the_hash_and_ends_no_session(jeton: Running, app: App, password_hash: str) -> None:
    user = jeton.add_user(password_hash=password_hash)

    first, *_ = await asyncio.gather(*(jeton.log_in(app) for _ in range(3)))
    replaced = stored_hash(jeton, user)
    await jeton.log_in(app)

    assert replaced.startswith("$argon2id$")
    assert stored_hash(jeton, user) == replaced
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
    jeton: Running, app: App, password_hash: str, password: str, disabled: bool, is_logged: bool
) -> None:
    user = jeton.add_user(password_hash=password_hash, disabled=disabled)
    form = {"grant_type": "password", "password": password}

    with capture_logs() as lines:
        answers = [await jeton.token(app, None, **form, username=name) for name in ("alice", "nobody")]

    assert [it.status_code for it in answers] == [400, 400]
    assert answers[0].content == answers[1].content
    assert stored_hash(jeton, user) == password_hash
    unusable = [it for it in lines if it["event"] == "stored_password_hash_unusable"]
    assert [(it["sub"], it["log_level"]) for it in unusable] == [(user.sub, "error")] * is_logged
    assert password_hash not in str(lines)
