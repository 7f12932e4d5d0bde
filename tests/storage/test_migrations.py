"""Migrations: from an empty database, concurrently, and never of an unknown schema."""

import json
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, text

from alembic import command
from jeton.frozen import replace
from jeton.oauth.audit_events import AuditRecord
from jeton.oauth.authorization_codes import AuthorizationCode
from jeton.oauth.browser_sessions import BrowserSession
from jeton.oauth.clients import Client
from jeton.oauth.consents import Consent
from jeton.oauth.resources import Resource
from jeton.oauth.sessions import Family, RevokedAccessToken
from jeton.oauth.token_status_list import RevokedStatus
from jeton.oauth.users import User
from jeton.rules.key_lifecycle import SigningKey
from jeton.rules.login_identifiers import email_key
from jeton.storage import migrate as migrate_module
from jeton.storage.consents import load_consents, save_consents
from jeton.storage.database import Database
from jeton.storage.identifiers import used_identifiers
from jeton.storage.migrate import SchemaError, bring_up_to_date, migrate, migrations
from jeton.storage.tables import metadata
from jeton.storage.users import find_users, insert_user, load_users
from support.lock_contention import PostgresqlContention
from support.server_processes import free_port, run_jeton, wait_until

ALL_TABLES = {*metadata.tables, "alembic_version"}
REVISION = text("SELECT version_num FROM alembic_version")
INSERT_OLD_USER = text(
    "INSERT INTO users (sub, username, username_key, email, roles, disabled, created_at, password_version)"
    " VALUES (:sub, :username, :key, :email, '', FALSE, 1, 1)"
)
INSERT_OLD_CLIENT = text(
    "INSERT INTO clients (client_id, public, created_at, disabled, introspect, auth_methods, grant_types,"
    " scope, default_scope, audience, claims, origins, lifetimes)"
    " VALUES ('web', TRUE, 1, FALSE, FALSE, '', '', '', '', '', '', '', '{}')"
)


@pytest.fixture(params=["sqlite", "postgresql"])
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """A database of either kind without any table."""
    on_sqlite = request.param == "sqlite"
    database = Database(
        f"sqlite:///{tmp_path}/new/jeton.db" if on_sqlite else request.getfixturevalue("empty_postgresql_url")
    )
    yield database
    database.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def migrated(request: pytest.FixtureRequest) -> Iterator[Database]:
    """A database of either kind with the current schema."""
    on_sqlite = request.param == "sqlite"
    database = Database(
        request.getfixturevalue("sqlite_url") if on_sqlite else request.getfixturevalue("new_postgresql")()
    )
    yield database
    database.close()


def config() -> Config:
    configured = Config()
    configured.set_main_option("script_location", str(migrations()))
    return configured


def revisions() -> list[str]:
    """Return all revisions, oldest first."""
    return [script.revision for script in ScriptDirectory.from_config(config()).walk_revisions()][::-1]


def upgrade_to(database: Database, revision: str) -> None:
    configured = config()
    with database.write() as connection:
        configured.attributes["connection"] = connection
        command.upgrade(configured, revision)


def tables_of(database: Database) -> set[str]:
    return set(inspect(database.engine).get_table_names())


def test_each_migration_s_file_is_named_by_its_revision_and_imports_nothing_of_the_application() -> None:
    """So the newest revision is known without loading any file."""
    assert list(migrate_module._known_revisions()) == revisions()
    for file in (migrations() / "versions").glob("*.py"):
        assert "jeton" not in file.read_text(encoding="utf-8"), file


def test_an_empty_database_gets_the_tables_that_the_code_describes_once(empty: Database) -> None:
    """Compared are the results of `alembic check`, server-side options and the contents of indexes."""
    assert migrate(empty) == revisions()[-1]

    assert tables_of(empty) == ALL_TABLES
    with empty.write() as connection:
        options = {"compare_type": True, "compare_server_default": True, "target_metadata": metadata}
        assert compare_metadata(MigrationContext.configure(connection, opts=options), metadata) == []
        configured = config()
        configured.attributes["connection"] = connection
        command.check(configured)
        if not empty.on_sqlite:
            query = text("SELECT reloptions FROM pg_class WHERE relname = 'families'")
            assert connection.scalar(query) == ["fillfactor=70"]
        connection.execute(text("INSERT INTO ended_tokens (jti, expires_at) VALUES ('kept', 1)"))

    assert migrate(empty) == revisions()[-1]
    with empty.read() as connection:
        assert connection.scalar(text("SELECT jti FROM ended_tokens")) == "kept"


def test_each_migration_follows_the_one_before(empty: Database) -> None:
    for revision in revisions():
        upgrade_to(empty, revision)
        with empty.read() as connection:
            assert connection.scalar(REVISION) == revision

    bring_up_to_date(empty)
    assert tables_of(empty) == ALL_TABLES


