"""The locks of Node's packages: `npm ci` installs from them on every platform, from any registry."""

import json
from pathlib import Path

import pytest

from support.checkout import ROOT


@pytest.mark.parametrize("folder", ["clients/typescript", "tests/interop/javascript"])
def test_a_lock_names_every_package_of_every_platform_and_no_registry(folder: str) -> None:
    packages = json.loads((ROOT / folder / "package-lock.json").read_text())["packages"]
    _, *installed = packages
    names = {Path(path).relative_to("node_modules").as_posix() for path in installed}

    wanted = {name for package in packages.values() for name in package.get("optionalDependencies", {})}
    assert wanted <= names, "npm left out what other platforms need: remove lock and node_modules, then npm install"
    assert all("integrity" in packages[path] and "resolved" not in packages[path] for path in installed)
