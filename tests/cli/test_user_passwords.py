"""jeton user add, set-password: which passwords are taken (NIST SP 800-63B-4 section 3.1.1.2), unchanged."""

import pytest

from command_line import CommandLine
from running import PASSWORD, Running

both = pytest.mark.parametrize("command", ["add", "set-password"])


@pytest.fixture
def name(command: str, cli: CommandLine) -> str:
    """A user name that this command can be used with."""
    if command == "set-password":
        cli.text("user", "add", "alice", "--password-stdin", stdin=PASSWORD)
    return "alice"


@both
@pytest.mark.requirement("N01", "N03", "P8")
@pytest.mark.parametrize(
    ("password", "taken"),
    [("x" * 14, False), ("x" * 15, True), ("\u00fc" * 14, False), ("\u00fc" * 15, True), ("\U0001f600" * 15, True),
     ("", False), ("\n", False), ("x" * 14 + "\n", False), ("x" * 14 + "\r\n", False)],
    ids=["14", "15", "14 beyond ASCII", "15 beyond ASCII", "15 emoji", "empty", "line end", "14 and LF", "14 and CRLF"],
)  # fmt: skip
def test_a_password_has_at_least_fifteen_code_points(
    cli: CommandLine, command: str, name: str, password: str, taken: bool
) -> None:
    words = ("user", command, name, "--password-stdin")

    if taken:
        cli.text(*words, stdin=password)
    else:
        assert "at least 15 characters" in cli.refused(*words, stdin=password)


@both
@pytest.mark.requirement("N02")
@pytest.mark.parametrize(("length", "taken"), [(64, True), (1024, True), (1025, False), (100_000, False)])
def test_a_password_may_be_long_but_not_without_bound(
    cli: CommandLine, command: str, name: str, length: int, taken: bool
) -> None:
    words, password = ("user", command, name, "--password-stdin"), "x" * length

    if taken:
        cli.text(*words, stdin=password)
    else:
        assert "at most 1024 characters" in cli.refused(*words, stdin=password)


@both
@pytest.mark.parametrize("password", [b"\xff" * 20, b"x" * 20 + b"\xc3"], ids=["bytes", "cut"])
def test_a_password_is_utf_8(cli: CommandLine, command: str, name: str, password: bytes) -> None:
    assert "UTF-8" in cli.refused("user", command, name, "--password-stdin", stdin=password)


@both
def test_a_password_holds_no_nul(cli: CommandLine, command: str, name: str) -> None:
    assert "NUL" in cli.refused("user", command, name, "--password-stdin", stdin=PASSWORD + "\0")


@pytest.mark.requirement("N01")
def test_the_least_length_is_a_setting(cli: CommandLine) -> None:
    stricter = cli.with_variables(PASSWORDS__MIN_LENGTH="20")

    assert "at least 20" in stricter.refused("user", "add", "alice", "--password-stdin", stdin="x" * 19)
    stricter.text("user", "add", "alice", "--password-stdin", stdin="x" * 20)


@pytest.mark.requirement("N03", "N04", "N07")
@pytest.mark.parametrize(
    "password",
    ["a" * 15, "0" * 15, "    spaces    all    over    ", " " * 15, "\u7b80\u5355" * 8,
     "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"],
    ids=["one letter", "digits", "spaces", "only spaces", "Chinese", "punctuation"],
)  # fmt: skip
async def test_no_composition_is_asked_for_and_nothing_is_trimmed(
    cli: CommandLine, jeton: Running, password: str
) -> None:
    app = jeton.add_client()
    cli.text("user", "add", "alice", "--password-stdin", stdin=password)

    assert (await jeton.log_in(app, password=password))["token_type"] == "Bearer"
    for changed in (password.strip() + ".", password + " ", password[:-1], " " + password):
        response = await jeton.token(app, grant_type="password", username="alice", password=changed)
        assert (response.status_code, response.json()["error"]) == (400, "invalid_grant"), changed


@pytest.mark.parametrize("end", ["\n", "\r\n"], ids=["LF", "CRLF"])
async def test_one_line_end_is_no_part_of_the_password(cli: CommandLine, jeton: Running, end: str) -> None:
    cli.text("user", "add", "alice", "--password-stdin", stdin=PASSWORD + end)

    assert (await jeton.log_in(jeton.add_client()))["token_type"] == "Bearer"


@pytest.mark.requirement("N07")
async def test_both_spellings_of_an_accent_are_one_password(cli: CommandLine, jeton: Running) -> None:
    app = jeton.add_client()
    cli.text("user", "add", "alice", "--password-stdin", stdin="cafe\u0301 cre\u0300me au lait")

    assert (await jeton.log_in(app, password="caf\u00e9 cr\u00e8me au lait"))["token_type"] == "Bearer"


@pytest.mark.requirement("N07")
async def test_case_is_kept(cli: CommandLine, jeton: Running) -> None:
    app = jeton.add_client()
    cli.text("user", "add", "alice", "--password-stdin", stdin=PASSWORD.upper())

    response = await jeton.token(app, grant_type="password", username="alice", password=PASSWORD)

    assert response.status_code == 400


def test_a_refused_password_leaves_the_old_one_and_the_sessions(cli: CommandLine) -> None:
    cli.text("user", "add", "alice", "--password-stdin", stdin=PASSWORD)
    before = cli.json("user", "show", "alice")

    cli.refused("user", "set-password", "alice", "--password-stdin", stdin="short")

    assert cli.json("user", "show", "alice") == before
