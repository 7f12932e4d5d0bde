"""Migrations: up from empty on both databases, several at once, and never a guess about a schema not understood."""

import json
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Table, create_engine, func, inspect, select, text

from alembic import command
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
from jeton.storage.database import Database
from jeton.storage.identifiers import used_identifiers
from jeton.storage.migrate import SchemaError, bring_up_to_date, migrate, migrations
from jeton.storage.tables import (
    authorization_codes,
    browser_sessions,
    clients,
    consents,
    ended_tokens,
    families,
    invalid_statuses,
    metadata,
    resources,
    signing_keys,
    users,
)
from jeton.storage.users import find_users, insert_user, load_users
from support.lock_contention import OnPostgresql
from support.server_processes import run_jeton, wait_until


@pytest.fixture(params=["sqlite", "postgresql"])
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """A database without any table, of either kind."""
    url = f"sqlite:///{tmp_path}/empty.db"
    if request.param == "postgresql":
        url = request.getfixturevalue("empty_postgresql_url")
    database = Database(url)
    yield database
    database.close()


@pytest.fixture
def empty_postgresql(empty_postgresql_url: str) -> Iterator[Database]:
    database = Database(empty_postgresql_url)
    yield database
    database.close()


def config() -> Config:
    configured = Config()
    configured.set_main_option("script_location", str(migrations()))
    return configured


def revisions() -> list[str]:
    """All of them, oldest first."""
    return [script.revision for script in ScriptDirectory.from_config(config()).walk_revisions()][::-1]


def upgrade_to(database: Database, revision: str) -> None:
    configured = config()
    with database.write() as connection:
        configured.attributes["connection"] = connection
        command.upgrade(configured, revision)


def test_each_migration_s_file_is_named_by_its_revision_and_they_stand_in_order() -> None:
    """So that what is newest is known without loading any."""
    assert list(migrate_module._known_revisions()) == revisions()


def test_an_empty_database_gets_all_tables(empty: Database) -> None:
    assert migrate(empty) == revisions()[-1]
    assert set(inspect(empty.engine).get_table_names()) == {*metadata.tables, "alembic_version"}


def test_migrating_twice_changes_nothing(empty: Database) -> None:
    migrate(empty)
    with empty.write() as connection:
        connection.execute(ended_tokens.insert().values(jti="kept", expires_at=1))

    migrate(empty)

    with empty.read() as connection:
        assert connection.scalar(select(ended_tokens.c.jti)) == "kept"


@pytest.mark.parametrize("start", revisions())
def test_every_older_schema_comes_up_to_date(empty: Database, start: str) -> None:
    upgrade_to(empty, start)

    migrate(empty)

    bring_up_to_date(empty)
    assert set(inspect(empty.engine).get_table_names()) == {*metadata.tables, "alembic_version"}


@pytest.mark.requirement("N13")
@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("alice@example.com", "alice@example.com"),
        ("Alice@Example.COM.", "alice@example.com"),
        ("a.b+tag@example.com", "a.b+tag@example.com"),
        ("\uff21\uff4c\uff49\uff43\uff45\uff20example.com", "alice@example.com"),
        ("J\u00d6RG@m\u00fcnchen.example", "j\u00f6rg@xn--mnchen-3ya.example"),
        *((it, None) for it in ("alice", "@example.com", "a@", "a@b@c", "a b@example.com", "a@b_c.example", "a@b..c")),
        ("a" * 242 + "@example.com", "a" * 242 + "@example.com"),
        ("a" * 243 + "@example.com", None),
    ],
)
def test_the_migration_s_own_canonical_form_stays_what_it_was(address: str, expected: str | None) -> None:
    revision = ScriptDirectory.from_config(config()).get_revision("0005")

    assert revision.module.email_key(address) == expected
    assert email_key(address) == expected


def test_no_migration_imports_the_application() -> None:
    for file in (migrations() / "versions").glob("*.py"):
        assert "jeton" not in file.read_text(encoding="utf-8"), file


