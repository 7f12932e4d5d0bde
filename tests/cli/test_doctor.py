"""jeton doctor: what it finds in real installations, that it changes nothing, and its exit status."""

import json
import re
import shutil
import sqlite3
import ssl
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from jeton.bootstrap.diagnosis import diagnose
from jeton.bootstrap.published_issuer import UnreachableIssuerError, read_published_issuer
from jeton.crypto.master_key import generate_master_key
from jeton.outbound.client import OutboundClient
from support.cli_runner import CommandLine
from support.document_server import served_document
from support.in_process_server import MASTER_KEY, settings_for
from support.pgbouncer import pgbouncer
from support.server_processes import free_port, server_process


@pytest.fixture
def doctor(current_sqlite_template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CommandLine:
    """Commands on an installation in the folder `tmp_path`, whose signing keys are current."""
    monkeypatch.chdir(tmp_path)
    shutil.copy(current_sqlite_template, tmp_path / "jeton.db")
    return CommandLine({"JETON_DATABASE__URL": "sqlite:///jeton.db", "JETON_SECRETS__MASTER_KEY": MASTER_KEY})


def findings(cli: CommandLine, *words: str) -> list[dict[str, str]]:
    """Return the findings. Check the exit status: 1 if one is a failure, otherwise 0."""
    result = cli.run("doctor", "--json", *words)
    found: list[dict[str, str]] = json.loads(result.stdout)
    assert result.exit_code == (1 if any(it["level"] == "fail" for it in found) else 0), result.output
    return found


def problems(cli: CommandLine, *words: str) -> list[tuple[str, str, str]]:
    """Return level, check and text of each finding that is not ok."""
    return [
        (it["level"], it["check"], f"{it['message']}: {it['advice']}")
        for it in findings(cli, *words)
        if it["level"] != "ok"
    ]


def test_installation_without_problems(doctor: CommandLine) -> None:
    found = findings(doctor, "--offline")

    assert {it["level"] for it in found} == {"ok"}
    assert [it["check"] for it in found] == [
        *("database", "schema", "database", "signing keys", "files", "proxy", "metrics", "passwords", "passwords")
    ]


def test_text_has_the_advice_below_the_finding_and_no_control_characters(doctor: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "jeton.db").chmod(0o644)
    result = doctor.with_variables(PASSWORDS__BREACHED_FILE="list\x1b[31m").run("doctor", "--offline")

    lines = result.stdout.splitlines()
    assert result.exit_code == 1
    assert next(line for line in lines if line.endswith("every user may read it")).startswith("fail  files         ")
    assert "                    chmod 600 jeton.db" in lines
    assert "\x1b" not in result.stdout


def _newer_schema(file: Path) -> None:
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.commit()


def _readable_by_all(text: str) -> Callable[[Path], None]:
    """Return a function that writes this content to a file that every user may read."""

    def write(file: Path) -> None:
        file.write_text(text, encoding="utf-8")
        file.chmod(0o644)

    return write


NO_KEY = {"SECRETS__MASTER_KEY": ""}
CONFIGURED = f'[secrets]\nmaster_key = "{MASTER_KEY}"\n'


@pytest.mark.parametrize(
    ("variables", "file", "spoil", "finding", "words"),
    [
        ({"SECRETS__MASTER_KEY": generate_master_key()}, "", None, "fail signing keys", "is needed but not configured"),
        (NO_KEY, "", None, "fail signing keys", "restore the file"),
        (NO_KEY, "jeton.db.master-key", lambda it: it.mkdir(0o700), "fail signing keys", "user that Jeton runs as"),
        ({}, "jeton.db", Path.unlink, "warn database", "does not exist yet"),
        ({}, "jeton.db", lambda it: it.write_bytes(b"no database" * 1000), "fail database", "file is not a database"),
        ({}, "jeton.db", _newer_schema, "fail schema", "migrated by a newer version"),
        (NO_KEY | {"SECRETS__MASTER_KEY_FILE": "key"}, "key", _readable_by_all(MASTER_KEY),
         "fail files", "holds secrets.master_key, and every user may read it"),
        (NO_KEY | {"CONFIG": "jeton.toml"}, "jeton.toml", _readable_by_all(CONFIGURED),
         "fail files", "jeton.toml holds secrets.master_key"),
        ({"CONFIG": "jeton.toml"}, "jeton.toml", _readable_by_all('[database]\nurl = "sqlite:///jeton.db"\n'), "", ""),
        ({"PASSWORDS__BREACHED_FILE": "missing"}, "", None, "fail passwords", "download the list again"),
        ({"PAGES__LOGO": "missing"}, "", None, "fail pages", "the logo missing cannot be read"),
        ({"PAGES__TEMPLATES": "missing"}, "", None, "fail pages", "there is no folder missing"),
        ({"SERVER__CLIENT_CERTIFICATE_AUTHORITIES": "missing"}, "", None,
         "fail certificates", "no certificates in missing"),
    ],
)  # fmt: skip
def test_each_problem_on_this_machine_is_reported_with_advice(
    doctor: CommandLine,
    tmp_path: Path,
    variables: dict[str, str],
    file: str,
    spoil: Callable[[Path], object] | None,
    finding: str,
    words: str,
) -> None:
    if spoil is not None:
        spoil(tmp_path / file)
    spoiled = doctor.with_variables(**variables)
    before = sorted(it.name for it in tmp_path.iterdir())

    found = problems(spoiled, "--offline")

    assert {f"{level} {check}" for level, check, _ in found} == {finding} - {""}
    assert all(words in text for _, _, text in found), found
    # It has created neither a database nor a master key; the files beside SQLite's are closed again.
    assert sorted(it.name for it in tmp_path.iterdir()) == before


def test_issuer_is_read_as_clients_read_it(doctor: CommandLine, tmp_path: Path) -> None:
    with server_process(tmp_path, f"sqlite:///{tmp_path}/jeton.db") as server:
        here = doctor.with_variables(SERVER__PORT=str(server.port))
        ((level, check, text),) = problems(here)
        assert (level, check) == ("warn", "issuer")
        assert "is reached from this machine only" in text

        other = here.with_variables(SERVER__ISSUER=f"http://localhost:{server.port}")
        assert f"name another issuer: {server.url}" in problems(other)[1][2]

        (tmp_path / "other").mkdir()
        url = f"sqlite:///{tmp_path}/other/jeton.db"
        here.with_variables(DATABASE__URL=url).text("keys", "list")
        assert here.with_variables(DATABASE__URL=url).json("keys", "rotate", "--now")
        assert "uses another database" in problems(here.with_variables(DATABASE__URL=url))[1][2]


def test_server_that_does_not_run_is_a_failure(doctor: CommandLine) -> None:
    found = problems(doctor.with_variables(SERVER__PORT=str(free_port())))

    assert [it[:2] for it in found] == [("warn", "issuer"), ("fail", "issuer")]
    assert "connection_failed: is the server running" in found[1][2]


def trusting(authority: Path | None) -> OutboundClient:
    return OutboundClient(
        allow_private_addresses=True, tls_context=lambda: ssl.create_default_context(cafile=authority)
    )


async def test_certificate_and_keys_are_read_over_tls(tmp_path: Path) -> None:
    members: dict[str, Any] = {"keys": [{"kid": "a"}, {"kid": "b"}, "malformed"]}
    with served_document(tmp_path, members) as (url, authority):
        issuer = url.removesuffix("/client.json")
        members |= {"issuer": issuer, "jwks_uri": url}
        published = await read_published_issuer(f"{issuer}/tenant", trusting(authority))

        assert published.metadata["issuer"] == issuer
        assert published.kids == frozenset({"a", "b"})
        assert published.certificate_seconds is not None
        assert 86000 < published.certificate_seconds < 86401
        assert published.clock_ahead_seconds is not None
        assert abs(published.clock_ahead_seconds) < 3
        with pytest.raises(UnreachableIssuerError, match=r"tls_failed \(self-signed certificate\)"):
            await read_published_issuer(issuer, trusting(None))


@pytest.mark.postgresql
def test_postgresql_that_was_not_migrated(empty_postgresql_url: str) -> None:
    assert [(it.level, it.check) for it in examine(empty_postgresql_url)] == [("fail", "schema")]


def examine(url: str) -> list[Any]:
    """Return what is not ok, except the findings that every test has: keys of a later time, a cluster without fsync."""
    found = diagnose(settings_for(url), None, {}, None)
    usual = ("a crash loses commits", "the newest key was created")
    return [it for it in found if it.level != "ok" and not any(words in it.message for words in usual)]


@pytest.mark.postgresql
def test_postgresql_without_problems_but_those_of_the_test_cluster(postgresql_url: str) -> None:
    found = list(diagnose(settings_for(postgresql_url), None, {}, None))

    assert {it.message.split()[0] for it in found if it.level == "warn"} >= {"fsync", "synchronous_commit"}
    assert "reached directly" in next(it.message for it in found if it.check == "database")
    assert {it.check for it in found} >= {"schema", "clock", "signing keys"}


@pytest.mark.postgresql
def test_role_without_privileges_and_missing_database(postgresql_url: str) -> None:
    name = f"role_{uuid4().hex}"
    with psycopg.connect(postgresql_url, autocommit=True) as owner:
        owner.execute(f"CREATE ROLE {name} LOGIN".encode())
        owner.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {name}".encode())
        privileges, writes = examine(postgresql_url.replace("//jeton@", f"//{name}@"))
        owner.execute(f"DROP OWNED BY {name}; DROP ROLE {name}".encode())

    assert "lacks privileges on " in privileges.message
    assert privileges.message.endswith(", users")
    assert (privileges.level, writes.level) == ("fail", "fail")
    assert "does not accept writes" in writes.message
    (missing,) = examine(re.sub(r"/\w+\?", "/missing?", postgresql_url))
    assert (missing.level, missing.check) == ("fail", "database")
    assert "create it with createdb" in missing.message


@pytest.mark.postgresql
def test_pooler_is_named_and_one_without_transactions_is_a_failure(postgresql_url: str) -> None:
    with pgbouncer(postgresql_url, "transaction") as url:
        messages = [it.message for it in diagnose(settings_for(url), None, {}, None)]
        assert any("through a connection pooler" in it for it in messages)
    with pgbouncer(postgresql_url, "statement") as url:
        assert "set pool_mode = transaction" in examine(url)[0].message
