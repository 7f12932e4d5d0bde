"""The Python client's wheel: what is in it, what it needs, and that it needs nothing else."""

import subprocess
import sys
import tomllib
from email import message_from_bytes
from pathlib import Path
from typing import Final
from zipfile import ZipFile

import pytest

from support.checkout import ROOT, copy_tracked_files

CLIENT: Final = Path("clients/python")


def run(*command: str | Path) -> str:
    """What the command prints; it must succeed."""
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from the tracked files alone, with the build tools of this environment."""
    folder = tmp_path_factory.mktemp("wheel")
    source = copy_tracked_files(folder / "source") / CLIENT
    offline = ("--no-deps", "--no-index", "--no-build-isolation", "--quiet")
    run(sys.executable, "-m", "pip", "wheel", *offline, "--wheel-dir", folder, source)
    (built,) = folder.glob("*.whl")
    return built


def test_it_holds_the_package_with_its_types_and_nothing_else(wheel: Path) -> None:
    with ZipFile(wheel) as archive:
        files = {name for name in archive.namelist() if ".dist-info/" not in name}

    expected = {f"jeton_client/{file.name}" for file in (ROOT / CLIENT / "jeton_client").iterdir() if file.is_file()}
    assert files == expected
    assert "jeton_client/py.typed" in files


def test_it_depends_on_httpx2_and_joserfc_only(wheel: Path) -> None:
    version = tomllib.loads((ROOT / CLIENT / "pyproject.toml").read_text())["project"]["version"]
    with ZipFile(wheel) as archive:
        metadata = message_from_bytes(archive.read(f"jeton_client-{version}.dist-info/METADATA"))

    needed = [it for it in metadata.get_all("Requires-Dist", []) if "extra ==" not in it]
    assert sorted(it.partition("<")[0].partition(">")[0] for it in needed) == ["httpx2", "joserfc"]


def test_it_is_imported_without_fastapi_and_without_the_server(wheel: Path) -> None:
    code = f"""
import sys
for absent in ("fastapi", "starlette", "jeton", "pydantic"):
    sys.modules[absent] = None
sys.path.insert(0, {str(wheel)!r})
import jeton_client
assert jeton_client.__file__.startswith({str(wheel)!r})
assert all(hasattr(jeton_client, name) for name in jeton_client.__all__)
"""
    run(sys.executable, "-W", "error", "-c", code)
