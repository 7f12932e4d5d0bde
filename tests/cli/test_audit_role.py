"""A server whose PostgreSQL role can only add to the audit trail, by the SQL of docs/operations.md (ADR 0043)."""

import json
import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from psycopg.errors import InsufficientPrivilege
from structlog.testing import capture_logs

from jeton.admin.audit_checkpoints import CHECKPOINT_SECONDS
from jeton.crypto.audit_chain import CHAIN_SECONDS
from support.checkout import ROOT
from support.cli_runner import CommandLine
from support.in_process_server import Running, running, settings_for

pytestmark = [pytest.mark.anyio, pytest.mark.postgresql]

RETENTION = 1_000_000
SETTINGS = {"AUDIT__RETENTION_SECONDS": str(RETENTION), "REGISTRATION__DYNAMIC": "open"}


@dataclass
class Roles:
    """Commands and URL of the role that owns the tables, and of that of servers."""

    owner: CommandLine
    server: CommandLine
    server_url: str


@pytest.fixture
def roles(postgresql_url: str, cli: CommandLine) -> Iterator[Roles]:
    name = f"role_{uuid4().hex}"
    (sql,) = re.findall(r"```sql\n(.*?)```", (ROOT / "docs" / "operations.md").read_text("utf-8"), re.DOTALL)
    url = postgresql_url.replace("//jeton@", f"//{name}@")
    with psycopg.connect(postgresql_url, autocommit=True) as owner:
        owner.execute(f"CREATE ROLE {name} LOGIN".encode())
        owner.execute(re.sub(r"\bjeton_server\b", name, sql).encode())
        cli = cli.with_variables(**SETTINGS)
        yield Roles(cli.with_variables(DATABASE__URL=postgresql_url), cli.with_variables(DATABASE__URL=url), url)
        owner.execute(f"DROP OWNED BY {name}; DROP ROLE {name}".encode())


@pytest.fixture
async def node(roles: Roles, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Running]:
    async with running(settings_for(roles.server_url, **SETTINGS)) as server:
        monkeypatch.setattr("jeton.cli.options.Clock", lambda: server.clock)
        yield server


async def log_in_and_expire(node: Running) -> None:
    """Make records, and let them expire below a checkpoint."""
    node.add_user()
    app = node.add_client()
    await node.log_in(app)
    for _ in range(2):
        node.purge.delete_expired()
        node.clock.advance(RETENTION + CHAIN_SECONDS + 2 * CHECKPOINT_SECONDS)
    await node.refreshed(app, (await node.log_in(app))["refresh_token"])


@pytest.mark.requirement("AU03")
@pytest.mark.parametrize("table", ["audit_records", "audit_checkpoints"])
@pytest.mark.parametrize(
    "statement", ["UPDATE {} SET created_at = 0", "DELETE FROM {}", "TRUNCATE {}", "DROP TABLE {}"]
)
def test_what_has_been_recorded_cannot_be_changed(roles: Roles, table: str, statement: str) -> None:
    with psycopg.connect(roles.server_url) as connection, pytest.raises(InsufficientPrivilege):
        connection.execute(statement.format(table).encode())


async def test_server_works_and_keeps_expired_records_until_the_owner_deletes_them(node: Running, roles: Roles) -> None:
    with capture_logs() as lines:
        await log_in_and_expire(node)
        node.purge.delete_expired()
    assert [it["log_level"] for it in lines if it["event"] == "expired_audit_records_kept"] == ["info"]
    assert not [it for it in lines if it["log_level"] == "error"]
    assert (await node.http.post("/oauth/register", json={"redirect_uris": ["https://a.example"]})).status_code == 201
    before = verified(roles.owner)
    assert denied(roles.server, "audit", "purge")
    assert verified(roles.owner) == before

    assert roles.owner.json("audit", "purge") == {"rows_deleted": 3}
    assert verified(roles.owner) == before | {
        "records": before["records"] - 2,
        "chains": before["chains"] - 1,
        "checkpoints": before["checkpoints"] - 1,
    }


def denied(cli: CommandLine, *words: str) -> bool:
    """Return whether a command is refused for lack of privileges, with the advice that helps."""
    status, _, said = cli.main(*words)
    return status == 1 and "permission denied for table audit_records: use the role that owns the tables" in said


def verified(cli: CommandLine) -> Any:
    found = cli.json("audit", "verify")
    assert found["problems"] == []
    return found


async def test_a_person_is_erased_by_the_owner_only(node: Running, roles: Roles) -> None:
    node.add_user()
    await node.log_in(node.add_client())
    assert roles.server.json("user", "disable", "alice")
    assert denied(roles.server, "user", "delete", "alice")
    assert roles.server.json("user", "show", "alice")

    roles.owner.json("user", "delete", "alice")
    assert verified(roles.owner)["erased"] == 4


def test_doctor_tells_whether_the_role_of_the_server_could_change_the_trail(roles: Roles) -> None:
    def told(cli: CommandLine) -> list[tuple[str, str]]:
        found = cli.run("doctor", "--offline", "--json")
        assert "lacks privileges" not in found.stdout
        return [(it["level"], it["message"]) for it in json.loads(found.stdout) if it["check"] == "audit trail"]

    assert told(roles.server) == [("ok", "the role can only add records")]
    assert told(roles.owner) == [("ok", "the role may change and delete records")]


def test_other_commands_work_with_the_role_of_servers(roles: Roles) -> None:
    cli = roles.server
    for words in (
        "user add alice --generate-password",
        "user set alice --role admin",
        "resource add https://api.example --scope read",
        "client add app --grant client_credentials --scope read",
        "client rotate-secret app",
        "client delete app",
        "registration token create",
        "registration prune",
        "keys rotate --now",
        "secrets rewrap",
        "session revoke --all",
        "browser-session revoke --all",
        "consent revoke --user alice",
        "outbox retry --all",
        "audit tail",
    ):
        cli.json(*words.split())
    assert verified(cli)["chains"] == len([it for it in cli.json("audit", "tail") if it["seq"] == 1])


def test_purge_needs_a_retention(roles: Roles) -> None:
    assert "nothing expires" in roles.owner.with_variables(AUDIT__RETENTION_SECONDS="0").refused("audit", "purge")
