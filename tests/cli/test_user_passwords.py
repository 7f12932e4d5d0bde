"""jeton user add, set-password: which passwords are accepted (NIST SP 800-63B-4 section 3.1.1.2)."""

import hashlib
from pathlib import Path

import pytest

from support.cli_runner import CommandLine
from support.in_process_server import PASSWORD, Running

LONG = "".join(f"{n} times {n} is {n * n}; " for n in range(2, 3000))
BEYOND_ASCII = "\u00fc\u00e9\u00f1\u00f8\u00e5\u00e7\u0142\u0159\u017e\u0161\u0111\u0103\u0119\u0171\u0151"
EMOJI = "".join(map(chr, range(0x1F600, 0x1F60F)))

both = pytest.mark.parametrize("command", ["add", "set-password"])


@pytest.fixture
def name(command: str, cli: CommandLine) -> str:
    """The name of a user with which this command succeeds."""
    if command == "set-password":
        cli.text("user", "add", "alice", "--password-stdin", stdin=PASSWORD)
    return "alice"


@both
@pytest.mark.requirement("N01", "N03", "P8")
@pytest.mark.parametrize(
    ("password", "taken"),
    [(LONG[:14], False), (LONG[:15], True), (BEYOND_ASCII[:14], False), (BEYOND_ASCII[:15], True),
     (EMOJI[:14], False), (EMOJI[:15], True), ("", False), ("\n", False), (LONG[:14] + "\n", False),
     (LONG[:14] + "\r\n", False)],
    ids=["14", "15", "14 beyond ASCII", "15 beyond ASCII", "14 emoji", "15 emoji", "empty", "line end", "14 and LF",
         "14 and CRLF"],
)  # fmt: skip
def test_password_has_at_least_15_code_points(
    cli: CommandLine, command: str, name: str, password: str, taken: bool
) -> None:
    words = ("user", command, name, "--password-stdin")

    if taken:
        cli.text(*words, stdin=password)
    else:
        assert "at least 15 characters" in cli.refused(*words, stdin=password)


@both
@pytest.mark.requirement("N02")
@pytest.mark.parametrize(("length", "taken"), [(64, True), (1024, True), (1025, False), (60_000, False)])
def test_password_length_is_bounded(cli: CommandLine, command: str, name: str, length: int, taken: bool) -> None:
    words, password = ("user", command, name, "--password-stdin"), LONG[:length]

    if taken:
        cli.text(*words, stdin=password)
    else:
        assert "at most 1024 characters" in cli.refused(*words, stdin=password)


@both
@pytest.mark.parametrize("password", [b"\xff" * 20, b"x" * 20 + b"\xc3"], ids=["bytes", "cut"])
def test_password_must_be_utf_8(cli: CommandLine, command: str, name: str, password: bytes) -> None:
    assert "UTF-8" in cli.refused("user", command, name, "--password-stdin", stdin=password)


@both
def test_password_must_not_contain_nul(cli: CommandLine, command: str, name: str) -> None:
    assert "NUL" in cli.refused("user", command, name, "--password-stdin", stdin=PASSWORD + "\0")


@pytest.mark.requirement("N01")
def test_minimum_length_is_a_setting(cli: CommandLine) -> None:
    stricter = cli.with_variables(PASSWORDS__MIN_LENGTH="20")

    assert "at least 20" in stricter.refused("user", "add", "alice", "--password-stdin", stdin=LONG[:19])
    stricter.text("user", "add", "alice", "--password-stdin", stdin=LONG[:20])
    cli.with_variables(PASSWORDS__MIN_LENGTH="100").text("user", "add", "bob", "--generate-password")


@pytest.mark.requirement("N03", "N04", "N07")
@pytest.mark.parametrize(
    "password",
    ["nothing but letters", "839201847561029", "    spaces    all    over    ",
     "\u5929\u5730\u7384\u9ec4\u5b87\u5b99\u6d2a\u8352\u65e5\u6708\u76c8\u6603\u8fb0\u5bbf\u5217",
     "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"],
    ids=["letters", "digits", "spaces", "Chinese", "punctuation"],
)  # fmt: skip
async def test_no_composition_rules_and_no_trimming(cli: CommandLine, jeton: Running, password: str) -> None:
    app = jeton.add_client()
    cli.text("user", "add", "alice", "--password-stdin", stdin=password)

    assert (await jeton.log_in(app, password=password))["token_type"] == "Bearer"
    for changed in (password.strip() + ".", password + " ", password[:-1], " " + password):
        response = await jeton.token(app, grant_type="password", username="alice", password=changed)
        assert (response.status_code, response.json()["error"]) == (400, "invalid_grant"), changed