@pytest.mark.requirement("N13")
def test_users_of_before_are_found_by_e_mail_address_where_nobody_else_could_be_meant(empty: Database) -> None:
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
        for sub, username, key, email in old:
            connection.execute(
                text(
                    "INSERT INTO users (sub, username, email, roles, disabled, created_at, password_version,"
                    " username_key) VALUES (:sub, :username, :email, '', FALSE, 1, 1, :key)"
                ),
                {"sub": sub, "username": username, "key": key, "email": email},
            )

    migrate(empty)

    typed = ["alice", "alice@example.com", "twin", "bob@xn--mnchen-3ya.example", "carol", "dave", "eve"]
    with empty.read() as connection:
        found = {key: user.sub for key, user in find_users(connection, typed).items()}
    assert found == dict(zip(typed, ["u_1", "u_1", "u_2", "u_3", "u_4", "u_5", "u_6"], strict=True))


@pytest.mark.requirement("G03")
def test_identifiers_of_before_are_given_out_already(empty: Database) -> None:
    upgrade_to(empty, "0007")
    with empty.write() as connection:
        connection.execute(
            text(
                "INSERT INTO users (sub, username, roles, disabled, created_at, password_version, username_key)"
                " VALUES ('u_1', 'alice', '', FALSE, 1, 1, 'alice')"
            )
        )
        connection.execute(
            text(
                "INSERT INTO clients (client_id, public, created_at, disabled, introspect, auth_methods, grant_types,"
                " scope, default_scope, audience, claims, origins, lifetimes)"
                " VALUES ('web', TRUE, 1, FALSE, FALSE, '', '', '', '', '', '', '', '{}')"
            )
        )

    migrate(empty)

    with empty.read() as connection:
        assert used_identifiers(connection, ["u_1", "web", "other"]) == {"u_1", "web"}


@pytest.mark.parametrize("encoding", ["SQL_ASCII", "LATIN1"])
@pytest.mark.parametrize("look", [migrate, bring_up_to_date])
def test_a_database_that_cannot_hold_every_name_is_refused(
    postgresql_server: str, encoding: str, look: Callable[[Database], object]
) -> None:
    name = f"encoded_{uuid4().hex}"
    engine = create_engine(postgresql_server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING '{encoding}' LOCALE 'C'"))
    engine.dispose()
    database = Database(postgresql_server.replace("/postgres?", f"/{name}?"))

    with pytest.raises(SchemaError, match=f"encoding is {encoding}: create it with ENCODING 'UTF8'"):
        look(database)

    database.close()


@pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII"])
def test_what_encoding_the_environment_prefers_is_not_asked(
    empty_postgresql_url: str, encoding: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGCLIENTENCODING", encoding)
    database = Database(empty_postgresql_url)

    with database.read() as connection:
        assert connection.scalar(text("SHOW client_encoding")) == "UTF8"

    database.close()


def test_migrations_and_tables_say_the_same(empty: Database) -> None:
    """What `alembic check` looks for, and server-side options and index contents too."""
    migrate(empty)
    with empty.read() as connection:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "compare_server_default": True, "target_metadata": metadata}
        )
        assert compare_metadata(context, metadata) == []
    configured = config()
    with empty.write() as connection:
        configured.attributes["connection"] = connection
        command.check(configured)


def test_the_table_of_sessions_keeps_room_in_its_pages(empty_postgresql: Database) -> None:
    migrate(empty_postgresql)
    with empty_postgresql.read() as connection:
        options = connection.scalar(text("SELECT reloptions FROM pg_class WHERE relname = 'families'"))
    assert options == ["fillfactor=70"]


@pytest.mark.parametrize(
    ("table", "value", "not_of_the_value"),
    [
        (families, Family, ()),
        (clients, Client, ("logo",)),
        (authorization_codes, AuthorizationCode, ()),
        (browser_sessions, BrowserSession, ()),
        (consents, Consent, ()),
        (resources, Resource, ()),
        (users, User, ("username_key", "email_key")),
        (signing_keys, SigningKey, ()),
        (ended_tokens, RevokedAccessToken, ()),
        (invalid_statuses, RevokedStatus, ()),
    ],
    ids=[
        *("families", "clients", "authorization codes", "browser sessions", "consents", "resources"),
        *("users", "signing keys", "ended tokens", "invalid statuses"),
    ],
)
def test_columns_stand_in_the_order_of_the_fields(table: Table, value: Any, not_of_the_value: tuple[str, ...]) -> None:
    assert [column.name for column in table.c] == [*(it.name for it in fields(value)), *not_of_the_value]


