"""The environment of the demo: an authorization server and an API as processes, and HTTP requests to both."""

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
_TIMEOUT_SECONDS: Final = 30

_numbers = count(1)


class StepFailed(Exception):
    """A step did not have the expected result."""


def check(step: str, *, actual: object, expected: object) -> None:
    """Print the step if its result is the expected one. Raise StepFailed otherwise."""
    number = next(_numbers)
    if actual != expected:
        raise StepFailed(f"step {number}, {step}: expected {expected!r}, got {actual!r}")
    print(f"{number:>4}  {step}", flush=True)


def wait_until(description: str, condition: Callable[[], bool]) -> None:
    """Wait for the condition. Raise StepFailed if it is not met in time."""
    deadline = time.monotonic() + _TIMEOUT_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise StepFailed(f"not within {_TIMEOUT_SECONDS} seconds: {description}")
        time.sleep(0.1)


@dataclass(frozen=True, slots=True)
class Response:
    """An HTTP response."""

    status: int
    headers: Message
    content: bytes

    @property
    def body(self) -> dict[str, Any]:
        return dict(json.loads(self.content))

    @property
    def refusal(self) -> tuple[int, Any]:
        """The status and the error code (RFC 6749 section 5.2)."""
        return self.status, self.body.get("error")

    @property
    def challenge(self) -> tuple[int, str | None]:
        """The status and the challenge of the API (RFC 6750 section 3)."""
        return self.status, self.headers.get("WWW-Authenticate")


def send(method: str, url: str, headers: Mapping[str, str], form: Mapping[str, str] | None = None) -> Response:
    """Send one HTTP request. Return the response, of any status."""
    data = None if form is None else urllib.parse.urlencode(form).encode()
    request = urllib.request.Request(url, data, dict(headers), method=method)
    try:
        response = urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS)
    except urllib.error.HTTPError as refused:
        response = refused
    with response:
        return Response(response.status, response.headers, response.read())


@dataclass(frozen=True, slots=True)
class App:
    """A registered client; one without a secret is public."""

    issuer: str
    client_id: str
    secret: str | None = field(default=None, repr=False)

    def post(self, path: str, form: Mapping[str, str], headers: Mapping[str, str] | None = None) -> Response:
        """Send a form as this client, with HTTP Basic or only its `client_id` (RFC 6749 section 2.3.1)."""
        headers, form = dict(headers or {}), dict(form)
        if self.secret is None:
            form["client_id"] = self.client_id
        else:
            credentials = base64.b64encode(f"{self.client_id}:{self.secret}".encode()).decode()
            headers["Authorization"] = f"Basic {credentials}"
        return send("POST", self.issuer + path, headers, form)


@dataclass(frozen=True, slots=True)
class Environment:
    """A server with an empty database, and an API that trusts it."""

    folder: Path
    issuer: str
    orders_url: str
    api: subprocess.Popen[bytes]

    def jeton(self, *arguments: str) -> Any:
        """Run `jeton ARGUMENTS --json` and return what it prints. Raise StepFailed if it fails."""
        command = [*_JETON, *arguments, "--json"]
        done = subprocess.run(
            command, cwd=self.folder, env=_variables(self.issuer), capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise StepFailed(f"jeton {' '.join(arguments)}: {done.stderr.strip()}")
        return json.loads(done.stdout)

    def orders(self, method: str, access_token: str | None = None) -> Response:
        """Send a request to the API."""
        return send(
            method, self.orders_url, {} if access_token is None else {"Authorization": f"Bearer {access_token}"}
        )

    def published_kids(self) -> list[str]:
        """Return the ids of the keys that the server publishes."""
        return [key["kid"] for key in send("GET", f"{self.issuer}/.well-known/jwks.json", {}).body["keys"]]


_JETON: Final = (sys.executable, "-m", "jeton")
_API: Final = (sys.executable, "-m", "uvicorn", "api:create", "--factory", "--log-level", "warning")


@contextmanager
def started_environment() -> Iterator[Environment]:
    """Start the server and the API on free ports, in a temporary folder; stop both at the end."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="jeton-demo-")))
        issuer, api_port = f"http://127.0.0.1:{_free_port()}", _free_port()
        stack.enter_context(_running("server", folder, [*_JETON, "serve"], _variables(issuer), f"{issuer}/readyz"))
        command = [*_API, "--app-dir", str(Path(__file__).parent), "--port", str(api_port)]
        variables = os.environ | {"DEMO_ISSUER": issuer, "DEMO_AUDIENCE": AUDIENCE}
        orders_url = f"http://127.0.0.1:{api_port}/orders"
        api = stack.enter_context(_running("API", folder, command, variables, orders_url))
        yield Environment(folder, issuer, orders_url, api)


def _variables(issuer: str) -> dict[str, str]:
    """Return environment variables without the caller's settings: all but the port have their defaults."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("JETON_")}
    return inherited | {"JETON_SERVER__PORT": issuer.rpartition(":")[2]}


@contextmanager
def _running(
    name: str, folder: Path, command: list[str], variables: Mapping[str, str], url: str
) -> Iterator[subprocess.Popen[bytes]]:
    """Start a process and wait until it responds at this URL; stop it at the end."""
    log = folder / f"{name}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(command, cwd=folder, env=variables, stdout=output, stderr=output)

    def responds() -> bool:
        if process.poll() is not None:
            raise StepFailed(f"the {name} stopped during its start: {log.read_text(errors='replace').strip()}")
        try:
            return send("GET", url, {}).status < 500
        except OSError:
            return False

    try:
        wait_until(f"the {name} responds", responds)
        yield process
    finally:
        process.terminate()
        process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
