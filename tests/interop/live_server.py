"""`jeton serve` as a process of its own, on a free port, with a database of its own: as an operator runs it."""

import json
import os
import subprocess
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from support.server_processes import JETON, wait_until

AUDIENCE: Final = "https://orders.example"
_SECONDS: Final = 60


@dataclass(frozen=True, slots=True)
class Installation:
    """The command `jeton`, a folder where it runs, and the settings it runs with."""

    folder: Path
    port: int
    settings: Mapping[str, str] = field(default_factory=dict)
    command: Path = JETON

    @property
    def issuer(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        """The caller's, but for the caller's own settings; password hashes are cheap."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("JETON_")}
        settings = {"JETON_SERVER__PORT": str(self.port), "JETON_PASSWORDS__MEMORY_KIB": "8", **self.settings}
        return inherited | settings

    def run(self, *arguments: str) -> Any:
        """What `jeton ARGUMENTS --json` prints."""
        return json.loads(self.output(*arguments, "--json"))

    def output(self, *arguments: str) -> str:
        """What `jeton ARGUMENTS` prints; it must succeed."""
        done = subprocess.run(
            [str(self.command), *arguments],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
        assert done.returncode == 0, f"jeton {' '.join(arguments)}: {done.stderr}{done.stdout}"
        return done.stdout

    @contextmanager
    def serving(self, *options: str) -> Iterator[subprocess.Popen[bytes]]:
        """`jeton serve OPTIONS`, ready to serve; stopped at the end as a service manager stops it."""
        log = self.folder / "serve.log"
        with log.open("ab") as output:
            process = subprocess.Popen(
                [str(self.command), "serve", *options],
                cwd=self.folder,
                env=self.environment,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        try:
            wait_until_ready(self.issuer, process, log)
            yield process
        finally:
            process.terminate()
            try:
                process.wait(30)
            finally:
                process.kill()


@dataclass(frozen=True, slots=True)
class Live:
    """Where the server is, and who may ask it: two confidential apps, two public ones, and a service.

    `origin` is that of the pages of the public client `docs`.
    """

    issuer: str
    username: str
    sub: str
    password: str = field(repr=False)
    secrets: dict[str, str] = field(repr=False)
    installation: Installation
    origin: str

    @property
    def token_endpoint(self) -> str:
        return f"{self.issuer}/oauth/token"

    @property
    def revocation_endpoint(self) -> str:
        return f"{self.issuer}/oauth/revoke"

    @property
    def introspection_endpoint(self) -> str:
        return f"{self.issuer}/oauth/introspect"

    @property
    def jwks_uri(self) -> str:
        return f"{self.issuer}/.well-known/jwks.json"


def wait_until_ready(issuer: str, process: subprocess.Popen[bytes], log: Path, seconds: int = _SECONDS) -> None:
    """Returns once /readyz says so; fails with the log where the process ends first, or takes too long."""

    def is_ready() -> bool:
        if process.poll() is not None:
            raise AssertionError(f"{process.args!r} ended: {log.read_text(errors='replace')}")
        # Its own word first: what answers at the port might be somebody else's.
        if f"running on {issuer}" not in log.read_text(errors="replace"):
            return False
        try:
            with urllib.request.urlopen(f"{issuer}/readyz", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    wait_until(is_ready, f"{issuer} ready, log in {log}", seconds)
