"""The Python examples work: with real processes, a real server, and nginx in front of one of them."""

import json
import os
import runpy
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import httpx2
import pytest
from joserfc.jwk import ECKey

from interop.live_server import AUDIENCE
from jeton_client import BearerAuth, Client, TokenSession
from support.checkout import ROOT
from support.cli_runner import CommandLine
from support.example_processes import EXAMPLES, process, served_example
from support.forked_commands import ForkingLauncher
from support.person import Person, browser_program
from support.programs import find_program
from support.server_processes import ServerProcess, environment, free_port, wait_until


@dataclass(frozen=True, slots=True)
class Accounts:
    """A server where bea has an account. Public clients: `orders-app` with `orders` and `other`, and `orders-cli`."""

    issuer: str
    password: str = field(repr=False)
    run: CommandLine = field(repr=False)

    @property
    def person(self) -> Person:
        return Person(self.issuer, "bea", self.password)

    @contextmanager
    def session(self, scope: str) -> Iterator[TokenSession]:
        with TokenSession(self.issuer, Client("orders-app")) as session:
            session.log_in("bea", self.password, scope)
            yield session


@pytest.fixture(scope="module")
def accounts(module_sqlite_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Accounts]:
    server = ServerProcess(free_port(), tmp_path_factory.mktemp("server"), environment(module_sqlite_url))
    commands = CommandLine(server.environment)
    run = commands.json
    user = run("user", "add", "bea", "--role", "clerk", "--generate-password")
    grants = ("--grant", "password", "--grant", "refresh_token", "--scope", "orders", "--scope", "other")
    run("client", "add", "orders-app", "--public", *grants, "--audience", AUDIENCE)
    native = ("--application-type", "native", "--redirect-uri", "http://127.0.0.1/callback", "--scope", "orders")
    codes = ("--grant", "authorization_code", "--grant", "refresh_token")
    run("client", "add", "orders-cli", "--public", *native, *codes, "--audience", AUDIENCE)
    with server.serving():
        yield Accounts(server.url, user["password"], commands)


@contextmanager
def service(python: Path, accounts: Accounts, folder: Path, name: str, port: int) -> Iterator[str]:
    """Serve the example of this name by uvicorn on this port."""
    url = f"http://127.0.0.1:{port}"
    environment = {"ISSUER": accounts.issuer, "AUDIENCE": AUDIENCE}
    with served_example(folder, f"{name}/service", f"{url}/orders", environment, python):
        yield url


