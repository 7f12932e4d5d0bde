"""jeton as a process: exit statuses, one-line refusals on standard error, and what a server reveals."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path

import pytest

from jeton.crypto.master_key import generate_master_key
from support.in_process_server import MASTER_KEY

JETON = Path(sys.executable).with_name("jeton")


@pytest.fixture
def environment(sqlite_template_of_today: Path, tmp_path: Path) -> dict[str, str]:
    file = shutil.copy(sqlite_template_of_today, tmp_path / "jeton.db")
    settings = {
        "JETON_DATABASE__URL": f"sqlite:///{file}",
        "JETON_SECRETS__MASTER_KEY": MASTER_KEY,
        "JETON_PASSWORDS__MEMORY_KIB": "8",
    }
    return {name: value for name, value in os.environ.items() if not name.startswith("JETON_")} | settings


def _run(
    environment: dict[str, str], tmp_path: Path, *words: str, stdin: bytes = b""
) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [JETON, *words], env=environment, cwd=tmp_path, input=stdin, capture_output=True, timeout=60, check=False
    )


def test_success_prints_result_with_status_0(environment: dict[str, str], tmp_path: Path) -> None:
    words = ("user", "add", "alice", "--password-stdin", "--json")

    done = _run(environment, tmp_path, *words, stdin="gr\u00fc\u00dfe aus der k\u00fcche\n".encode())

    assert (done.returncode, done.stderr) == (0, b"")
    assert json.loads(done.stdout)["username"] == "alice"


def test_wrong_usage_is_explained_with_status_2(environment: dict[str, str], tmp_path: Path) -> None:
    done = _run(environment, tmp_path, "session", "revoke")

    assert (done.returncode, done.stdout) == (2, b"")
    assert b"Usage: jeton session revoke" in done.stderr


@pytest.mark.parametrize(
    ("words", "variables", "sentence"),
    [
        (("user", "show", "nobody"), {}, "there is no user nobody: see `jeton user list`"),
        (("user", "list"), {"JETON_NONSENSE__KEY": "1"}, "JETON_NONSENSE__KEY is not a setting"),
        (("user", "list"), {"JETON_DATABASE__URL": "nonsense"}, "database.url is not a URL"),
        (("keys", "revoke", "unknown"), {}, "there is no key unknown"),
        (
            ("user", "list"),
            {"JETON_DATABASE__URL": "postgresql://jeton:hunter2@127.0.0.1:9/jeton"},
            "the database cannot be used",
        ),
        (("user", "list"), {"JETON_DATABASE__URL": "sqlite:////proc/nowhere/jeton.db"}, "/proc/nowhere/jeton.db"),
        (("session", "list", "--client", "\udcff"), {}, "'\\udcff' is not valid UTF-8"),
        (("serve",), {"JETON_SECRETS__MASTER_KEY": "short"}, "32 random bytes in base64url"),
        (("serve",), {"JETON_SECRETS__MASTER_KEY": generate_master_key()}, "is needed but not configured"),
        (("serve",), {"JETON_SECRETS__MASTER_KEY": ""}, "restore the file"),
    ],
    ids=[
        *("no such user", "unknown variable", "no database", "no such key", "database away", "no place", "no text"),
        *("malformed master key", "wrong master key", "lost master key"),
    ],
)
def test_refusal_is_one_line_on_stderr_with_status_1(
    environment: dict[str, str], tmp_path: Path, words: tuple[str, ...], variables: dict[str, str], sentence: str
) -> None:
    done = _run(environment | variables, tmp_path, *words)

    assert (done.returncode, done.stdout) == (1, b"")
    (line,) = done.stderr.decode().splitlines()
    assert line.startswith("jeton: ")
    assert sentence in line
    assert "hunter2" not in line


@pytest.mark.parametrize("words", [("config", "example"), ("config", "check", "--json")], ids=["long", "short"])
def test_unwritable_output_is_reported_in_one_line(
    environment: dict[str, str], tmp_path: Path, words: tuple[str, ...]
) -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [JETON, *words],
            env=environment,
            cwd=tmp_path,
            stdout=full,
            stderr=subprocess.PIPE,
            timeout=60,
            check=False,
        )

    assert (done.returncode, done.stderr) == (1, b"jeton: the system refused: No space left on device\n")


@pytest.mark.parametrize(
    ("closed", "words", "expected"),
    [
        (">&-", "user list", (1, "jeton: the system refused: Bad file descriptor\n")),
        (">&- 2>&-", "user list", (1, "")),
        ("<&-", "user add alice --password-stdin", (1, "jeton: the password must have at least 15 characters\n")),
        ("2>&-", "user show nobody", (1, "")),
        ("| true", "config example", (0, "")),
    ],
)
def test_closed_standard_stream_causes_no_traceback(
    environment: dict[str, str], tmp_path: Path, closed: str, words: str, expected: tuple[int, str]
) -> None:
    shell = ["sh", "-c", f"{JETON} {words} {closed}"]
    done = subprocess.run(shell, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)

    assert (done.returncode, done.stderr) == expected


@pytest.mark.parametrize("encoding", ["latin-1", "ascii", "utf-8"])
def test_characters_missing_in_terminal_encoding_are_escaped(
    environment: dict[str, str], tmp_path: Path, encoding: str
) -> None:
    in_this = environment | {"PYTHONIOENCODING": encoding}
    _run(in_this, tmp_path, "user", "add", "\u0142\u00fc", "--generate-password")

    done = _run(in_this, tmp_path, "user", "list")

    assert (done.returncode, done.stderr) == (0, b"")
    assert "\u0142\u00fc ".encode(encoding if encoding == "latin-1" else "utf-8", "backslashreplace") in done.stdout


@pytest.mark.parametrize(
    "words",
    [
        ("\u009b31m",),
        ("--\u009b31m",),
        ("user", "show", "\u009b31m\n\u202e"),
        ("user", "list", "\u009b31m"),
        ("serve", "--port", "\u009b31m"),
        ("serve", "--config", "\u009b31m\x7f"),
        ("session", "revoke", "\u009b31m\u2028"),
        ("client", "add", "a", "--grant", "\u009b31m"),
        ("client", "add", "a", "--origin", "\u009b31m"),
        ("user", "import", "\u009b31m"),
    ],
    ids=" ".join,
)
def test_quoted_arguments_are_escaped(environment: dict[str, str], tmp_path: Path, words: tuple[str, ...]) -> None:
    done = _run(environment, tmp_path, *words)

    assert done.returncode in (1, 2)
    said = done.stderr.decode()
    assert "\\x9b31m" in said
    assert all(line.isprintable() for line in said.split("\n"))


@pytest.mark.parametrize("options", [("--demo",), ("--workers", "2")], ids=["demo", "two workers"])
def test_used_address_prevents_start_before_anything_is_created(
    environment: dict[str, str], tmp_path: Path, options: tuple[str, ...]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = _run(environment, tmp_path, "serve", "--port", str(port), *options)

    assert (done.returncode, done.stdout) == (1, b"")
    (line,) = done.stderr.decode().splitlines()
    assert line.startswith(f"jeton: cannot listen on 127.0.0.1 port {port}: ")
    assert "address already in use" in line


@pytest.mark.parametrize("host", ["192.0.2.1", "a..b"], ids=["not ours", "no name"])
def test_foreign_host_prevents_start(environment: dict[str, str], tmp_path: Path, host: str) -> None:
    done = _run(environment | {"JETON_SERVER__ISSUER": "https://as.example"}, tmp_path, "serve", "--host", host)

    assert (done.returncode, done.stdout) == (1, b"")
    (line,) = done.stderr.decode().splitlines()
    assert line.startswith(f"jeton: cannot listen on {host} port 8000: ")


# A server.


@contextmanager
def _serving(
    environment: dict[str, str], tmp_path: Path, *options: str, stop: signal.Signals = signal.SIGTERM
) -> Iterator[tuple[int, list[str]]]:
    """Run a server process, and stop it cleanly at the end. Yield its port and its output so far."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        port = found.getsockname()[1]
    process = subprocess.Popen(
        [JETON, "serve", "--port", str(port), *options],
        env=environment,
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    printed: list[str] = []
    try:
        for line in process.stdout:
            printed.append(line)
            # The first is said early where there are several workers: by the second, signals are minded.
            if all(said in "".join(printed) for said in ("Uvicorn running", "Application startup complete")):
                break
        else:
            pytest.fail("the server did not start: " + "".join(printed))
        yield port, printed
    finally:
        process.send_signal(stop)
        rest, _ = process.communicate(timeout=30)
        printed.append(rest)
    assert process.returncode == 0


def _headers(port: int, method: str, path: str) -> tuple[int, dict[str, str], bytes]:
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request(method, path)
    response = connection.getresponse()
    body = response.read()
    connection.close()
    return response.status, {name.lower(): value for name, value in response.getheaders()}, body


@pytest.mark.requirement("O15")
def test_responses_do_not_reveal_server_software(environment: dict[str, str], tmp_path: Path) -> None:
    with _serving(environment, tmp_path) as (port, _):
        answers = [
            _headers(port, "GET", "/livez"),
            _headers(port, "HEAD", "/.well-known/jwks.json"),
            _headers(port, "GET", "/nowhere"),
            _headers(port, "TRACE", "/oauth/token"),
        ]

    assert [status for status, _, _ in answers] == [200, 200, 404, 405]
    for _, headers, body in answers:
        assert headers.keys().isdisjoint({"server", "x-powered-by", "via"})
        assert not re.search(rb"uvicorn|starlette|python", body, re.IGNORECASE)
    assert answers[1][2] == b""


@pytest.mark.parametrize(
    ("stop", "workers"),
    [(signal.SIGTERM, "1"), (signal.SIGINT, "1"), (signal.SIGINT, "2")],
    ids=["SIGTERM", "SIGINT", "SIGINT with two workers"],
)
def test_stopped_server_exits_with_status_0_without_traceback(
    environment: dict[str, str], tmp_path: Path, stop: signal.Signals, workers: str
) -> None:
    with _serving(environment, tmp_path, "--workers", workers, stop=stop) as (_, printed):
        pass

    assert "Traceback" not in "".join(printed)


@pytest.mark.requirement("N16")
def test_demo_accounts_are_printed_once_and_work(environment: dict[str, str], tmp_path: Path) -> None:
    with _serving(environment, tmp_path, "--demo") as (port, printed):
        first = "".join(printed)
        line = re.search(r"curl -s \S+/oauth/token -u (\S+):(\S+) \\\n +-d (.*)$", first, re.MULTILINE)
        assert line is not None
        form = "&".join(line[3].split(" -d "))
        connection = HTTPConnection("127.0.0.1", port, timeout=10)
        credentials = {"client_id": line[1], "client_secret": line[2]}
        body = form + "".join(f"&{name}={value}" for name, value in credentials.items())
        connection.request("POST", "/oauth/token", body, {"Content-Type": "application/x-www-form-urlencoded"})
        tokens = json.loads(connection.getresponse().read())
        connection.close()
    with _serving(environment, tmp_path, "--demo") as (_, printed):
        second = "".join(printed)

    assert tokens.get("token_type") == "Bearer", tokens
    assert f"http://127.0.0.1:{port}/oauth/token" in first
    assert "have existed since the first start" in second
    assert line[2] not in second


@pytest.mark.requirement("A50", "O18")
def test_log_contains_no_passwords_tokens_or_secrets(environment: dict[str, str], tmp_path: Path) -> None:
    added = json.loads(
        _run(environment, tmp_path, "client", "add", "web", "--grant", "client_credentials", "--json").stdout
    )
    with _serving(environment, tmp_path) as (port, printed):
        connection = HTTPConnection("127.0.0.1", port, timeout=10)
        form = "grant_type=client_credentials&client_id=web&client_secret=" + added["client_secret"]
        media_type = {"Content-Type": "application/x-www-form-urlencoded"}
        connection.request("POST", "/oauth/token", form, media_type)
        token = json.loads(connection.getresponse().read())["access_token"]
        connection.request("POST", "/oauth/token?password=in-the-address", form + "&password=in-the-body", media_type)
        connection.getresponse().read()
        connection.close()

    log = "".join(printed)
    assert "token_issued" in log
    for secret in (token, added["client_secret"], "in-the-address", "in-the-body", MASTER_KEY):
        assert secret not in log
