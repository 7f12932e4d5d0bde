"""The wheels of the server and of the Python client: what is in them, and that they work far from the checkout."""

import re
import subprocess
import sys
import sysconfig
import tomllib
import urllib.parse
import urllib.request
import venv
from base64 import b64encode
from dataclasses import dataclass
from email import message_from_bytes
from email.message import Message
from json import load
from pathlib import Path
from typing import Any, Final
from zipfile import ZipFile

import pytest

from support.checkout import ROOT, copy_tracked_files, tracked_files
from support.server_processes import ServerProcess, environment, free_port

SERVER: Final = {"server/jeton": "jeton", "alembic": "jeton/migrations", "config/jeton.toml": "jeton/reference"}
CLIENT: Final = {"clients/python/jeton_client": "jeton_client"}
EXAMPLE: Final = (ROOT / "config" / "jeton.toml").read_text(encoding="utf-8")


def run(*command: str | Path, cwd: Path | None = None) -> str:
    """Return what the command prints. It must succeed. Nothing is downloaded: pip has no index."""
    words = [str(word) for word in command]
    done = subprocess.run(words, cwd=cwd, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout


def pyproject(folder: str) -> dict[str, Any]:
    return tomllib.loads((ROOT / folder / "pyproject.toml").read_text(encoding="utf-8"))


def packaged(sources: dict[str, str]) -> dict[str, bytes]:
    """Return the tracked files of these folders, by their names in the wheel."""
    return {
        f"{package}/{file.name if file == Path(source) else file.relative_to(source)}": (ROOT / file).read_bytes()
        for source, package in sources.items()
        for file in tracked_files()
        if file.is_relative_to(source)
    }


@dataclass(frozen=True)
class Wheel:
    """A wheel built from the tracked files alone, with the build tools of this environment."""

    file: Path

    @property
    def contents(self) -> dict[str, bytes]:
        with ZipFile(self.file) as archive:
            return {name: archive.read(name) for name in archive.namelist()}

    def metadata(self, name: str) -> bytes:
        """Return the file of .dist-info with this name."""
        (found,) = (it for path, it in self.contents.items() if path.endswith(name) and ".dist-info/" in path)
        return found

    @property
    def message(self) -> Message:
        return message_from_bytes(self.metadata("/METADATA"))

    @property
    def requirements(self) -> set[str]:
        """The names of the required packages, without extras."""
        needed = [it for it in self.message.get_all("Requires-Dist", []) if "extra ==" not in it]
        return {it.partition("<")[0].partition(">")[0].partition("[")[0] for it in needed}


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Wheel]:
    """The wheels by package name."""
    folder = tmp_path_factory.mktemp("wheels")
    source = copy_tracked_files(folder / "source")
    offline = ("--no-deps", "--no-index", "--no-build-isolation", "--quiet")
    run(sys.executable, "-m", "pip", "wheel", *offline, "--wheel-dir", folder, source, source / "clients/python")
    return {file.name.partition("-")[0]: Wheel(file) for file in folder.glob("*.whl")}


