"""Databases of this folder's own: what is done to them here, no other test would survive."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from jeton.storage.database import Database
from jeton.storage.migrate import migrate
from support.crashable_postgresql import Cluster, cluster
from support.postgresql import NoPostgresqlError


def migrated(url: str) -> str:
    database = Database(url)
    migrate(database)
    database.close()
    return url


@pytest.fixture(scope="session")
def own_cluster() -> Iterator[Cluster]:
    """A cluster that may be stopped, if it runs again at the end of the test."""
    try:
        with cluster() as started:
            yield started
    except NoPostgresqlError as missing:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"NOT RUN ON POSTGRESQL: {missing}")


@pytest.fixture
def own_postgresql_url(own_cluster: Cluster) -> str:
    """A migrated database in that cluster."""
    return migrated(own_cluster.new_database())


@pytest.fixture(params=["sqlite", "postgresql"])
def durable_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A migrated database whose answered commits survive the death of any process, of either kind."""
    if request.param == "postgresql":
        return str(request.getfixturevalue("own_postgresql_url"))
    return migrated(f"sqlite:///{tmp_path}/jeton.db")
