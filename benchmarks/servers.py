"""The measured server: the ordinary command, on a database with fsync enabled."""

import base64
import json
import os
import secrets
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import text

from jeton.crypto.credentials import generate_sub
from jeton.crypto.master_key import generate_master_key, parse_master_keys
from jeton.crypto.passwords import Passwords
from jeton.crypto.refresh_token import RefreshTokens, generate_sid
from jeton.oauth.sessions import Family
from jeton.oauth.users import User
from jeton.storage.database import Database
from jeton.storage.families import insert_families
from jeton.storage.migrate import migrate
from jeton.storage.tables import families
from jeton.storage.users import insert_user
from support.pgbouncer import pgbouncer
from support.postgresql import postgresql_cluster
from support.server_processes import free_port

WORKERS = 2
_BATCH = 10_000
_JETON = Path(sys.executable).with_name("jeton")


def migrate_database(url: str) -> None:
    """Create the schema of an empty database."""
    database = Database(url)
    migrate(database)
    database.close()


@dataclass(frozen=True, slots=True)
class Measured:
    """A running server, and the credentials of a client."""

    url: str
    pid: int
    database_pid: int | None
    database_url: str
    master_key: str
    authorization: str
    sub: str
    refresh_tokens: RefreshTokens
    master_key_id: str

    def add_sessions(self, count: int, tokens: int = 4096) -> list[str]:
        """Insert this number of sessions directly into the table. Return the refresh tokens of some of them."""
        database = Database(self.database_url)
        found: list[str] = []
        for begin in range(0, count, _BATCH):
            sessions = [self.new_session() for _ in range(min(_BATCH, count - begin))]
            with database.write() as connection:
                insert_families(connection, sessions)
            found += [
                self.refresh_tokens.derive(it.sid, 0, it.master_key_id, it.secret)
                for it in sessions[: max(0, tokens - len(found))]
            ]
        database.close()
        return found

    def add_other_sessions(self, count: int) -> None:
        """Insert this number of sessions that are not used, by the database alone: copies of one, with other keys."""
        columns = ", ".join(it.name for it in families.columns if it.name not in ("sid", "secret"))
        if self.database_pid is None:
            numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :count)"
            rows = f"{numbers} SELECT lower(hex(randomblob(11))), randomblob(32), {columns} FROM n"
        else:
            digest = "sha256((random()::text || i)::bytea)"
            rows = f"SELECT left(encode({digest}, 'hex'), 22), {digest}, {columns} FROM generate_series(1, :count) AS i"
        one = f"(SELECT {columns} FROM families LIMIT 1) AS one"
        insert = text(f"INSERT INTO families (sid, secret, {columns}) {rows}, {one}")
        database = Database(self.database_url)
        for begin in range(0, count, 10 * _BATCH):
            with database.write() as connection:
                connection.execute(insert, {"count": min(10 * _BATCH, count - begin)})
        database.close()

    def add_users(self, count: int, password: str, passwords: Passwords) -> list[str]:
        """Insert users with this password. Return their names."""
        database, password_hash = Database(self.database_url), passwords.hash(password)
        names = [f"user{number}" for number in range(count)]
        with database.write() as connection:
            for name in names:
                user = User(generate_sub(), name, None, (), False, int(time.time()), 1, password_hash)
                insert_user(connection, user)
        database.close()
        return names

    def new_session(self) -> Family:
        """Return a session that is not stored yet."""
        now = int(time.time())
        return Family(
            sid=generate_sid(),
            client_id="bench",
            sub=self.sub,
            scope=frozenset({"read", "write"}),
            audience=("https://api.example",),
            amr=("pwd",),
            auth_time=now,
            created_at=now,
            rotated_at=now,
            idle_expires_at=now + 10**6,
            absolute_expires_at=now + 10**7,
            master_key_id=self.master_key_id,
            secret=secrets.token_bytes(32),
        )


@contextmanager
def measured_server(kind: str, folder: Path, jeton: Path | str = _JETON, **variables: str) -> Iterator[Measured]:
    """Start a server with two workers on an empty database.

    `jeton` is the command that serves; `variables` are set in its environment.

    The kinds are sqlite, postgresql, and pgbouncer: PostgreSQL through a PgBouncer in transaction mode.
    """
    with ExitStack() as stack:
        database_url, database_pid = f"sqlite:///{folder}/jeton.db", None
        if kind != "sqlite":
            database_url = stack.enter_context(postgresql_cluster(durable=True))
            database_pid = int((Path(database_url.split("host=")[1]) / "data/postmaster.pid").read_text().split()[0])
        if kind == "pgbouncer":
            database_url = stack.enter_context(pgbouncer(database_url, "transaction"))
        port, metrics_port = free_port(), free_port()
        master_key = generate_master_key()
        environment = {
            **os.environ,
            "JETON_DATABASE__URL": database_url,
            "JETON_SECRETS__MASTER_KEY": master_key,
            "JETON_SERVER__PORT": str(port),
            "JETON_SERVER__WORKERS": str(WORKERS),
            "JETON_METRICS__LISTEN": f"127.0.0.1:{metrics_port}",
            "JETON_PASSWORDS__MEMORY_KIB": "8",
            **variables,
        }
        _jeton(environment, "migrate")
        grants = ("--grant=password", "--grant=refresh_token", "--grant=client_credentials")
        registration = ("--audience=https://api.example", "--introspect", "--scope=read", "--scope=write")
        client = _jeton(environment, "client", "add", "bench", *grants, *registration)
        user = _jeton(environment, "user", "add", "bench", "--generate-password")
        with (folder / "log").open("wb") as log:
            process = stack.enter_context(subprocess.Popen([jeton, "serve"], env=environment, stderr=log, cwd=folder))
            try:
                url = f"http://127.0.0.1:{port}"
                _wait_until_ready(url)
                credentials = f"bench:{client['client_secret']}".encode()
                keys = parse_master_keys(master_key)
                yield Measured(
                    url,
                    process.pid,
                    database_pid,
                    database_url,
                    master_key,
                    "Basic " + base64.b64encode(credentials).decode(),
                    user["sub"],
                    RefreshTokens(keys),
                    keys.newest,
                )
            finally:
                process.terminate()


def _jeton(environment: dict[str, str], *words: str) -> dict[str, str]:
    command = [str(_JETON), *words, "--json"]
    done = subprocess.run(command, env=environment, check=True, capture_output=True)
    return dict(json.loads(done.stdout))


def _wait_until_ready(url: str) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"{url}/readyz", timeout=1):
                return
        except OSError:
            time.sleep(0.1)
    raise TimeoutError("the server did not become ready: see its log")
