"""The stage of the story: an authorization server and an API as processes, a folder for them, and requests to both."""

import base64
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from email.message import Message
from itertools import count
from pathlib import Path
from typing import Any, Final

AUDIENCE: Final = "https://orders.example"
_PATIENCE_SECONDS: Final = 30

_numbers = count(1)


class BrokenStep(Exception):
    """Something did not happen as the story tells it."""


def step(sentence: str, *, saw: object, wanted: object) -> None:
    """Tells one step of the story, if what was seen is what was wanted; BrokenStep if not."""
    number = next(_numbers)
    if saw != wanted:
        raise BrokenStep(f"step {number}, {sentence}: wanted {wanted!r}, saw {saw!r}")
    print(f"{number:>4}  {sentence}", flush=True)


def wait_until(what: str, happened: Callable[[], bool]) -> None:
    """Returns as soon as it has happened; BrokenStep where it does not."""
    until = time.monotonic() + _PATIENCE_SECONDS
    while not happened():
        if time.monotonic() > until:
            raise BrokenStep(f"waited {_PATIENCE_SECONDS} seconds, and still it was not so: {what}")
        time.sleep(0.1)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back over HTTP."""

    status: int
    headers: Message
    content: bytes

    @property
    def body(self) -> dict[str, Any]:
        return dict(json.loads(self.content))

    @property
    def refusal(self) -> tuple[int, Any]:
        """The status, and the error code of RFC 6749 section 5.2."""
        return self.status, self.body.get("error")

    @property
    def challenge(self) -> tuple[int, str | None]:
        """The status, and what the API says is missing (RFC 6750 section 3)."""
        return self.status, self.headers.get("WWW-Authenticate")


def ask(method: str, url: str, headers: Mapping[str, str], form: Mapping[str, str] | None = None) -> Answer:
    """One HTTP request; whatever its status is, the answer is an answer."""
    data = None if form is None else urllib.parse.urlencode(form).encode()
    request = urllib.request.Request(url, data, dict(headers), method=method)
    try:
        response = urllib.request.urlopen(request, timeout=_PATIENCE_SECONDS)
    except urllib.error.HTTPError as refused:
        response = refused
    with response:
        return Answer(response.status, response.headers, response.read())


@dataclass(frozen=True, slots=True)
class App:
    """An application that is registered at the server; one without a secret is public."""

    issuer: str
    client_id: str
    secret: str | None = field(default=None, repr=False)

    def post(self, path: str, form: Mapping[str, str], headers: Mapping[str, str] | None = None) -> Answer:
        """A form request in this app's name: by HTTP Basic, or by a bare `client_id` (RFC 6749 section 2.3.1)."""
        headers, form = dict(headers or {}), dict(form)
        if self.secret is None:
            form["client_id"] = self.client_id
        else:
            credentials = base64.b64encode(f"{self.client_id}:{self.secret}".encode()).decode()
            headers["Authorization"] = f"Basic {credentials}"
        return ask("POST", self.issuer + path, headers, form)


@dataclass(frozen=True, slots=True)
class Stage:
    """A server with an empty database, and an API that trusts it."""

    folder: Path
    issuer: str
    orders_url: str
    api: subprocess.Popen[bytes]

    def jeton(self, *arguments: str) -> Any:
        """What `jeton ARGUMENTS --json` prints."""
        command = [*_JETON, *arguments, "--json"]
        done = subprocess.run(
            command, cwd=self.folder, env=_environment(self.issuer), capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise BrokenStep(f"jeton {' '.join(arguments)}: {done.stderr.strip()}")
        return json.loads(done.stdout)

    def orders(self, method: str, access_token: str | None = None) -> Answer:
        """A request to the API."""
        return ask(method, self.orders_url, {} if access_token is None else {"Authorization": f"Bearer {access_token}"})

    def published_kids(self) -> list[str]:
        """The keys that the server publishes."""
        return [key["kid"] for key in ask("GET", f"{self.issuer}/.well-known/jwks.json", {}).body["keys"]]


_JETON: Final = (sys.executable, "-m", "jeton")
_API: Final = (sys.executable, "-m", "uvicorn", "api:create", "--factory", "--log-level", "warning")


@contextmanager
def raised_stage() -> Iterator[Stage]:
    """Everything started on free ports, in a folder that is gone at the end."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="jeton-demo-")))
        issuer, api_port = f"http://127.0.0.1:{_free_port()}", _free_port()
        stack.enter_context(_running("server", folder, [*_JETON, "serve"], _environment(issuer), f"{issuer}/readyz"))
        command = [*_API, "--app-dir", str(Path(__file__).parent), "--port", str(api_port)]
        environment = os.environ | {"DEMO_ISSUER": issuer, "DEMO_AUDIENCE": AUDIENCE}
        orders_url = f"http://127.0.0.1:{api_port}/orders"
        api = stack.enter_context(_running("API", folder, command, environment, orders_url))
        yield Stage(folder, issuer, orders_url, api)


def _environment(issuer: str) -> dict[str, str]:
    """All settings but the address are the defaults: those of whoever plays the story do not count."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("JETON_")}
    return inherited | {"JETON_SERVER__PORT": issuer.rpartition(":")[2]}


@contextmanager
def _running(
    name: str, folder: Path, command: list[str], environment: Mapping[str, str], url: str
) -> Iterator[subprocess.Popen[bytes]]:
    """A process that answers at this URL; stopped at the end."""
    log = folder / f"{name}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=output, stderr=output)

    def answers() -> bool:
        if process.poll() is not None:
            raise BrokenStep(f"the {name} ended at once: {log.read_text(errors='replace').strip()}")
        try:
            return ask("GET", url, {}).status < 500
        except OSError:
            return False

    try:
        wait_until(f"the {name} answers", answers)
        yield process
    finally:
        process.terminate()
        process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
