"""The protocol is the same on every database: its tests run on SQLite, unless they are marked `both_databases`."""

import pytest


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "database_kind" in metafunc.fixturenames and metafunc.definition.get_closest_marker("both_databases"):
        metafunc.parametrize("database_kind", ["sqlite", "postgresql"])


@pytest.fixture
def database_kind() -> str:
    return "sqlite"


@pytest.fixture
def database_url(request: pytest.FixtureRequest, database_kind: str) -> str:
    """A migrated database that nobody else uses."""
    return str(request.getfixturevalue(f"{database_kind}_url"))