@pytest.fixture(scope="module")
def installed(wheels: dict[str, Wheel], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment with the server. Its dependencies are those of the environment of the tests."""
    folder = tmp_path_factory.mktemp("elsewhere") / "venv"
    venv.create(folder, with_pip=False, symlinks=True)
    install = ("install", "--no-deps", "--no-index", "--no-compile", "--quiet")
    run(sys.executable, "-m", "pip", "--python", folder / "bin" / "python", *install, wheels["jeton"].file)
    (packages,) = folder.glob("lib/python*/site-packages")
    (packages / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return folder / "bin"


def origins(python: Path, folder: Path) -> list[Path]:
    """Return the file that the package is imported from in another folder, and the folder of the migrations."""
    code = "import jeton; from jeton.storage.migrate import migrations; print(jeton.__file__); print(migrations())"
    return [Path(line) for line in run(python, "-I", "-c", code, cwd=folder).splitlines()]


@pytest.mark.parametrize(("package", "sources"), [("jeton", SERVER), ("jeton_client", CLIENT)])
def test_wheel_holds_the_checkouts_package_and_nothing_else(
    wheels: dict[str, Wheel], package: str, sources: dict[str, str]
) -> None:
    found = {name: it for name, it in wheels[package].contents.items() if ".dist-info/" not in name}

    assert found == packaged(sources)
    assert f"{package}/py.typed" in found


def test_wheel_states_what_it_needs_and_its_command(wheels: dict[str, Wheel]) -> None:
    wheel, project = wheels["jeton"], pyproject(".")["project"]

    assert {"jeton/reference/jeton.toml", "jeton/migrations/env.py"} <= wheel.contents.keys()
    assert wheel.metadata("/licenses/LICENSE") == (ROOT / "LICENSE").read_bytes()
    assert b"jeton = jeton.__main__:main" in wheel.metadata("/entry_points.txt")
    assert len(wheel.requirements) == len(project["dependencies"])
    message = wheel.message
    assert (message["License-Expression"], message["Requires-Python"]) == ("Apache-2.0", ">=3.11")
    assert (message["Version"], wheels["jeton_client"].message["Version"]) == (
        project["version"],
        pyproject("clients/python")["project"]["version"],
    )
    assert message.get_payload() == (ROOT / "README.md").read_text(encoding="utf-8")
    assert wheels["jeton_client"].requirements == {"httpx2", "joserfc"}


def test_client_is_imported_without_fastapi_and_without_the_server(wheels: dict[str, Wheel]) -> None:
    file = str(wheels["jeton_client"].file)
    code = f"""
import sys
for absent in ("fastapi", "starlette", "jeton", "pydantic"):
    sys.modules[absent] = None
sys.path.insert(0, {file!r})
import jeton_client
assert jeton_client.__file__.startswith({file!r})
assert all(hasattr(jeton_client, name) for name in jeton_client.__all__)
"""
    run(sys.executable, "-W", "error", "-c", code)


def test_installed_server_issues_a_token_from_an_empty_folder(installed: Path, tmp_path: Path) -> None:
    assert all(it.is_relative_to(installed.parent) for it in origins(installed / "python", tmp_path))
    port, command = free_port(), (str(installed / "jeton"), "serve")
    server = ServerProcess(port, tmp_path, environment("", SECRETS__MASTER_KEY="") | {"PYTHONPATH": ""}, (), command)

    app = server.json("client", "add", "web", "--grant", "client_credentials", "--scope", "read")
    with server.serving():
        credentials = b64encode(f"web:{app['client_secret']}".encode()).decode()
        form = urllib.parse.urlencode({"grant_type": "client_credentials"}).encode()
        headers = {"Authorization": f"Basic {credentials}"}
        with urllib.request.urlopen(urllib.request.Request(f"{server.url}/oauth/token", form, headers)) as answer:
            assert load(answer)["token_type"] == "Bearer"

    assert server.output("config", "example") == EXAMPLE
    assert {entry.name for entry in tmp_path.iterdir()} == {"var", f"log-{port}"}


def test_every_package_on_disk_is_listed_in_the_project() -> None:
    folders = {*SERVER.values(), *(name.rpartition("/")[0] for name in packaged(SERVER) if name.endswith(".py"))}

    assert set(pyproject(".")["tool"]["setuptools"]["packages"]) == {it.replace("/", ".") for it in folders}


def test_folders_of_the_checkout_are_not_importable_by_their_names() -> None:
    """`alembic` would hide the library of that name; `server` and `config` are folders, not packages."""
    for folder in ("alembic", "alembic/versions", "config", "server"):
        assert (ROOT / folder).is_dir()
        assert not (ROOT / folder / "__init__.py").exists()


def test_no_document_installs_the_packages_by_name_while_no_registry_has_them() -> None:
    """Whoever registers the name there first would be installed."""
    places = (Path("README.md"), Path("docs"), Path("examples"), Path("clients"))
    by_name = re.compile(r"pip install\b.*?[ '](jeton|jeton-client)\b")
    found = {
        str(file)
        for file in tracked_files()
        if file.suffix in (".md", ".py")
        and any(map(file.is_relative_to, places))
        and by_name.search((ROOT / file).read_text(encoding="utf-8"))
    }

    assert found == set()
