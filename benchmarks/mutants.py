"""Mutation test of the suite: `make mutants` changes the pure rules in one place at a time (mutmut).

The sample has a fixed seed and covers modules whose faults would otherwise go unnoticed. Prints the score and each
mutant that no test detected. The tests run on SQLite and without the files of races: these repeat, on either database,
what other tests prove once.
"""

import argparse
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

SEED: Final = 20261128
MUTATED: Final = (
    "oauth/*.py",
    "rules/*.py",
    "crypto/family_tags.py",
    "crypto/refresh_token.py",
    "crypto/signed_jwt.py",
    "endpoints/clients/client_authentication.py",
    "endpoints/introspection.py",
    "endpoints/token_parsing.py",
    "endpoints/revocation.py",
    "storage/ledger/*.py",
)
# Of the command line those that are about rules: mutmut cannot follow a test into another process.
_COMMANDS: Final = ("client", "client_keys", "client_redirects", "registration", "resource", "user", "user_claims")
TESTS: Final = (
    *("tests/unit", "tests/protocol", "tests/storage", "tests/admin"),
    *(f"tests/cli/test_{name}.py" for name in _COMMANDS),
)
# mutmut runs tests by their ids, and pytest does not find all of those that have a backslash.
_DESELECTION: Final = """

def pytest_collection_modifyitems(items):
    items[:] = [item for item in items if "\\\\" not in item.nodeid]
"""
_KILLED: Final = "killed"
_SURVIVED: Final = {0: "survived", 33: "no tests", 5: "no tests"}
_ROOT: Final = Path(__file__).parents[1]


def prepare(folder: Path) -> None:
    """Copy the checkout. mutmut expects the package in a folder named `src`."""
    for name in ("alembic", "clients", "config", "docs", "tests"):
        shutil.copytree(_ROOT / name, folder / name, ignore=shutil.ignore_patterns("node_modules", "__pycache__"))
    shutil.copytree(_ROOT / "server", folder / "src", ignore=shutil.ignore_patterns("*.egg-info", "__pycache__"))
    with (folder / "tests" / "conftest.py").open("a", encoding="utf-8") as conftest:
        conftest.write(_DESELECTION)
    settings = {
        "source_paths": ["src"],
        "only_mutate": [f"src/jeton/{pattern}" for pattern in MUTATED],
        "also_copy": ["alembic", "clients", "config", "docs", "tests"],
        "pytest_add_cli_args": ["-k", "not postgresql", "-p", "no:xdist", "--ignore-glob=*races*.py"],
        "pytest_add_cli_args_test_selection": list(TESTS),
    }
    project = (
        (_ROOT / "pyproject.toml").read_text(encoding="utf-8").replace('pythonpath = ["server"', 'pythonpath = ["src"')
    )
    table = "\n".join(f"{key} = {json.dumps(value)}" for key, value in settings.items())
    (folder / "pyproject.toml").write_text(f"{project}\n[tool.mutmut]\n{table}\n", encoding="utf-8")


def log(folder: Path) -> str:
    """Return the end of mutmut's output."""
    return (folder / "mutmut.log").read_text(encoding="utf-8", errors="replace")[-2000:]


def mutmut(folder: Path, *words: str) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("JETON_")}
    with (folder / "mutmut.log").open("ab") as output:
        subprocess.run(
            [sys.executable, "-m", "mutmut", *words],
            cwd=folder,
            env=environment,
            stdout=output,
            stderr=output,
            check=False,
        )


def outcomes(folder: Path) -> dict[str, str]:
    """Return the result of each mutant; an empty string for those that were not run."""
    found = {}
    for file in sorted((folder / "mutants").rglob("*.meta")):
        for name, status in json.loads(file.read_text(encoding="utf-8"))["exit_code_by_key"].items():
            found[name] = "" if status is None else _SURVIVED.get(status, _KILLED)
    return found


def shown(folder: Path, name: str) -> Iterator[str]:
    """Return the lines that the mutant changed."""
    done = subprocess.run(
        [sys.executable, "-m", "mutmut", "show", name], cwd=folder, capture_output=True, text=True, check=False
    )
    yield from (line for line in done.stdout.splitlines() if re.match(r"[-+](?![-+])", line))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sample", type=int, default=1000)
    parser.add_argument("--children", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        prepare(folder)
        # No mutant has this name: mutmut creates all mutants and runs the tests once, without a mutant.
        mutmut(folder, "run", "--max-children", "1", "none")
        names = sorted(outcomes(folder))
        if not names:
            sys.exit(log(folder))
        sample = random.Random(SEED).sample(names, min(options.sample, len(names)))
        mutmut(folder, "run", "--max-children", str(options.children), *sample)
        found = {name: it for name, it in outcomes(folder).items() if name in set(sample)}
        if "" in found.values():
            sys.exit(f"not every mutant was tried:\n{log(folder)}")
        unnoticed = [name for name in sample if found[name] != _KILLED]
        for name in sorted(unnoticed):
            print(f"{name}: {found[name]}", *(f"    {line}" for line in shown(folder, name)), sep="\n")
        print(f"{len(sample) - len(unnoticed)} of {len(sample)} mutants were detected (of {len(names)} in total)")


if __name__ == "__main__":
    main()
