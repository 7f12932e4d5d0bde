"""RFC 6749 section 4.3: logging in with user name and password, by clients that were given the grant."""

from collections.abc import Awaitable, Callable
from typing import Any

import httpx2
import pytest
from sqlalchemy import select

from jeton.crypto.hashing_pool import HashingBusyError
from jeton.crypto.passwords import Verified
from jeton.storage.tables import clients, users
from jeton.storage.users import delete_user, find_users
from support.hash_counter import count_hashes
from support.in_process_server import PASSWORD, Running

StartServer = Callable[..., Awaitable[Running]]
LOGIN = {"grant_type": "password", "username": "alice", "password": PASSWORD}


def outcome(response: httpx2.Response) -> tuple[int, str | None]:
    return response.status_code, response.json().get("error")


def everything(response: httpx2.Response) -> tuple[int, list[tuple[str, str]], bytes]:
    """All that a caller can see of an answer."""
    return response.status_code, sorted(response.headers.multi_items()), response.content


@pytest.mark.requirement("A16", "A23", "A32")
@pytest.mark.parametrize("public", [False, True], ids=["confidential", "public"])
async def test_the_right_password_opens_a_session(jeton: Running, public: bool) -> None:
    app = jeton.add_client(public=public)
    jeton.add_user()

    tokens = await jeton.log_in(app)

    assert tokens.keys() == {"access_token", "token_type", "expires_in", "refresh_token", "scope"}
    assert await jeton.refreshed(app, tokens["refresh_token"])


@pytest.mark.parametrize(
    "ends", [" {}", "{} ", "  {}   ", "{}\t", "\n{}\r\n", "\u00a0{}", "{}\u3000", "\u2003{}\u2028"]
)
@pytest.mark.parametrize("name", ["alice", "Alice@Example.org"])
async def test_white_space_at_the_ends_of_a_user_name_does_not_count(jeton: Running, name: str, ends: str) -> None:
    jeton.add_user(email="alice@example.org")

    assert await jeton.log_in(jeton.add_client(), ends.format(name))


@pytest.mark.parametrize("name", ["al ice", "alice\u200b", "\ufeffalice", "\u00a0", " ", "a lice"])
async def test_white_space_within_a_user_name_and_invisible_letters_do(jeton: Running, name: str) -> None:
    jeton.add_user()

    response = await jeton.token(jeton.add_client(), None, **LOGIN | {"username": name})

    assert outcome(response) == (400, "invalid_grant")


@pytest.mark.requirement("A38", "N15", "O19")
async def test_a_wrong_password_and_a_user_who_is_not_there_look_the_same(jeton: Running) -> None:
    app = jeton.add_client()
    jeton.add_user()
    jeton.add_user("carol", disabled=True)
    jeton.add_user("dave", password_hash=None)
    gone = jeton.add_user("erin")
    with jeton.database.write() as connection:
        delete_user(connection, gone.sub)

    answers = [
        await jeton.token(app, None, **LOGIN | {"username": username, "password": password})
        for username, password in [
            ("alice", "wrong"),
            ("alice", PASSWORD + " "),
            ("alice", " " + PASSWORD),
            ("alice", "x" * 1025),
            ("nobody", PASSWORD),
            ("carol", PASSWORD),
            ("carol", "wrong"),
            ("dave", PASSWORD),
            ("erin", PASSWORD),
            ("no user name: spaces", PASSWORD),
            ("\u0001", PASSWORD),
            ("x" * 256, PASSWORD),
        ]
    ]

    assert outcome(answers[0]) == (400, "invalid_grant")
    assert len({repr(everything(answer)) for answer in answers}) == 1


@pytest.mark.requirement("A36")
@pytest.mark.parametrize(
    ("more", "name"),
    [
        ({"password": PASSWORD}, "username"),
        ({"username": "alice"}, "password"),
        ({"username": "", "password": PASSWORD}, "username"),
        ({"username": "alice", "password": ""}, "password"),
    ],
)
async def test_a_missing_parameter_is_named(jeton: Running, more: dict[str, str], name: str) -> None:
    response = await jeton.token(jeton.add_client(), None, grant_type="password", **more)

    assert outcome(response) == (400, "invalid_request")
    assert response.json()["error_description"] == f"The parameter {name} is missing."


@pytest.mark.requirement("A21", "A39", "A49", "O07")
@pytest.mark.parametrize("public", [False, True], ids=["confidential", "public"])
async def test_a_client_that_was_not_given_the_grant_may_not_use_it(jeton: Running, public: bool) -> None:
    app = jeton.add_client(public=public, grant_types=frozenset({"refresh_token"}))
    jeton.add_user()

    assert outcome(await jeton.token(app, None, **LOGIN)) == (400, "unauthorized_client")


@pytest.mark.requirement("A21", "A31", "A39", "I12", "O07")
async def test_the_grant_can_be_switched_off_for_the_whole_server(start: StartServer) -> None:
    jeton = await start(GRANTS__PASSWORD="false")
    app = jeton.add_client()
    jeton.add_user()

    assert outcome(await jeton.token(app, None, **LOGIN)) == (400, "unsupported_grant_type")


