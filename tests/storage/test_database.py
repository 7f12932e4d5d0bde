"""How each database is opened: durable, serialised, never waiting for ever; and what is written is what is read."""

from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from jeton.oauth.clients import Client
from jeton.oauth.sessions import Family
from jeton.oauth.users import User
from jeton.rules.key_lifecycle import KeyState, SigningKey
from jeton.storage import database as database_module
from jeton.storage.clients import insert_client, load_clients
from jeton.storage.database import Database, StorageUnavailableError
from jeton.storage.database_url import DatabaseUrlError
from jeton.storage.families import insert_families, load_families, update_families
from jeton.storage.signing_keys import insert_signing_keys, load_signing_keys
from jeton.storage.users import insert_user, load_users
from support.ledger_fixtures import bench_over

USER = User(
    "u_1",
    "Ælfrida",
    "a@example.com",
    ("admin", "editor"),
    True,
    1,
    2,
    "a hash",
    email_verified=True,
    profile={"name": "Ælfrida", "address": {"country": "NO"}},
    updated_at=3,
)
CLIENT = Client(
    "a client",
    public=True,
    created_at=1,
    disabled=True,
    introspect=True,
    auth_methods=frozenset({"client_secret_basic"}),
    grant_types=frozenset({"password", "refresh_token"}),
    scope=frozenset({"read", "write"}),
    default_scope=frozenset({"read"}),
    audience=("https://b.example", "https://a.example"),
    claims=frozenset({"email"}),
    origins=frozenset({"https://app.example"}),
    lifetimes={"access_seconds": 60},
    secret_digest=b"\x00digest",
    previous_secret_digest=b"\xffdigest",
    previous_secret_expires_at=2**40,
    status_index=2**40,
    session_binding="strict",
    name="A client",
    redirect_uris=frozenset({"https://app.example/callback", "app.example:/callback"}),
    post_logout_redirect_uris=frozenset({"https://app.example/"}),
    application_type="native",
    first_party=True,
    require_pkce=False,
    resources=("https://b.example", "https://a.example"),
    refresh_token="always",
    backchannel_logout_uri="https://app.example/logout",
    backchannel_logout_session_required=True,
    id_token_alg="EdDSA",
    logo_type="image/png",
)
FAMILY = Family(
    sid="sid",
    client_id="a client",
    sub="u_1",
    scope=frozenset({"read", "write"}),
    audience=("https://b.example", "https://a.example"),
    auth_time=1,
    amr=("pwd", "otp"),
    created_at=2,
    rotated_at=3,
    idle_expires_at=4,
    absolute_expires_at=2**40,
    master_key_id="00c0ffee",
    secret=bytes(range(32)),
    generation=2**32 - 1,
    access_expires_at=2**40,
    idempotency_digest=b"\x00digest",
    asked_scope=frozenset({"read"}),
    retries=5,
    revoked_at=6,
    revoke_reason="a reason",
    created_ip="192.0.2.1",
    created_user_agent="an agent",
    last_ip="2001:db8::1",
    last_user_agent="another agent",
    status_index=2**40 + 1,
    moves=7,
    browser_session_id="browser",
    code_challenge="c" * 43,
    code_expires_at=2**40,
    asked_resource=("https://b.example", "https://a.example"),
)
KEY = SigningKey("kid", "RS256", "{}", "database", "sealed", KeyState.RETIRING, 1, 2, 3, 4, 5, 2**40)


@pytest.fixture
def database(database_url: str) -> Any:
    opened = Database(database_url, serving=True)
    yield opened
    opened.close()


def test_no_field_of_the_examples_is_left_at_its_default() -> None:
    """So that the round trips below say something of every column."""
    for example in (USER, CLIENT, FAMILY, KEY):
        assert [it.name for it in fields(example) if getattr(example, it.name) == it.default] == []


def test_what_is_written_is_what_is_read(database: Database) -> None:
    with database.write() as connection:
        insert_user(connection, USER)
        insert_client(connection, CLIENT)
        insert_families(connection, [FAMILY])
        insert_signing_keys(connection, [KEY])

    with database.read() as connection:
        assert load_users(connection, ["u_1"]) == {"u_1": USER}
        assert load_clients(connection, ["a client"]) == {"a client": CLIENT}
        assert load_families(connection, ["sid"]) == {"sid": FAMILY}
        assert KEY in load_signing_keys(connection)


@pytest.mark.parametrize("asked", [None, frozenset[str](), frozenset({"read"})], ids=["none", "empty", "some"])
def test_a_request_without_scope_is_not_one_for_an_empty_scope(
    database: Database, asked: frozenset[str] | None
) -> None:
    family = replace(FAMILY, asked_scope=asked)
    with database.write() as connection:
        insert_user(connection, USER)
        insert_client(connection, CLIENT)
        insert_families(connection, [family])

    with database.read() as connection:
        assert load_families(connection, ["sid"])["sid"].asked_scope == asked


