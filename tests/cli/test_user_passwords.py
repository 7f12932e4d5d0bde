"""jeton user add, set-password: which passwords are accepted (NIST SP 800-63B-4 section 3.1.1.2)."""

import hashlib
from pathlib import Path

import pytest

from support.cli_runner import CommandLine
from support.in_process_server import PASSWORD, Running

LONG = "".join(f"{n} times {n} is {n * n}; " for n in range(2, 3000))
BEYOND_ASCII = "\u00fc\u00e9\u00f1\u00f8\u00e5\u00e7\u0142\u0159\u017e\u0161\u0111\u0103\u0119\u0171\u0151"
EMOJI = "".join(map(chr, range(0x1F600, 0x1F60F)))
SPACES = "    spaces    all    over    "
STDIN = "--password-stdin"


@pytest.mark.requirement("N01", "N02", "N03", "N06", "P8")
@pytest.mark.parametrize(
    ("password", "reason"),
    [
        *((it, "at least 15 characters")
          for it in (LONG[:14], BEYOND_ASCII[:14], EMOJI[:14], "", "\n", LONG[:14] + "\n", LONG[:14] + "\r\n")),
        *((it, "") for it in (LONG[:15], BEYOND_ASCII, EMOJI, LONG[:1024])),
        *((LONG[:length], "at most 1024 characters") for length in (1025, 60_000)),
        *((it, "UTF-8") for it in (b"\xff" * 20, b"x" * 20 + b"\xc3")),
        (PASSWORD + "\0", "NUL"),
        *((PASSWORD + end + PASSWORD, "several lines") for end in ("\n", "\r\n", "\r", "\n\n")),
        (PASSWORD + "\n\n", "several lines"),
        ("passwordpassword1", "a common one"),
        ("alice-and-alice-1", "name of the user or of the service"),
        ("jeton 127.0.0.1 jeton", "name of the user or of the service"),
        ("aaaaaaaaaaaaaaaaaaa", "only a repetition"),
    ],
    ids=lambda value: f"{len(value)} {ascii(value)[:20]}",
)  # fmt: skip
def test_password_is_accepted_or_refused_with_the_reason(cli: CommandLine, password: str | bytes, reason: str) -> None:
    """That `set-password` has the same rules is tested below, with a leaked password."""
    words = ("user", "add", "alice", STDIN)
    if not reason:
        cli.text(*words, stdin=password)
        return
    said = cli.refused(*words, stdin=password)
    assert reason in said
    assert not password.strip() or str(password) not in said
    assert cli.json("user", "list") == []


@pytest.mark.requirement("N01")
def test_minimum_length_is_a_setting(cli: CommandLine) -> None:
    stricter = cli.with_variables(PASSWORDS__MIN_LENGTH="20")

    assert "at least 20" in stricter.refused("user", "add", "alice", STDIN, stdin=LONG[:19])
    stricter.text("user", "add", "alice", STDIN, stdin=LONG[:20])
    cli.with_variables(PASSWORDS__MIN_LENGTH="100").text("user", "add", "bob", "--generate-password")


@pytest.mark.requirement("N03", "N04", "N06", "N07")
@pytest.mark.parametrize(
    ("stdin", "password", "others"),
    [
        (SPACES + "\n", SPACES, [SPACES.strip(), SPACES + "\n", SPACES[:-1], " " + SPACES]),
        (SPACES + "\r\n", SPACES, [SPACES + "\r", SPACES + "\r\n"]),
        ("cafe\u0301 cre\u0300me au lait", "caf\u00e9 cr\u00e8me au lait", ["cafe creme au lait"]),
        (PASSWORD.upper(), PASSWORD.upper(), [PASSWORD]),
        ("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~", "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~", []),
        ("kq7wzp3x", "kq7wzp3x", []),
    ],
    ids=["LF", "CRLF", "composed", "case", "punctuation", "shorter than login would allow"],
)
async def test_password_works_as_it_was_given_but_for_one_line_end(
    cli: CommandLine, jeton: Running, stdin: str, password: str, others: list[str]
) -> None:
    app = jeton.add_client()
    cli.with_variables(PASSWORDS__MIN_LENGTH="8").text("user", "add", "alice", STDIN, stdin=stdin)

    assert (await jeton.log_in(app, password=password))["token_type"] == "Bearer"
    for other in others:
        response = await jeton.token(app, grant_type="password", username="alice", password=other)
        assert (response.status_code, response.json()["error"]) == (400, "invalid_grant"), other


@pytest.mark.requirement("N06")
def test_leaked_password_is_refused(cli: CommandLine, tmp_path: Path) -> None:
    leaked = "a horse that everybody knows"
    file = tmp_path / "leaked.txt"
    file.write_text(f"{'0' * 40}:3\n{hashlib.sha1(leaked.encode()).hexdigest().upper()}:7\n{'F' * 40}:1\n")
    strict = cli.with_variables(PASSWORDS__BREACHED_FILE=str(file))

    for command in ("add", "set-password"):
        if command == "set-password":
            cli.text("user", "add", "alice", STDIN, stdin=PASSWORD)
        assert "found in a data breach" in strict.refused("user", command, "alice", STDIN, stdin=leaked)
    strict.text("user", "set-password", "alice", STDIN, stdin=leaked.upper())


@pytest.mark.requirement("N06")
@pytest.mark.parametrize("command", ["config check", "user add alice --password-stdin"])
def test_missing_file_of_leaked_passwords_is_reported(cli: CommandLine, command: str) -> None:
    said = cli.with_variables(PASSWORDS__BREACHED_FILE="/nowhere/leaked.txt").refused(*command.split(), stdin=PASSWORD)

    assert "passwords.breached_file /nowhere/leaked.txt cannot be used: No such file" in said