@pytest.mark.requirement("A21")
async def test_sessions_go_on_where_the_grant_is_switched_off_later(start: StartServer) -> None:
    before, after = await start(), await start(GRANTS__PASSWORD="false")
    app = before.add_client()
    before.add_user()
    tokens = await before.log_in(app)

    assert await after.refreshed(app, tokens["refresh_token"])


@pytest.mark.requirement("I06")
async def test_a_client_without_the_refresh_grant_gets_no_refresh_token(jeton: Running) -> None:
    app = jeton.add_client(grant_types=frozenset({"password"}))
    jeton.add_user()

    assert (await jeton.log_in(app)).keys() == {"access_token", "token_type", "expires_in", "scope"}


@pytest.mark.requirement("N16")
async def test_a_new_server_knows_nobody(jeton: Running) -> None:
    with jeton.database.read() as connection:
        assert connection.execute(select(users)).all() == []
        assert connection.execute(select(clients)).all() == []


@pytest.mark.requirement("A23", "O16", "P6", "P7")
async def test_nothing_is_hashed_for_who_may_not_ask(jeton: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    jeton.add_user()
    app = jeton.add_client()
    without_grant = jeton.add_client("without", grant_types=frozenset({"refresh_token"}))
    runs = count_hashes(jeton, monkeypatch)

    await jeton.token(None, None, **LOGIN)
    await jeton.token(None, None, **LOGIN, client_id=app.client_id, client_secret="wrong")
    await jeton.token(without_grant, None, **LOGIN)
    await jeton.token(app, None, **LOGIN, scope="admin")
    await jeton.token(app, None, **LOGIN, scope='"')
    await jeton.token(app, grant_type="password", username="alice")
    await jeton.token(app, grant_type="client_credentials", username="alice", password=PASSWORD)

    assert runs == []


@pytest.mark.requirement("N15")
async def test_everybody_costs_one_hash(jeton: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    app = jeton.add_client()
    alice, _ = jeton.add_user(), jeton.add_user("carol", disabled=True)
    runs = count_hashes(jeton, monkeypatch)

    for username in ("alice", "carol", "nobody", "no user name"):
        await jeton.token(app, None, **LOGIN | {"username": username})

    assert runs == [alice.password_hash, None, None, None]


@pytest.mark.requirement("I09", "O03", "O16")
@pytest.mark.parametrize(
    "change", [{"password_version": 2}, {"disabled": True}], ids=["password changed", "account disabled"]
)
async def test_what_changes_while_the_password_is_checked_counts(
    jeton: Running, monkeypatch: pytest.MonkeyPatch, change: dict[str, Any]
) -> None:
    app, alice = jeton.add_client(), jeton.add_user()
    passwords = jeton.passwords
    verify = passwords.verify

    def overtaken(password_hash: str | None, password: str) -> Verified:
        verified = verify(password_hash, password)
        jeton.set_user(alice.sub, **change)
        return verified

    monkeypatch.setattr(passwords, "verify", overtaken)

    assert outcome(await jeton.token(app, None, **LOGIN)) == (400, "invalid_grant")


@pytest.mark.requirement("O03")
async def test_a_user_who_is_enabled_again_may_log_in(jeton: Running) -> None:
    app, alice = jeton.add_client(), jeton.add_user(disabled=True)
    jeton.set_user(alice.sub, disabled=False)

    assert await jeton.log_in(app)


@pytest.mark.requirement("N12")
async def test_a_login_stores_a_stronger_hash_where_the_costs_have_grown(start: StartServer) -> None:
    before, after = await start(), await start(PASSWORDS__MEMORY_KIB="16")
    app, alice = before.add_client(), before.add_user()
    tokens = await before.log_in(app)

    await after.token(app, None, **LOGIN | {"password": "wrong"})
    assert stored_hash(after) == alice.password_hash
    await after.log_in(app)

    assert "m=16,t=1,p=1$" in stored_hash(after)
    assert await after.log_in(app)
    assert await after.refreshed(app, tokens["refresh_token"])


def stored_hash(jeton: Running) -> str:
    with jeton.database.read() as connection:
        return find_users(connection, ["alice"])["alice"].password_hash or ""


@pytest.mark.requirement("O13", "O16", "O20")
async def test_a_login_that_finds_no_room_is_told_to_come_back(jeton: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    app = jeton.add_client()
    jeton.add_user()
    tokens = await jeton.log_in(app)

    async def full(*_: object) -> None:
        raise HashingBusyError

    monkeypatch.setattr(jeton.hashing, "run", full)
    response = await jeton.token(app, None, **LOGIN)

    assert outcome(response) == (503, "temporarily_unavailable")
    assert int(response.headers["retry-after"]) > 0
    assert await jeton.refreshed(app, tokens["refresh_token"])