@pytest.mark.parametrize("end", ["\n", "\r\n"], ids=["LF", "CRLF"])
async def test_one_final_line_end_is_not_part_of_the_password(cli: CommandLine, jeton: Running, end: str) -> None:
    cli.text("user", "add", "alice", "--password-stdin", stdin=PASSWORD + end)

    assert (await jeton.log_in(jeton.add_client()))["token_type"] == "Bearer"


@both
@pytest.mark.requirement("N06")
@pytest.mark.parametrize(
    ("password", "reason"),
    [
        ("passwordpassword1", "a common one"),
        ("alice-and-alice-1", "name of the user or of the service"),
        ("jeton 127.0.0.1 jeton", "name of the user or of the service"),
        ("aaaaaaaaaaaaaaaaaaa", "only a repetition"),
    ],
    ids=["common", "user", "service", "repetition"],
)
def test_common_and_contextual_passwords_are_refused_with_reason(
    cli: CommandLine, command: str, name: str, password: str, reason: str
) -> None:
    said = cli.refused("user", command, name, "--password-stdin", stdin=password)

    assert reason in said
    assert password not in said


@both
@pytest.mark.requirement("N06")
def test_leaked_password_is_refused(cli: CommandLine, command: str, name: str, tmp_path: Path) -> None:
    leaked = "a horse that everybody knows"
    file = tmp_path / "leaked.txt"
    file.write_text(f"{'0' * 40}:3\n{hashlib.sha1(leaked.encode()).hexdigest().upper()}:7\n{'F' * 40}:1\n")
    strict = cli.with_variables(PASSWORDS__BREACHED_FILE=str(file))

    assert "found in a data breach" in strict.refused("user", command, name, "--password-stdin", stdin=leaked)
    strict.text("user", command, name, "--password-stdin", stdin=leaked.upper())


@pytest.mark.requirement("N06")
@pytest.mark.parametrize("command", ["serve", "config check", "user add alice --password-stdin"])
def test_missing_file_of_leaked_passwords_is_reported(cli: CommandLine, command: str) -> None:
    said = cli.with_variables(PASSWORDS__BREACHED_FILE="/nowhere/leaked.txt").refused(*command.split(), stdin=PASSWORD)

    assert "passwords.breached_file /nowhere/leaked.txt cannot be used: No such file" in said


@pytest.mark.requirement("N06")
async def test_login_does_not_apply_password_rules(cli: CommandLine, jeton: Running) -> None:
    short = "kq7wzp3x"
    cli.with_variables(PASSWORDS__MIN_LENGTH="8").text("user", "add", "alice", "--password-stdin", stdin=short)

    assert await jeton.log_in(jeton.add_client(), password=short)


@pytest.mark.requirement("N07")
async def test_composed_and_decomposed_accents_are_equal(cli: CommandLine, jeton: Running) -> None:
    app = jeton.add_client()
    cli.text("user", "add", "alice", "--password-stdin", stdin="cafe\u0301 cre\u0300me au lait")

    assert (await jeton.log_in(app, password="caf\u00e9 cr\u00e8me au lait"))["token_type"] == "Bearer"


@pytest.mark.requirement("N07")
async def test_password_is_case_sensitive(cli: CommandLine, jeton: Running) -> None:
    app = jeton.add_client()
    cli.text("user", "add", "alice", "--password-stdin", stdin=PASSWORD.upper())

    response = await jeton.token(app, grant_type="password", username="alice", password=PASSWORD)

    assert response.status_code == 400


def test_refused_password_keeps_old_one_and_sessions(cli: CommandLine) -> None:
    cli.text("user", "add", "alice", "--password-stdin", stdin=PASSWORD)
    before = cli.json("user", "show", "alice")

    cli.refused("user", "set-password", "alice", "--password-stdin", stdin="short")

    assert cli.json("user", "show", "alice") == before
