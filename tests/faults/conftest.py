"""Separate databases for these tests, which damage or stop them."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from jeton.bootstrap.signing_keys import key_rotation, key_stores
from jeton.crypto.master_key import parse_master_keys
from jeton.storage.clock import Clock
from jeton.storage.database import Database
from jeton.storage.migrate import migrate
from support.crashable_postgresql import Cluster
from support.in_process_server import MASTER_KEY, settings_for
from support.postgresql import postgresql_cluster


@pytest.fixture(scope="session")
def own_cluster() -> Iterator[Cluster]:
    """A cluster that the test may stop, if it is running again at the end."""
    with postgresql_cluster() as url:
        yield Cluster(url)


@pytest.fixture(scope="session")
def own_template(own_cluster: Cluster) -> str:
    """The name of a migrated database with signing keys."""
    url = own_cluster.new_database()
    database, settings = Database(url), settings_for(url)
    migrate(database)
    stores = key_stores(settings, parse_master_keys(MASTER_KEY))
    key_rotation(settings, database, Clock(), stores).ensure_keys_exist()
    database.close()
    return str(database.url.database)


@pytest.fixture
def own_postgresql_url(own_cluster: Cluster, own_template: str) -> str:
    """A database in that cluster, migrated and with signing keys."""
    return own_cluster.new_database(own_template)


@pytest.fixture
def sqlite_url(current_sqlite_template: Path, tmp_path: Path) -> str:
    return f"sqlite:///{shutil.copy(current_sqlite_template, tmp_path)}"


@pytest.fixture(params=["sqlite_url", "own_postgresql_url"], ids=["sqlite", "postgresql"])
def durable_url(request: pytest.FixtureRequest) -> str:
    """A database of either kind whose acknowledged commits survive a crash of any process."""
    return str(request.getfixturevalue(request.param))