@pytest.mark.parametrize(
    ("name", "value", "not_of_the_value"),
    [
        ("families", Family, ()),
        ("clients", Client, ("logo",)),
        ("authorization_codes", AuthorizationCode, ()),
        ("browser_sessions", BrowserSession, ()),
        ("consents", Consent, ("scope", "resources")),
        ("resources", Resource, ()),
        ("users", User, ("username_key", "email_key")),
        ("signing_keys", SigningKey, ()),
        ("id_token_keys", SigningKey, ()),
        ("ended_tokens", RevokedAccessToken, ()),
        ("invalid_statuses", RevokedStatus, ()),
        ("audit_records", AuditRecord, ()),
    ],
)
def test_columns_have_the_order_of_the_fields(name: str, value: Any, not_of_the_value: tuple[str, ...]) -> None:
    columns = metadata.tables[name].c.keys()
    # The table of a signing key determines its series.
    assert columns == [*(it for it in value.__match_args__ if it != "series"), *not_of_the_value]


@pytest.mark.requirement("N13")
def test_the_migration_s_own_canonical_form_is_that_of_the_application() -> None:
    revision = ScriptDirectory.from_config(config()).get_revision("0005")
    addresses = [
        *("alice@example.com", "Alice@Example.COM.", "a.b+tag@example.com", "a" * 242 + "@example.com"),
        *("\uff21\uff4c\uff49\uff43\uff45\uff20example.com", "J\u00d6RG@m\u00fcnchen.example"),
    ]
    others = ["alice", "@example.com", "a@", "a@b@c", "a b@example.com", "a@b_c.example", "a@b..c"]

    found = {it: revision.module.email_key(it) for it in (*addresses, *others, "a" * 243 + "@example.com")}

    assert found == {it: email_key(it) for it in found}
    assert [it for it, key in found.items() if key is not None] == addresses


@pytest.mark.requirement("N13", "G03")
def test_earlier_users_are_found_by_e_mail_address_if_it_is_theirs_alone_and_keep_their_identifiers(
    empty: Database,
) -> None:
    upgrade_to(empty, "0004")
    old = [
        ("u_1", "alice", "alice", "Alice@Example.com"),
        ("u_2", "twin", "twin", "alice@example.com"),
        ("u_3", "bob@m\u00fcnchen.example", "bob@m\u00fcnchen.example", None),
        ("u_4", "carol", "carol", "bob@m\u00fcnchen.example"),
        ("u_5", "dave", "dave", "no address"),
        ("u_6", "eve", "eve", None),
    ]
    with empty.write() as connection:
        names = ("sub", "username", "key", "email")
        connection.execute(INSERT_OLD_USER, [dict(zip(names, it, strict=True)) for it in old])
        connection.execute(INSERT_OLD_CLIENT)

    migrate(empty)

    typed = ["alice", "alice@example.com", "twin", "bob@xn--mnchen-3ya.example", "carol", "dave", "eve"]
    with empty.read() as connection:
        found = {key: user.sub for key, user in find_users(connection, typed).items()}
        assert used_identifiers(connection, ["u_1", "u_6", "web", "other"]) == {"u_1", "u_6", "web"}
    assert found == dict(zip(typed, ["u_1", "u_1", "u_2", "u_3", "u_4", "u_5", "u_6"], strict=True))


@pytest.mark.requirement("CN02")
def test_consents_of_earlier_servers_hold_at_each_of_their_resources(empty: Database) -> None:
    """The statements of those servers run before the migration and after it."""
    upgrade_to(empty, "0013")
    api, read = "https://api.example", frozenset({"read"})
    earlier = text(
        "INSERT INTO consents (sub, client_id, scope, resources, created_at, updated_at)"
        " VALUES ('u_1', 'web', :scope, :resources, 1, 1) ON CONFLICT (sub, client_id)"
        " DO UPDATE SET scope = :scope, resources = :resources"
    )
    with empty.write() as connection:
        connection.execute(INSERT_OLD_USER, {"sub": "u_1", "username": "alice", "key": "alice", "email": None})
        connection.execute(INSERT_OLD_CLIENT)
        connection.execute(earlier, {"scope": "openid read", "resources": api})

    migrate(empty)

    with empty.write() as connection:
        (found,) = load_consents(connection, [("u_1", "web")]).values()
        assert found.allowed == {"": frozenset({"openid", "read"}), api: read}
        save_consents(connection, [replace(found, allowed={api: read})])
        connection.execute(earlier, {"scope": "openid read write", "resources": api})
        (found,) = load_consents(connection, [("u_1", "web")]).values()
        assert found.allowed == {api: read}


