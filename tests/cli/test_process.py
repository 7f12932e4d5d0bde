"""jeton as a process: exit statuses, one-line refusals on standard error, and what a server reveals."""

import os
import pty
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import httpx2
import psycopg
import pytest
from sqlalchemy.exc import IntegrityError

import jeton.__main__
from jeton.cli.errors import CommandError
from jeton.cli.processes.listening import bind_sockets
from jeton.crypto.master_key import generate_master_key
from support.cli_runner import CommandLine
from support.forked_commands import ForkingLauncher
from support.in_process_server import MASTER_KEY, PASSWORD
from support.server_processes import (
    JETON,
    ServerProcess,
    environment,
    free_port,
    run_jeton,
    server_process,
    wait_until,
)

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.fixture
def url(current_sqlite_template: Path, tmp_path: Path) -> str:
    return f"sqlite:///{shutil.copy(current_sqlite_template, tmp_path / 'today.db')}"


@pytest.fixture
def cli(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CommandLine:
    monkeypatch.chdir(tmp_path)
    return CommandLine(environment(url))


def test_success_has_status_0_and_wrong_usage_status_2(cli: CommandLine) -> None:
    assert cli.main("user", "list", "--json") == (0, "[]\n", "")

    status, printed, said = cli.main("session", "revoke")
    assert (status, printed) == (2, "")
    assert "Usage: jeton session revoke" in said


@pytest.mark.parametrize(
    ("words", "variables", "sentence"),
    [
        ("user show nobody", {}, "there is no user nobody: see `jeton user list`"),
        ("user list", {"NONSENSE__KEY": "1"}, "JETON_NONSENSE__KEY is not a setting"),
        ("user list", {"DATABASE__URL": "nonsense"}, "database.url is not a URL"),
        ("user list", {"DATABASE__URL": "postgresql://jeton:hunter2@127.0.0.1:9/jeton"}, "database cannot be used"),
        ("user list", {"DATABASE__URL": "sqlite:////proc/nowhere/jeton.db"}, "/proc/nowhere/jeton.db"),
        ("keys revoke unknown", {}, "there is no key unknown"),
        ("session list --client \udcff", {}, "'\\udcff' is not valid UTF-8"),
    ],
    ids=["no such user", "unknown variable", "no database", "database away", "no place", "no such key", "no text"],
)  # fmt: skip
def test_refusal_is_one_line_on_stderr_with_status_1(
    cli: CommandLine, words: str, variables: dict[str, str], sentence: str
) -> None:
    status, printed, said = cli.with_variables(**variables).main(*words.split())

    assert (status, printed) == (1, "")
    (line,) = said.splitlines()
    assert line.startswith("jeton: ")
    assert sentence in line
    assert "hunter2" not in line


def test_database_error_is_one_line_without_values(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(**_: object) -> None:
        said = "duplicate key value violates unique constraint\nDETAIL:  Key (email_key)=(secret) already exists."
        raise IntegrityError("INSERT", {}, psycopg.errors.UniqueViolation(said))

    monkeypatch.setattr("jeton.cli.jeton", fail)

    sentence = "jeton: the database refused: duplicate key value violates unique constraint: try again\n"
    assert CommandLine({}).main() == (1, "", sentence)


@pytest.mark.parametrize(
    ("options", "variables", "reason"),
    [
        ((), {"SECRETS__MASTER_KEY": generate_master_key()}, "is needed but not configured"),
        ((), {"SECRETS__MASTER_KEY": ""}, "restore the file"),
        ((), {"PASSWORDS__BREACHED_FILE": "/nowhere"}, "passwords.breached_file /nowhere cannot be used: No such file"),
        (("--demo",), {}, "cannot listen on 127.0.0.1 port {taken}: address already in use"),
        (("--workers", "2"), {}, "cannot listen on 127.0.0.1 port {taken}: address already in use"),
    ],
    ids=["wrong master key", "lost master key", "no leaked passwords", "used address", "used address, two workers"],
)
def test_server_that_cannot_start_creates_nothing(
    cli: CommandLine, url: str, tmp_path: Path, options: tuple[str, ...], variables: dict[str, str], reason: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        used = free_port() if variables else port
        done = run_jeton(tmp_path, url, "serve", "--port", str(used), *options, **variables)

    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"jeton: {reason.format(taken=port)}" if options else "jeton: ")
    assert reason.format(taken=port) in line
    assert cli.json("user", "list") == []


@pytest.mark.parametrize("host", ["192.0.2.1", "a..b"], ids=["not of this machine", "no name"])
def test_foreign_host_is_refused(host: str) -> None:
    with pytest.raises(CommandError, match=f"cannot listen on {host} port 8000: "):
        bind_sockets(host, 8000)


@pytest.mark.parametrize(
    ("streams", "words", "expected"),
    [
        (">&-", "user list", (1, "jeton: the system refused: Bad file descriptor\n")),
        (">&- 2>&-", "user list", (1, "")),
        ("<&-", "user add alice --password-stdin", (1, "jeton: the password must have at least 15 characters\n")),
        ("2>&-", "user show nobody", (1, "")),
        ("| true", "config example", (0, "")),
        ("> /dev/full", "config example", (1, "jeton: the system refused: No space left on device\n")),
    ],
)
def test_closed_or_full_standard_stream_causes_no_traceback(
    launcher: ForkingLauncher, cli: CommandLine, streams: str, words: str, expected: tuple[int, str]
) -> None:
    # A fork has three streams.
    shell = ["sh", "-c", f"{JETON if '&-' in streams else launcher.command} {words} {streams}"]
    done = subprocess.run(shell, env=cli.environment, capture_output=True, text=True, timeout=60, check=False)

    assert (done.returncode, done.stderr) == expected


@pytest.mark.parametrize(
    "words",
    [
        "user add bob --generate-password",
        "user set-password alice --generate-password",
        "client add other --grant client_credentials",
        "client rotate-secret web",
        "registration token create",
    ],
)
def test_secret_that_cannot_be_printed_is_not_stored(
    launcher: ForkingLauncher, cli: CommandLine, url: str, words: str
) -> None:
    cli.text("user", "add", "alice", "--generate-password")
    cli.text("client", "add", "web", "--grant", "client_credentials")
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as database:
        before = list(database.iterdump())

        done = subprocess.run(
            ["sh", "-c", f"{launcher.command} {words} > /dev/full"], env=cli.environment, timeout=60, check=False
        )

        assert done.returncode == 1
        assert list(database.iterdump()) == before


@pytest.mark.parametrize(("encoding", "printed"), [("latin-1", b"\\u0142\xfc "), ("ascii", b"\xc5\x82\xc3\xbc ")])
def test_characters_missing_in_terminal_encoding_are_escaped(
    launcher: ForkingLauncher, cli: CommandLine, encoding: str, printed: bytes
) -> None:
    cli.text("user", "add", "\u0142\u00fc", "--generate-password")

    in_this = {**cli.environment, "PYTHONIOENCODING": encoding}
    done = subprocess.run([launcher.command, "user", "list"], env=in_this, capture_output=True, timeout=60, check=False)

    assert (done.returncode, done.stderr) == (0, b"")
    assert printed in done.stdout


# Behaviour of a running server.


def request(server: ServerProcess, method: str, target: str, form: str = "") -> httpx2.Response:
    return httpx2.request(method, server.url + target, content=form, headers=FORM if form else {}, trust_env=False)


@pytest.mark.requirement("A50", "O15", "O18")
def test_response_reveals_no_software_and_log_no_secret(cli: CommandLine, url: str, tmp_path: Path) -> None:
    secret = cli.json("client", "add", "web", "--grant", "client_credentials")["client_secret"]
    form = f"grant_type=client_credentials&client_id=web&client_secret={secret}"
    # Other machines reach this issuer: --demo creates no accounts, and the server starts nevertheless.
    variables = {"SERVER__ISSUER": "https://id.example", "SERVER__DRAIN_SECONDS": "0"}
    with server_process(tmp_path, url, "--demo", begin_only=False, **variables) as server:
        token = request(server, "POST", "/oauth/token", form).json()["access_token"]
        request(server, "POST", "/oauth/token?password=in-the-address", f"{form}&password=in-the-body")
        answers = [
            request(server, "GET", "/livez"),
            request(server, "HEAD", "/.well-known/jwks.json"),
            request(server, "GET", "/nowhere"),
            request(server, "TRACE", "/oauth/token"),
        ]
        server.signal(signal.SIGINT)
        wait_until(lambda: "Shutting down" in server.log, "shutdown begun", 10)
        server.signal(signal.SIGINT)  # a second Ctrl-C, which waits for nothing
        assert server.wait() == 0

    assert [it.status_code for it in answers] == [200, 200, 404, 405]
    for answer in answers:
        assert answer.headers.keys().isdisjoint({"server", "x-powered-by", "via"})
        assert not re.search("uvicorn|starlette|python", answer.text, re.IGNORECASE)
    assert answers[1].content == b""
    assert server.log.count("--demo created no accounts") == server.log.count("token_issued") == 1
    for unwanted in (token, secret, "in-the-address", "in-the-body", MASTER_KEY, "Traceback"):
        assert unwanted not in server.log


@pytest.mark.requirement("N16")
@pytest.mark.usefixtures("installed_command")
def test_demo_accounts_are_printed_once_by_two_workers_and_work(url: str, tmp_path: Path) -> None:
    with server_process(tmp_path, url, "--demo", "--workers", "2") as server:
        line = re.search(r"curl -s (\S+)/oauth/token -u (\S+):(\S+) \\\n +-d (.*)$", server.log, re.MULTILINE)
        assert line is not None
        form = "&".join([*line[4].split(" -d "), f"client_id={line[2]}", f"client_secret={line[3]}"])
        answer = request(server, "POST", "/oauth/token", form)
        server.signal(signal.SIGINT)
        assert server.wait() == 0

    assert (answer.status_code, answer.json()["token_type"], line[1]) == (200, "Bearer", server.url)
    assert (server.log.count("shown this once"), server.log.count("Traceback")) == (1, 0)


def test_interrupted_import_leaves_no_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    class Interrupting:
        def find_spec(self, name: str, *_: object) -> None:
            if name == "jeton.cli":
                raise KeyboardInterrupt

    monkeypatch.delitem(sys.modules, "jeton.cli")
    monkeypatch.setattr(sys, "meta_path", [Interrupting(), *sys.meta_path])

    with pytest.raises(SystemExit, match=r"^\nAborted!$"):
        jeton.__main__.main()


def test_password_at_a_terminal_is_asked_for_twice_and_not_shown(launcher: ForkingLauncher, cli: CommandLine) -> None:
    terminal, other_end = pty.openpty()
    command, shown = (launcher.command, "user", "add", "alice", "--password-stdin"), b""
    with subprocess.Popen(command, stdin=other_end, stdout=-1, stderr=other_end, env=cli.environment) as process:
        os.close(other_end)
        for prompt in (b"Password: ", b"Repeat for confirmation: "):
            while prompt not in shown:
                shown += os.read(terminal, 100)
            os.write(terminal, f"{PASSWORD}\n".encode())
        assert process.wait(60) == 0

    assert PASSWORD.encode() not in shown + os.read(terminal, 100)
    os.close(terminal)
    assert [it["username"] for it in cli.json("user", "list")] == ["alice"]
