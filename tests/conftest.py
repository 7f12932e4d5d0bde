"""Databases and servers, for a single test (`jeton`, `start`) or shared by a module (`shared_jeton`)."""

import asyncio
import gc
import os
import shutil
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from contextlib import AsyncExitStack
from functools import cache, partial
from pathlib import Path
from typing import Final
from uuid import uuid4

import httpcore2
import pytest
import structlog
from jinja2 import Environment
from sqlalchemy import create_engine, text

from jeton.bootstrap.signing_keys import key_rotation, key_stores
from jeton.crypto.hashing_concurrency import process_resources
from jeton.crypto.master_key import parse_master_keys
from jeton.pages.catalogues import load_catalogues
from jeton.storage import database as database_module
from jeton.storage.clock import Clock
from jeton.storage.database import Database
from jeton.storage.migrate import migrate
from support.compiled_templates import CompiledTemplates
from support.forked_commands import ForkingLauncher, forking_launcher
from support.in_process_server import MASTER_KEY, App, ManualClock, Running, running, settings_for
from support.node_packages import installed_packages
from support.postgresql import shared_cluster
from support.programs import MissingProgramError
from support.rsa_keys import RSA_KEYS
from support.server_processes import ProgramLauncher
from support.shared_database import SharedDatabase
from support.shared_engines import SharedCacheEngines

MEMORY: Final = Path("/dev/shm")
TEMPLATE: Final = "jeton_template"


def _skip_without_programs() -> Generator[None, object, object]:
    """Skip a test that needs a program which is not on this machine. On CI it fails."""
    try:
        return (yield)
    except MissingProgramError as missing:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"NOT RUN: {missing}")


pytest_runtest_setup = pytest.hookimpl(wrapper=True)(_skip_without_programs)
pytest_runtest_call = pytest.hookimpl(wrapper=True)(_skip_without_programs)


def pytest_configure() -> None:
    """Keep the files of tests in memory if there is room for them: SQLite is faster there."""
    if MEMORY.is_dir() and shutil.disk_usage(MEMORY).free >= 4 << 30:
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(MEMORY))


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Let the garbage collector pass over modules and tests, which took a third of the time of collection."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session", autouse=True)
def _cheap_servers() -> Iterator[None]:
    """Let the servers of this process share what is equal for all of them, and not wait for the disk.

    Deadlines are long enough for a slow machine; tests of deadlines set their own.
    """
    pragmas = [it for it in database_module._SQLITE_PRAGMAS if not it.startswith("synchronous=")]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(database_module, "create_engine", SharedCacheEngines())
        patch.setattr(database_module, "_SQLITE_PRAGMAS", (*pragmas, "synchronous=OFF"))
        patch.setattr("jeton.http.dispatch.DEADLINE_SECONDS", 60)
        # Tests deliver logout tokens themselves: `support.logout_receiver.deliver`.
        patch.setattr("jeton.background.logout_delivery._POLL_SECONDS", 3600)
        # It searches for a package that is not installed, at each request.
        patch.setattr("httpx2._transports.asgi.create_event", asyncio.Event)
        # It reads the certificates of all authorities, for each client.
        patch.setattr("httpcore2.default_ssl_context", cache(httpcore2.default_ssl_context))
        patch.setattr("jeton.crypto.sealed_keys.generate_key", RSA_KEYS)
        patch.setattr("jeton.bootstrap.logins.process_resources", cache(process_resources))
        patch.setattr("jeton.pages.rendering.load_catalogues", cache(load_catalogues))
        patch.setattr("jeton.pages.rendering.Environment", partial(Environment, bytecode_cache=CompiledTemplates()))
        yield


@pytest.fixture(scope="session", autouse=True)
def launcher() -> Iterator[ForkingLauncher]:
    """The launcher of servers and commands in separate processes."""
    with forking_launcher() as forking, pytest.MonkeyPatch.context() as patch:
        patch.setattr("support.server_processes.launcher", forking)
        yield forking


@pytest.fixture
def installed_command(monkeypatch: pytest.MonkeyPatch) -> None:
    """Start servers and commands as users do, without forks."""
    monkeypatch.setattr("support.server_processes.launcher", ProgramLauncher())


@pytest.fixture(autouse=True)
def _rsa_keys() -> None:
    RSA_KEYS.restart()


@pytest.fixture(scope="session", autouse=True)
def _plain_logs() -> None:
    """Log tracebacks without local variables, whose formatting takes longer than a test."""
    structlog.configure(processors=[structlog.processors.format_exc_info, structlog.processors.JSONRenderer()])


