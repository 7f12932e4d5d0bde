"""The wheel: what is in it, and that it serves by itself in a virtual environment far from the checkout."""

import subprocess
import sys
import sysconfig
import tomllib
import urllib.parse
import urllib.request
import venv
from base64 import b64encode
from email import message_from_bytes
from email.message import Message
from json import load
from pathlib import Path
from typing import Final
from zipfile import ZipFile

import pytest

from interop.live_server import Installation
from support.checkout import ROOT, copy_tracked_files, tracked_files
from support.server_processes import JETON, free_port

PACKAGED: Final = {"server/jeton": "jeton", "alembic": "jeton/migrations", "config": "jeton/reference"}
PROJECT: Final = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def run(*command: str | Path, cwd: Path | None = None) -> str:
    """What the command prints; it must succeed. Nothing is downloaded: pip has no index."""
    done = subprocess.run(
        [str(word) for word in command], cwd=cwd, capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from the tracked files alone, with the build tools of this environment."""
    folder = tmp_path_factory.mktemp("wheel")
    source = copy_tracked_files(folder / "source")
    offline = ("--no-deps", "--no-index", "--no-build-isolation", "--quiet")
    run(sys.executable, "-m", "pip", "wheel", *offline, "--wheel-dir", folder, source)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def contents(wheel: Path) -> dict[str, bytes]:
    with ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture(scope="module")
def metadata(contents: dict[str, bytes]) -> Message:
    return message_from_bytes(contents[f"jeton-{PROJECT['project']['version']}.dist-info/METADATA"])


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment with the wheel. The packages it needs are borrowed from the one the tests run in."""
    folder = tmp_path_factory.mktemp("elsewhere") / "venv"
    venv.create(folder, with_pip=False, symlinks=True)
    install = ("install", "--no-deps", "--no-index", "--quiet")
    run(sys.executable, "-m", "pip", "--python", folder / "bin" / "python", *install, wheel)
    (packages,) = folder.glob("lib/python*/site-packages")
    (packages / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return folder


def where(python: Path, folder: Path) -> tuple[Path, Path]:
    """From which file the package is imported, and from which folder the migrations come, seen from another folder."""
    code = "import jeton; from jeton.storage.migrate import migrations; print(jeton.__file__); print(migrations())"
    package, migrations = run(python, "-I", "-c", code, cwd=folder).splitlines()
    return Path(package), Path(migrations)


def test_it_holds_the_packages_and_nothing_else(contents: dict[str, bytes]) -> None:
    expected = {
        f"{package}/{file.relative_to(source)}"
        for source, package in PACKAGED.items()
        for file in tracked_files()
        if file.is_relative_to(source)
    }
    found = {name for name in contents if ".dist-info/" not in name}

    assert found == expected
    assert {"jeton/py.typed", "jeton/reference/jeton.toml", "jeton/migrations/env.py"} <= found
    assert any(name.startswith("jeton/migrations/versions/0001") for name in found)


def test_each_file_in_it_is_the_checkouts(contents: dict[str, bytes]) -> None:
    for source, package in PACKAGED.items():
        for file in tracked_files():
            if file.is_relative_to(source):
                assert contents[f"{package}/{file.relative_to(source)}"] == (ROOT / file).read_bytes(), file


def test_the_licence_is_in_it(contents: dict[str, bytes], metadata: Message) -> None:
    (licence,) = (content for name, content in contents.items() if name.endswith(".dist-info/licenses/LICENSE"))

    assert licence == (ROOT / "LICENSE").read_bytes()
    assert metadata["License-Expression"] == "Apache-2.0"


def test_it_says_what_it_needs_and_which_command_it_brings(contents: dict[str, bytes], metadata: Message) -> None:
    (entry_points,) = (content for name, content in contents.items() if name.endswith("/entry_points.txt"))
    needed = {line for line in metadata.get_all("Requires-Dist", []) if "extra ==" not in line}

    assert b"jeton = jeton.cli:main" in entry_points
    assert len(needed) == len(PROJECT["project"]["dependencies"])
    assert metadata["Requires-Python"] == ">=3.11"
    assert metadata.get_payload() == (ROOT / "README.md").read_text(encoding="utf-8")


def test_installed_it_is_imported_and_not_the_checkout(environment: Path, tmp_path: Path) -> None:
    package, migrations = where(environment / "bin" / "python", tmp_path)

    assert package.is_relative_to(environment)
    assert migrations.is_relative_to(environment)


def test_installed_it_serves_a_token_from_an_empty_folder(environment: Path, tmp_path: Path) -> None:
    jeton = Installation(tmp_path, free_port(), {"PYTHONPATH": ""}, environment / "bin" / "jeton")

    assert jeton.run("migrate")["revision"]
    app = jeton.run("client", "add", "web", "--grant", "password", "--grant", "refresh_token", "--scope", "read")
    user = jeton.run("user", "add", "alice", "--generate-password")
    with jeton.serving():
        form = {"grant_type": "password", "username": "alice", "password": user["password"]}
        credentials = b64encode(f"web:{app['client_secret']}".encode()).decode()
        request = urllib.request.Request(
            f"{jeton.issuer}/oauth/token",
            urllib.parse.urlencode(form).encode(),
            {"Authorization": f"Basic {credentials}"},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            token = load(answer)

    assert token["token_type"] == "Bearer"
    assert jeton.run("token", "inspect", token["access_token"])["active"] is True
    assert jeton.output("config", "example") == (ROOT / "config" / "jeton.toml").read_text(encoding="utf-8")
    assert f"version {PROJECT['project']['version']}" in jeton.output("--version")
    assert {entry.name for entry in tmp_path.iterdir()} == {"var", "serve.log"}


def test_an_editable_install_is_the_checkout_itself(tmp_path: Path) -> None:
    """The environment in which these tests run is one."""
    package, migrations = where(Path(sys.executable), tmp_path)

    assert package == ROOT / "server" / "jeton" / "__init__.py"
    assert migrations == ROOT / "alembic"
    example = run(JETON, "config", "example", cwd=tmp_path)
    assert example == (ROOT / "config" / "jeton.toml").read_text(encoding="utf-8")


def test_every_package_on_disk_is_listed_in_the_project() -> None:
    on_disk = {
        ".".join((*package.split("/"), *file.relative_to(source).parent.parts))
        for source, package in PACKAGED.items()
        for file in tracked_files()
        if file.is_relative_to(source)
    }

    assert set(PROJECT["tool"]["setuptools"]["packages"]) == on_disk


@pytest.mark.parametrize("folder", ["alembic", "alembic/versions", "config", "server"])
def test_what_must_never_be_importable_by_its_folders_name_is_not(folder: str) -> None:
    """`alembic` would hide the library of that name; `server` and `config` are folders, not packages."""
    assert (ROOT / folder).is_dir()
    assert not (ROOT / folder / "__init__.py").exists()