@pytest.fixture(scope="module")
def orders(launcher: ForkingLauncher, accounts: Accounts, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("orders")
    with service(launcher.python, accounts, folder, "fastapi-service", free_port()) as url:
        yield url


def run(python: Path, variables: Mapping[str, str], script: str, *words: str) -> tuple[int, str, str]:
    """Run a script of the examples. Return the exit status, the output and the errors."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "clients" / "python"), **variables}
    command = [str(python), str(EXAMPLES / script), *words]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=30, check=False)
    return done.returncode, done.stdout, done.stderr


def test_fastapi_service_checks_scope_and_session(accounts: Accounts, orders: str) -> None:
    with (
        httpx2.Client(base_url=orders, trust_env=False) as http,
        accounts.session("orders") as may,
        accounts.session("other") as may_not,
    ):
        nobody = http.get("/orders")
        other = http.get("/orders", auth=BearerAuth(may_not, [orders]))
        placed = http.post("/orders", params={"item": "tea"}, auth=BearerAuth(may, [orders]))
        listed = http.get("/orders", auth=BearerAuth(may, [orders]))
        kept = {"Authorization": f"Bearer {may.access_token()}"}
        may.log_out()
        wait_until(lambda: http.get("/orders", headers=kept).status_code == 401, "the session's end is noticed", 6)

    assert (nobody.status_code, nobody.headers["www-authenticate"]) == (401, 'Bearer realm="orders", scope="orders"')
    assert other.status_code == 403
    assert (placed.status_code, listed.json()) == (201, ["tea"])


def test_plain_service_answers_behind_nginx(launcher: ForkingLauncher, accounts: Accounts, tmp_path: Path) -> None:
    front, back = free_port(), free_port()
    text = (EXAMPLES / "asgi-service" / "nginx.conf").read_text()
    text = text.replace("127.0.0.1:8080", f"127.0.0.1:{front}").replace("127.0.0.1:8001", f"127.0.0.1:{back}")
    (tmp_path / "nginx.conf").write_text(text)
    (tmp_path / "tmp").mkdir()
    url = f"http://127.0.0.1:{front}"
    command = [
        find_program("nginx", "nginx-light"),
        "-p",
        str(tmp_path),
        "-c",
        "nginx.conf",
        "-e",
        "stderr",
        "-g",
        "daemon off;",
    ]
    with ExitStack() as stack:
        stack.enter_context(service(launcher.python, accounts, tmp_path, "asgi-service", back))
        printed = stack.enter_context(process(tmp_path, url, command, {}))
        with httpx2.Client(base_url=url, trust_env=False) as http, accounts.session("orders") as session:
            nobody = http.get("/?access_token=abc")
            bea = http.get("/", auth=BearerAuth(session, [url]))
            too_long = http.get("/", headers={"Authorization": f"Bearer {'x' * 8000}"})

    assert (nobody.status_code, nobody.headers["www-authenticate"]) == (401, 'Bearer realm="orders", scope="orders"')
    assert (bea.status_code, bea.json()["roles"]) == (200, ["clerk"])
    assert (too_long.status_code, too_long.headers["www-authenticate"].count("invalid_token")) == (401, 1)
    assert "access_token" not in printed.read_text()


def test_command_line_app_keeps_its_session_between_commands(
    launcher: ForkingLauncher, accounts: Accounts, orders: str, tmp_path: Path
) -> None:
    variables = {"ISSUER": accounts.issuer, "CLIENT_ID": "orders-cli", "API": orders, "XDG_STATE_HOME": str(tmp_path)}
    orders_app = partial(run, launcher.python, variables, "command-line/orders.py")

    with accounts.person.serving() as person_url:
        variables["BROWSER"] = str(browser_program(tmp_path, f"{person_url}?decision=deny"))
        denied = orders_app("login")
        variables["BROWSER"] = str(browser_program(tmp_path, person_url))
        assert orders_app("login") == (0, "", "")
    assert orders_app("place", "coffee")[0] == 0
    status, printed, _ = orders_app("list")

    assert (denied[0], "access_denied" in denied[2], "Traceback" in denied[2]) == (1, True, False)
    assert (status, printed.splitlines()[-1]) == (0, "coffee")
    assert (tmp_path / "orders" / "session.json").stat().st_mode & 0o777 == 0o600
    assert orders_app("logout") == (0, "", "")
    assert orders_app("list") == (1, "", "You are not logged in. Run: python orders.py login\n")


def test_examples_say_in_one_line_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "sleep", lambda _: None)
    monkeypatch.chdir(tmp_path)
    for name, value in {"ISSUER": "http://127.0.0.1:9", "XDG_STATE_HOME": str(tmp_path)}.items():
        monkeypatch.setenv(name, value)

    def line(script: str, *words: str) -> str:
        """Return what Python prints before it exits with status 1."""
        monkeypatch.setattr(sys, "argv", [script, *words])
        with pytest.raises(SystemExit) as ended:
            runpy.run_path(str(EXAMPLES / script), run_name="__main__")
        (printed,) = str(ended.value.code).splitlines()
        return printed

    assert "There is no key in key.json" in line("machine-client/report.py")
    for unusable in ("no JSON", "{}"):
        (tmp_path / "key.json").write_text(unusable)
        assert "There is no usable key in key.json" in line("machine-client/report.py")
    (tmp_path / "key.json").write_text(json.dumps(ECKey.generate_key("P-256").as_dict(private=True)))
    assert "This does not work at the moment" in line("machine-client/report.py")
    assert "This does not work at the moment" in line("command-line/orders.py", "login")


@pytest.mark.requirement("MC14")
def test_machine_client_proves_itself_by_its_key(
    launcher: ForkingLauncher, accounts: Accounts, orders: str, tmp_path: Path
) -> None:
    variables = {"ISSUER": accounts.issuer, "API": orders, "KEY": str(tmp_path / "key.json")}
    report = partial(run, launcher.python, variables, "machine-client/report.py")

    created = report("public-key")
    assert report("public-key") == created
    (tmp_path / "jwks.json").write_text(created[1])
    own = ("--grant", "client_credentials", "--scope", "orders", "--audience", AUDIENCE)
    method = ("--auth-method", "private_key_jwt", "--jwks", str(tmp_path / "jwks.json"))
    accounts.run.json("client", "add", "nightly", *own, *method)

    assert [report(), report()] == [(0, "[]\n", ""), (0, "[]\n", "")]
    assert (tmp_path / "key.json").stat().st_mode & 0o777 == 0o600
    assert '"d"' not in (tmp_path / "jwks.json").read_text()