@pytest.fixture(scope="session")
def postgresql_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of the cluster of all processes of this run, with a migrated database that is the template of others."""
    own = tmp_path_factory.getbasetemp()
    shared = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own
    with shared_cluster(shared, lambda url: _prepare(_create_database(url, TEMPLATE), ManualClock())) as url:
        yield url


@pytest.fixture(scope="session")
def node_modules(pytestconfig: pytest.Config) -> Path:
    """The installed packages of the lock file in tests/interop/javascript."""
    return installed_packages(pytestconfig.cache.mkdir("javascript"))


def _prepare(url: str, clock: Clock) -> None:
    """Migrate the database and create the signing keys, which are the same in each test."""
    database = Database(url)
    migrate(database)
    settings = settings_for(url)
    stores = key_stores(settings, parse_master_keys(MASTER_KEY))
    RSA_KEYS.restart(0)
    key_rotation(settings, database, clock, stores).ensure_keys_exist()
    RSA_KEYS.restart()
    database.close()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("template") / "jeton.db"
    _prepare(f"sqlite:///{file}", ManualClock())
    return file


@pytest.fixture(scope="session")
def current_sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated database whose keys begin now, for servers with the real clock."""
    file = tmp_path_factory.mktemp("template_of_today") / "jeton.db"
    _prepare(f"sqlite:///{file}", Clock())
    return file


@pytest.fixture(scope="session")
def new_postgresql(postgresql_server: str) -> Callable[[], str]:
    """A function that creates a separate migrated PostgreSQL database and returns its URL."""
    return lambda: _create_database(postgresql_server, f"own_{uuid4().hex}", TEMPLATE)


@pytest.fixture(scope="session")
def shared_postgresql(new_postgresql: Callable[[], str]) -> Iterator[SharedDatabase]:
    """The one migrated database that the tests of this process use in turn."""
    shared = SharedDatabase(new_postgresql())
    yield shared
    shared.close()


def _create_database(server: str, name: str, template: str = "template0") -> str:
    """Create a database. Return its URL."""
    engine = create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name} TEMPLATE {template}"))
    engine.dispose()
    return server.replace("/postgres?", f"/{name}?")


@pytest.fixture
def sqlite_url(sqlite_template: Path, tmp_path: Path) -> str:
    """A migrated SQLite database for a single test."""
    return _copy_of(sqlite_template, tmp_path)


def _copy_of(template: Path, folder: Path) -> str:
    """Copy the template into the folder. Return the URL of the copy."""
    return f"sqlite:///{shutil.copy(template, folder / 'jeton.db')}"


@pytest.fixture(scope="module")
def module_sqlite_url(current_sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A migrated SQLite database for a server process of a module."""
    return _copy_of(current_sqlite_template, tmp_path_factory.mktemp("database"))


@pytest.fixture
def postgresql_url(shared_postgresql: SharedDatabase) -> str:
    """A migrated PostgreSQL database that no other test uses at the same time."""
    shared_postgresql.restore()
    return shared_postgresql.url


@pytest.fixture
def empty_postgresql_url(postgresql_server: str) -> str:
    """A PostgreSQL database without any table."""
    return _create_database(postgresql_server, f"empty_{uuid4().hex}")


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """A migrated database of either kind that no other test uses at the same time."""
    return str(request.getfixturevalue(f"{request.param}_url"))


@pytest.fixture
async def start(database_url: str) -> AsyncIterator[Callable[..., object]]:
    """A function that starts servers on the database of the test: `await start(TOKENS__ACCESS_SECONDS="60")`."""
    async with AsyncExitStack() as stack:

        async def start_one(**variables: str) -> Running:
            return await stack.enter_async_context(running(settings_for(database_url, **variables)))

        yield start_one


@pytest.fixture
async def jeton(database_url: str) -> AsyncIterator[Running]:
    """A server with default settings, for one test."""
    async with running(settings_for(database_url)) as server:
        yield server


@pytest.fixture
def app(jeton: Running) -> App:
    """A client of the server, which also gets a user, alice."""
    jeton.add_user()
    return jeton.add_client()


@pytest.fixture(scope="module")
async def shared_jeton(
    request: pytest.FixtureRequest, sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Running]:
    """A server for all tests of a module, with the module's `SETTINGS` if it has any.

    The tests add clients and users with unique names, and never move its clock or change its keys.
    """
    url = _copy_of(sqlite_template, tmp_path_factory.mktemp("shared"))
    async with running(settings_for(url, **getattr(request.module, "SETTINGS", {}))) as server:
        yield server
