"""NIST SP 800-63B-4 section 3.1.1.2 and RFC 8265 at login: which spellings of name and password are the same."""

import pytest

from support.in_process_server import PASSWORD, App, Running


@pytest.fixture
def app(jeton: Running) -> App:
    return jeton.add_client()


async def logs_in(jeton: Running, app: App, username: str, password: str = PASSWORD) -> bool:
    response = await jeton.token(app, grant_type="password", username=username, password=password)
    assert response.status_code == 200 or response.json()["error"] == "invalid_grant", response.text
    return response.status_code == 200


@pytest.mark.requirement("N13")
@pytest.mark.parametrize(
    ("registered", "typed"),
    [
        ("alice", "ALICE"),
        ("Alice", "aLICE"),
        ("alice", "\uff21\uff4c\uff49\uff43\uff45"),
        ("rené", "rene\u0301"),
        ("rene\u0301", "RENÉ"),
        ("ångström", "\u212bngstro\u0308m"),
        ("иван", "ИВАН"),
    ],
)
async def test_spellings_of_one_name_are_one_user(jeton: Running, app: App, registered: str, typed: str) -> None:
    jeton.add_user(registered)

    assert await logs_in(jeton, app, typed)


@pytest.mark.requirement("N13")
@pytest.mark.parametrize("username", ["alice", "alice@example.com"], ids=["beside a name", "as the name"])
@pytest.mark.parametrize("typed", ["alice@example.com", "Alice@EXAMPLE.com", "alice\uff20example.com"], ids=ascii)
async def test_a_user_may_log_in_by_e_mail_address(jeton: Running, app: App, username: str, typed: str) -> None:
    jeton.add_user(username, email="Alice@example.com")

    assert await logs_in(jeton, app, typed)


@pytest.mark.requirement("N13")
async def test_each_logs_in_by_the_own_name_and_address(jeton: Running, app: App) -> None:
    passwords = {"alice": "password of alice, long", "bob": "password of bob, long enough"}
    for username, password in passwords.items():
        jeton.add_user(username, password, email=f"{username}@example.com")

    for username, password in passwords.items():
        for name in (username, f"{username}@example.com"):
            assert await logs_in(jeton, app, name, password)
            assert not await logs_in(jeton, app, name, *(it for it in passwords.values() if it != password))


@pytest.mark.requirement("N13")
@pytest.mark.parametrize(
    ("registered", "typed"),
    [
        ("alice", "al ice"),
        ("alice", "alice\u200b"),
        ("alice", "\u0430lice"),
        ("rené", "rene"),
        ("alice", "alice@example.com"),
        ("five", "\ufb01ve"),
        ("x2", "x\u00b2"),
    ],
    ids=ascii,
)
async def test_another_name_is_another_user(jeton: Running, app: App, registered: str, typed: str) -> None:
    jeton.add_user(registered)

    assert not await logs_in(jeton, app, typed)


@pytest.mark.requirement("N02", "N03", "N04", "N07")
@pytest.mark.parametrize(
    "password",
    [
        pytest.param("aaaaaaaaaaaaaaa", id="no composition rule"),
        pytest.param("".join(map(chr, range(0x20, 0x7F))), id="all of printable ASCII"),
        pytest.param(" leading and trailing spaces ", id="spaces around"),
        pytest.param("100%41 & a=b + c;d", id="characters of forms"),
        pytest.param("пароль из кириллицы 中文密码 😀", id="Unicode"),
        pytest.param("x" * 64, id="64 characters"),
        pytest.param("😀" * 1024, id="1024 code points"),
    ],
)
async def test_a_password_may_hold_anything(jeton: Running, app: App, password: str) -> None:
    jeton.add_user(password=password)

    assert await logs_in(jeton, app, "alice", password)
    assert not await logs_in(jeton, app, "alice", password[:-1] + "\u2603")


@pytest.mark.requirement("N07")
@pytest.mark.parametrize(
    ("stored", "typed", "same"),
    [
        pytest.param("pässwörd pässwörd", "pa\u0308sswo\u0308rd pa\u0308sswo\u0308rd", True, id="NFD typed"),
        pytest.param("pa\u0308sswo\u0308rd pa\u0308sswo\u0308rd", "pässwörd pässwörd", True, id="NFC typed"),
        pytest.param(PASSWORD, PASSWORD.upper(), False, id="other case"),
        pytest.param(PASSWORD, PASSWORD + " ", False, id="space after"),
        pytest.param(PASSWORD, " " + PASSWORD, False, id="space before"),
        pytest.param(PASSWORD, PASSWORD.replace(" ", "+"), False, id="plus for space"),
        pytest.param(PASSWORD + "\u2460", PASSWORD + "1", False, id="compatible character"),
        pytest.param("x" * 80 + "a", "x" * 80 + "b", False, id="last of 81 characters"),
    ],
)
async def test_a_password_is_compared_whole_and_as_typed(
    jeton: Running, app: App, stored: str, typed: str, same: bool
) -> None:
    jeton.add_user(password=stored)

    assert await logs_in(jeton, app, "alice", typed) is same