def test_all_that_may_change_of_a_family_is_written(database: Database) -> None:
    before = replace(
        FAMILY,
        generation=0,
        access_expires_at=0,
        rotated_at=0,
        idle_expires_at=0,
        idempotency_digest=None,
        asked_scope=None,
        retries=0,
        revoked_at=None,
        revoke_reason=None,
        last_ip=None,
        last_user_agent=None,
        moves=0,
        asked_resource=None,
    )
    with database.write() as connection:
        insert_user(connection, USER)
        insert_client(connection, CLIENT)
        insert_families(connection, [before, replace(before, sid="other")])
        update_families(connection, [FAMILY])

    with database.read() as connection:
        assert load_families(connection, ["sid", "other"]) == {"sid": FAMILY, "other": replace(before, sid="other")}


def test_a_transaction_that_fails_leaves_nothing_behind(database: Database) -> None:
    def write_and_fail() -> None:
        with database.write() as connection:
            insert_user(connection, USER)
            raise LookupError

    with pytest.raises(LookupError):
        write_and_fail()

    with database.read() as connection:
        assert load_users(connection, ["u_1"]) == {}


def test_every_connection_to_sqlite_is_durable_and_checks_references(sqlite_url: str) -> None:
    database = Database(sqlite_url)
    with database.read() as first, database.read() as second:
        for connection in (first, second):
            settings = {
                name: connection.scalar(text(f"PRAGMA {name}"))
                for name in ("journal_mode", "synchronous", "busy_timeout", "foreign_keys")
            }
            assert settings == {"journal_mode": "wal", "synchronous": 2, "busy_timeout": 5000, "foreign_keys": 1}
    database.close()


@pytest.mark.requirement("O13")
def test_a_server_waits_for_postgresql_so_long_and_no_longer(postgresql_url: str) -> None:
    names = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")
    for serving, bounds in ((True, ["3s", "2s", "5s"]), (False, ["0", "0", "1min"])):
        database = Database(postgresql_url, serving=serving)
        with database.read() as connection:
            assert [connection.scalar(text(f"SHOW {name}")) for name in names] == bounds
        database.close()


def test_a_server_has_postgresql_compile_no_statement(postgresql_url: str) -> None:
    """Where only a scan is possible, `enable_seqscan=off` makes it look so dear that it would be compiled each time."""
    database = Database(postgresql_url, serving=True)
    with database.read() as connection:
        plan = "\n".join(connection.scalars(text("EXPLAIN (ANALYZE) SELECT * FROM signing_keys")))
    database.close()

    assert "Seq Scan on signing_keys" in plan
    assert "JIT" not in plan


def test_isolation_is_read_committed_whatever_the_database_prefers(postgresql_url: str) -> None:
    """Under a stricter level, what is looked at after the wait for a lock would be what was there before it."""
    database = Database(postgresql_url)
    with database.write() as connection:
        connection.exec_driver_sql(
            f"ALTER DATABASE {database.url.database} SET default_transaction_isolation = 'repeatable read'"
        )
    database.engine.dispose()

    with database.write() as connection:
        assert connection.scalar(text("SHOW transaction_isolation")) == "read committed"
    database.close()


@pytest.mark.requirement("O19")
async def test_a_sqlite_file_locked_for_too_long_is_a_database_that_is_away(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pragmas = tuple(it.replace("=5000", "=20") for it in database_module._SQLITE_PRAGMAS)
    assert pragmas != database_module._SQLITE_PRAGMAS
    monkeypatch.setattr(database_module, "_SQLITE_PRAGMAS", pragmas)
    other = Database(sqlite_url)
    async with bench_over(sqlite_url) as bench:
        with other.write(), pytest.raises(StorageUnavailableError, match="locked"):
            await bench.ledger.enter(bench.turned("a"))

        assert bench.generation("a") == 0
        assert (await bench.ledger.enter(bench.turned("a"))).reason == "turned"
    other.close()


@pytest.mark.parametrize(
    "path", ["", "file/jeton.db", "file/var/jeton.db"], ids=["a folder", "in a file", "below a file"]
)
def test_a_sqlite_file_that_cannot_be_made_is_refused_by_name(tmp_path: Path, path: str) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(DatabaseUrlError, match=f"cannot open {tmp_path / path}: .* Jeton may write"):
        Database(f"sqlite:///{tmp_path / path}")


def test_a_file_that_is_no_database_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "jeton.db"
    file.write_text("a letter\n" * 1000, encoding="utf-8")
    database = Database(f"sqlite:///{file}")

    with pytest.raises(StorageUnavailableError, match=r"jeton\.db: file is not a database"), database.read():
        pass

    database.close()
    assert file.read_text(encoding="utf-8") == "a letter\n" * 1000


def test_a_damaged_database_is_one_that_is_away(sqlite_url: str) -> None:
    """For a server that is a 503, and not a defect of its own."""
    database = Database(sqlite_url)
    assert database.file is not None
    sound = database.file.read_bytes()
    database.file.write_bytes(sound[:4096] + b"\xff" * (len(sound) - 4096))

    with pytest.raises(StorageUnavailableError, match="malformed"), database.read() as connection:
        connection.scalar(text("SELECT count(*) FROM users"))

    database.close()
