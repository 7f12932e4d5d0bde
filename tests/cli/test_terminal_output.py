"""Untrusted text is escaped in tables and JSON, so that it cannot control a terminal."""

import json
import unicodedata

import pytest

from jeton.cli.output import print_result, print_results
from jeton.observability.escaping import encode_json, escape
from support.cli_runner import CommandLine
from support.in_process_server import PASSWORD, App, Running

_CODES = (*range(32), *range(0x7F, 0xA0), 0x200F, *range(0x2028, 0x202F), *range(0x2066, 0x206A), 0xFEFF)
ODD = "".join(map(chr, _CODES))


def is_harmless(text: str) -> bool:
    return all(line.isprintable() for line in text.split("\n"))


def test_escape_replaces_controls_and_keeps_letters() -> None:
    assert escape("\u0142\u00fc \u4e2d \U0001f600 \u0627\u0644") == "\u0142\u00fc \u4e2d \U0001f600 \u0627\u0644"
    assert escape("\x1b[31m\x9b\u202e\ud800\n\t") == r"\x1b[31m\x9b\u202e\ud800\n\t"
    # The other planes have ideographs and private characters only.
    planes = map(chr, (*range(0x20000), *range(0xE0000, 0xE1000)))
    dangerous = [it for it in planes if unicodedata.category(it) in ("Cc", "Cf", "Cs", "Zl", "Zp")]
    assert set(ODD) <= set(dangerous)
    assert [it for it in dangerous if not (escape(it) + encode_json(it)).isprintable()] == []


def test_json_output_is_ascii_and_equal(capsys: pytest.CaptureFixture[str]) -> None:
    value = {"odd": ODD + "\ud800\U0001f600", "number": 2**80, "none": None, "list": ["a", True]}

    print_result(value, as_json=True)
    print_results([value], as_json=True, columns=())

    printed = capsys.readouterr().out
    assert [json.loads(line) for line in printed.splitlines()] == [value, [value]]
    assert printed.isascii()
    assert is_harmless(printed)


def test_table_has_one_line_per_row_despite_line_breaks(capsys: pytest.CaptureFixture[str]) -> None:
    print_results([{"name": ODD, "roles": [ODD], "ends_at": 10**15, "made_at": -(10**15)}] * 2, as_json=False,
                  columns=("name", "roles", "ends_at", "made_at"))  # fmt: skip
    print_result({"name": ODD}, as_json=False)

    printed = capsys.readouterr().out
    assert is_harmless(printed)
    assert len(printed.splitlines()) == 4
    assert "1000000000000000" in printed


async def test_session_list_escapes_user_agents(cli: CommandLine, jeton: Running, app: App) -> None:
    tokens = await jeton.http.post(
        "/oauth/token",
        data={"grant_type": "password", "username": "alice", "password": PASSWORD},
        auth=app.auth or ("", ""),
        headers={b"User-Agent": "curl\x9b31m\x7f".encode("latin-1")},
    )
    assert tokens.status_code == 200, tokens.text

    for words in (("session", "list"), ("session", "list", "--json")):
        printed = cli.text(*words)
        assert is_harmless(printed)
    assert json.loads(printed)[0]["created_user_agent"].startswith("curl\x9b31m")


@pytest.mark.parametrize("form", [(), ("--json",)], ids=["text", "json"])
def test_import_report_is_escaped(cli: CommandLine, form: tuple[str, ...]) -> None:
    lines = [{"username": f"a {ODD}"}, {"username": "a", ODD: 1}, {"username": "a", "password_hash": ODD}, ODD]

    result = cli.run("user", "import", "-", *form, stdin="\n".join(map(json.dumps, lines)))

    assert result.exit_code == 1
    assert is_harmless(result.stdout)
    assert "4" in result.stdout


def test_token_inspection_is_escaped(cli: CommandLine) -> None:
    header = "eyJhbGciOiJSUzI1NiIsImtpZCI6Ilx1MDA5YjMxbSJ9"  # {"alg":"RS256","kid":"\u009b31m"}
    claims = "eyJhIjoiXHVkODAwXHUwMDdmIiwiYiI6MTAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMH0"  # lone surrogate, DEL, 10**27
    for form in ((), ("--json",)):
        printed = cli.text("token", "inspect", f"{header}.{claims}.AAAA", *form)
        assert is_harmless(printed)
        assert printed.isascii()
        assert "not active" in printed or '"active":false' in printed


@pytest.mark.parametrize(
    "words",
    ["\u009b31m", "--\u009b31m", "user show \u009b31m\v\u202e", "user list \u009b31m", "serve --port \u009b31m",
     "serve --config \u009b31m\x7f", "session revoke \u009b31m\u2028", "client add a --grant \u009b31m",
     "client add a --origin \u009b31m", "user import \u009b31m"],
    ids=ascii,
)  # fmt: skip
def test_quoted_arguments_are_escaped(cli: CommandLine, words: str) -> None:
    status, _, said = cli.main(*words.replace("\v", "\n").split(" "))

    assert status in (1, 2)
    assert "\\x9b31m" in said
    assert is_harmless(said)