@pytest.mark.postgresql
def test_four_migrations_at_once_all_succeed_and_migrate_once(empty_postgresql_url: str, tmp_path: Path) -> None:
    contention = PostgresqlContention(empty_postgresql_url)
    with ThreadPoolExecutor(4) as threads, contention.locked_migrations():
        started = [threads.submit(run_jeton, tmp_path, empty_postgresql_url, "migrate", "--json") for _ in range(4)]
        wait_until(lambda: contention.waiting_connections() == 4, "four migrations waiting for each other", 30)
    contention.close()
    done = [it.result() for it in started]

    assert [(it.returncode, it.stderr) for it in done] == [(0, "")] * 4
    assert {json.loads(it.stdout)["revision"] for it in done} == {revisions()[-1]}
    database = Database(empty_postgresql_url)
    assert tables_of(database) == ALL_TABLES
    with database.read() as connection:
        assert connection.scalars(REVISION).all() == [revisions()[-1]]
    database.close()


@pytest.mark.postgresql
def test_migration_does_not_wait_behind_a_long_transaction_with_all_requests_behind_itself(
    empty_postgresql_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrate_module, "_LOCK_TIMEOUT_MS", 50)
    database, backup = Database(empty_postgresql_url), Database(empty_postgresql_url)
    upgrade_to(database, "0013")

    with backup.read() as connection:
        connection.execute(text("SELECT 1 FROM consents"))
        with pytest.raises(SchemaError, match="nothing was changed, run `jeton migrate` again"):
            migrate(database)
    with database.read() as connection:
        assert connection.scalar(REVISION) == "0013"

    assert migrate(database) == revisions()[-1]
    database.close()
    backup.close()


@pytest.mark.postgresql
def test_an_empty_postgresql_is_refused_in_one_line_and_left_alone(empty_postgresql_url: str, tmp_path: Path) -> None:
    done = run_jeton(tmp_path, empty_postgresql_url, "serve", "--port", str(free_port()))

    assert done.returncode == 1
    assert "is empty" in done.stderr
    assert "run `jeton migrate`" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    database = Database(empty_postgresql_url)
    assert tables_of(database) == set()
    database.close()


@pytest.fixture
def next_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Turn this process into the next version of Jeton, which has one more migration."""
    folder = tmp_path / "migrations"
    shutil.copytree(migrations(), folder)
    (folder / "versions" / "9999_next.py").write_text(
        "import sqlalchemy as sa\n"
        "from alembic import op\n"
        f"revision, down_revision, branch_labels, depends_on = '9999', {revisions()[-1]!r}, None, None\n"
        "def upgrade() -> None:\n"
        "    op.add_column('users', sa.Column('later', sa.Text()))\n"
    )

    def become() -> None:
        monkeypatch.setattr("jeton.storage.migrate.migrations", lambda: folder)
        monkeypatch.setattr(migrate_module, "_known_revisions", migrate_module._known_revisions.__wrapped__)

    return become


def test_at_its_start_a_newer_version_migrates_sqlite_and_refuses_postgresql_until_it_is_migrated(
    migrated: Database, next_version: Callable[[], None]
) -> None:
    with migrated.write() as connection:
        insert_user(connection, User("u_1", "alice", None, (), False, 1, 1))
    next_version()

    if not migrated.on_sqlite:
        with pytest.raises(SchemaError, match=r"is at revision .*, this version needs 9999: run `jeton migrate`"):
            bring_up_to_date(migrated)
        assert migrate(migrated) == "9999"
    bring_up_to_date(migrated)

    with migrated.read() as connection:
        assert load_users(connection, ["u_1"]).keys() == {"u_1"}
        assert connection.scalar(text("SELECT later FROM users")) is None


@pytest.mark.parametrize("bring_up", [migrate, bring_up_to_date], ids=["command", "start"])
def test_a_database_of_a_newer_version_is_refused(migrated: Database, bring_up: Callable[[Database], object]) -> None:
    with migrated.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = 'from_the_future'"))

    with pytest.raises(SchemaError, match="newer version of Jeton"):
        bring_up(migrated)

    with migrated.read() as connection:
        assert connection.scalar(REVISION) == "from_the_future"


@pytest.mark.parametrize(("encoding", "bring_up"), [("SQL_ASCII", migrate), ("LATIN1", bring_up_to_date)])
def test_a_database_that_cannot_hold_every_name_is_refused(
    postgresql_server: str, encoding: str, bring_up: Callable[[Database], object]
) -> None:
    name = f"encoded_{uuid4().hex}"
    with psycopg.connect(postgresql_server.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING '{encoding}' LOCALE 'C'".encode())
    database = Database(postgresql_server.replace("/postgres?", f"/{name}?"))

    with pytest.raises(SchemaError, match=f"encoding is {encoding}: create it with ENCODING 'UTF8'"):
        bring_up(database)

    database.close()
