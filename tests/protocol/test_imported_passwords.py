"""Logging in with a hash that another system made: as with any other, and it is replaced in the same transaction."""

import asyncio

import pytest
import structlog

from jeton.storage.users import load_users
from support.in_process_server import PASSWORD, App, Running

HASHES = {
    "bcrypt": "$2y$04$abcdefghijklmnopqrstuu7EJV7kdjBBQxyb0HjTh9KS7.Lah/6CG",
    "PBKDF2": "pbkdf2_sha256$1000$seasaltseasalt$VNzPFE8wmAfZPF7ZBaPWZTpsgmcRgo3yR/SsvmOqXuY=",
}
HOSTILE = {
    "rounds": HASHES["bcrypt"].replace("$04$", "$31$"),
    "iterations": HASHES["PBKDF2"].replace("$1000$", "$999999999$"),
    "memory": "argon2$argon2id$v=19$m=4194304,t=1,p=1$c2FsdHNhbHRzYWx0$" + "A" * 43,
}


@pytest.fixture
def app(jeton: Running) -> App:
    return jeton.add_client()


def stored_hash(jeton: Running, sub: str) -> str | None:
    with jeton.database.read() as connection:
        return load_users(connection, [sub])[sub].password_hash


@pytest.mark.requirement("N12")
@pytest.mark.parametrize("password_hash", HASHES.values(), ids=HASHES)
async def test_the_first_login_replaces_the_hash_and_ends_no_session(
    jeton: Running, app: App, password_hash: str
) -> None:
    user = jeton.add_user(password_hash=password_hash)

    first = await jeton.log_in(app)
    replaced = stored_hash(jeton, user.sub)
    await jeton.log_in(app)

    assert replaced is not None
    assert replaced.startswith("$argon2id$")
    assert stored_hash(jeton, user.sub) == replaced
    assert (await jeton.introspect(app, first["access_token"]))["active"] is True


@pytest.mark.requirement("N12")
async def test_logins_at_the_same_moment_all_succeed(jeton: Running, app: App) -> None:
    user = jeton.add_user(password_hash=HASHES["bcrypt"])

    await asyncio.gather(*(jeton.log_in(app) for _ in range(3)))

    assert (stored_hash(jeton, user.sub) or "").startswith("$argon2id$")
    assert await jeton.log_in(app)


@pytest.mark.requirement("N15", "O16")
@pytest.mark.parametrize("password_hash", [*HASHES.values(), *HOSTILE.values()], ids=[*HASHES, *HOSTILE])
async def test_a_wrong_password_and_a_hash_that_costs_too_much_are_answered_as_nobody_is(
    jeton: Running, app: App, password_hash: str
) -> None:
    user = jeton.add_user(password_hash=password_hash)
    password = PASSWORD if password_hash in HOSTILE.values() else "wrong"

    answers = [
        await jeton.token(app, grant_type="password", username=name, password=password) for name in ("alice", "nobody")
    ]

    assert [it.status_code for it in answers] == [400, 400]
    assert answers[0].content == answers[1].content
    assert stored_hash(jeton, user.sub) == password_hash


@pytest.mark.requirement("O16")
@pytest.mark.parametrize(
    "password_hash",
    [*HOSTILE.values(), "$argon2id$v=19$m=1048576,t=16,p=1$c2FsdHNhbHRzYWx0$" + "A" * 43],
    ids=[*HOSTILE, "of our own form"],
)
async def test_a_stored_hash_that_cannot_be_checked_is_logged_with_its_user(
    jeton: Running, app: App, password_hash: str
) -> None:
    user = jeton.add_user(password_hash=password_hash)

    with structlog.testing.capture_logs() as logged:
        answer = await jeton.token(app, grant_type="password", username="alice", password=PASSWORD)

    assert answer.status_code == 400
    (entry,) = [it for it in logged if it["event"] == "stored_password_hash_unusable"]
    assert (entry["sub"], entry["log_level"]) == (user.sub, "error")
    assert password_hash not in str(logged)


async def test_a_login_that_comes_to_nothing_replaces_nothing(jeton: Running, app: App) -> None:
    user = jeton.add_user(password_hash=HASHES["bcrypt"], disabled=True)

    answer = await jeton.token(app, grant_type="password", username="alice", password=PASSWORD)

    assert answer.status_code == 400
    assert stored_hash(jeton, user.sub) == HASHES["bcrypt"]