@pytest.mark.postgresql
def test_four_migrations_at_once_all_succeed_and_migrate_once(empty_postgresql_url: str, tmp_path: Path) -> None:
    third = OnPostgresql(empty_postgresql_url)
    with ThreadPoolExecutor(4) as threads, third.holding_migrations():
        started = [threads.submit(run_jeton, tmp_path, empty_postgresql_url, "migrate", "--json") for _ in range(4)]
        wait_until(lambda: third.waiting() == 4, "four migrations waiting for each other", 30)
    third.close()
    done = [it.result() for it in started]

    assert [(it.returncode, it.stderr) for it in done] == [(0, "")] * 4
    assert {json.loads(it.stdout)["revision"] for it in done} == {revisions()[-1]}
    database = Database(empty_postgresql_url)
    with database.read() as connection:
        assert connection.scalar(text("SELECT count(*) FROM alembic_version")) == 1
        assert connection.scalar(select(func.count()).select_from(families)) == 0
    database.close()


@pytest.mark.postgresql
def test_postgresql_without_a_schema_is_refused_and_left_alone(empty_postgresql: Database) -> None:
    with pytest.raises(SchemaError, match=r"is empty.* run `jeton migrate`"):
        bring_up_to_date(empty_postgresql)
    assert inspect(empty_postgresql.engine).get_table_names() == []


@pytest.mark.postgresql
def test_serve_says_in_one_line_that_the_schema_is_missing(empty_postgresql_url: str, tmp_path: Path) -> None:
    done = run_jeton(tmp_path, empty_postgresql_url, "serve")

    assert done.returncode == 1
    assert "run `jeton migrate`" in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.fixture
def next_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Turns this process into the next version of Jeton, with one migration more."""
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


@pytest.mark.postgresql
def test_postgresql_of_an_older_version_is_refused_until_it_is_migrated(
    empty_postgresql: Database, next_version: Callable[[], None]
) -> None:
    migrate(empty_postgresql)
    next_version()

    with pytest.raises(SchemaError, match=r"is at revision .*, this version needs 9999: run `jeton migrate`"):
        bring_up_to_date(empty_postgresql)

    assert migrate(empty_postgresql) == "9999"
    bring_up_to_date(empty_postgresql)


def test_sqlite_of_an_older_version_migrates_itself_and_keeps_what_it_holds(
    tmp_path: Path, next_version: Callable[[], None]
) -> None:
    database = Database(f"sqlite:///{tmp_path}/older.db")
    bring_up_to_date(database)
    with database.write() as connection:
        insert_user(connection, User("u_1", "alice", None, (), False, 1, 1))
    next_version()

    bring_up_to_date(database)

    with database.read() as connection:
        assert load_users(connection, ["u_1"]).keys() == {"u_1"}
        assert connection.scalar(text("SELECT later FROM users")) is None
    database.close()


@pytest.mark.parametrize("bring_up", [migrate, bring_up_to_date], ids=["jeton migrate", "start"])
def test_a_database_of_a_newer_version_is_refused(empty: Database, bring_up: Any) -> None:
    migrate(empty)
    with empty.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = 'from_the_future'"))

    with pytest.raises(SchemaError, match="newer version of Jeton"):
        bring_up(empty)

    with empty.read() as connection:
        assert connection.scalar(text("SELECT version_num FROM alembic_version")) == "from_the_future"


def test_sqlite_migrates_itself_at_the_start(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/new/jeton.db")
    bring_up_to_date(database)
    database.close()

    assert {"families", "alembic_version"} <= set(inspect(database.engine).get_table_names())
    database.close()
