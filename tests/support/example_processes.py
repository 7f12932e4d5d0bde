"""Examples that run as separate processes."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import httpx2

from support.checkout import ROOT
from support.server_processes import wait_until

EXAMPLES: Final = ROOT / "examples"


@contextmanager
def process(folder: Path, url: str, command: Sequence[str], environment: Mapping[str, str]) -> Iterator[Path]:
    """Start a command in this folder, and wait until this URL answers 401. Yield its output."""
    printed = folder / f"{Path(command[0]).name}.log"
    with printed.open("wb") as output:
        started = subprocess.Popen(command, cwd=folder, env={**os.environ, **environment}, stdout=output, stderr=output)

    def answers() -> bool:
        assert started.poll() is None, printed.read_text()
        try:
            return httpx2.get(url, trust_env=False).status_code == 401
        except httpx2.TransportError:
            return False

    try:
        wait_until(answers, f"{url}, log in {printed}", 20)
        yield printed
    finally:
        started.terminate()
        started.wait(10)


@contextmanager
def served_example(
    folder: Path, module: str, url: str, environment: Mapping[str, str], python: str | Path = sys.executable
) -> Iterator[Path]:
    """Serve `app` of this module of an example (such as `mcp-server/server`) by uvicorn at this URL."""
    name, _, file = module.partition("/")
    command = [str(python), "-m", "uvicorn", f"{file}:app", "--app-dir", str(EXAMPLES / name)]
    variables = {**environment, "PYTHONPATH": str(ROOT / "clients" / "python")}
    with process(folder, url, [*command, "--port", str(httpx2.URL(url).port)], variables) as printed:
        yield printed
