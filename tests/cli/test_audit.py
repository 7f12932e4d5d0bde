"""jeton audit: what administrators do is recorded, shown, exported and verified; tampering is found."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, delete, insert, select, update

from jeton.admin.audit_checkpoints import CHECKPOINT_SECONDS, AuditRetention
from jeton.crypto.audit_chain import CHAIN_SECONDS
from jeton.crypto.audit_checkpoint import CheckpointKeys
from jeton.crypto.master_key import parse_master_keys
from jeton.storage.tables import audit_checkpoints, audit_records
from support.authorization_codes import add_app, sign_in
from support.cli_runner import CommandLine
from support.in_process_server import MASTER_KEY, App, Running, StartServer

pytestmark = pytest.mark.anyio

NEW_MASTER_KEY = "YW5vdGhlciB0ZXN0IGtleSwgYWxzbyAzMiBieXRlcyE"


def administer(cli: CommandLine) -> list[str]:
    """Run each administrative command once. Return the recorded events."""
    for words in (
        ("user", "add", "alice", "--generate-password"),
        ("user", "set", "alice", "--role", "admin"),
        ("user", "set-password", "alice", "--generate-password"),
        ("user", "disable", "alice"),
        ("user", "enable", "alice"),
        ("resource", "add", "https://api.example", "--scope", "read"),
        ("resource", "set", "https://api.example", "--name", "API"),
        ("resource", "delete", "https://api.example"),
        ("client", "add", "app", "--grant", "client_credentials", "--scope", "read"),
        ("client", "set", "app", "--scope", "write"),
        ("client", "rotate-secret", "app"),
        ("client", "disable", "app"),
        ("client", "enable", "app"),
        ("client", "delete", "app"),
        ("registration", "token", "create"),
        ("keys", "rotate", "--now"),
        ("secrets", "rewrap"),
        ("user", "delete", "alice"),
    ):
        cli.json(*words)
    return [
        *("user_added", "user_changed", "password_changed", "user_disabled", "user_enabled"),
        *("resource_added", "resource_changed", "resource_deleted"),
        *("client_added", "client_changed", "client_secret_rotated", "client_disabled", "client_enabled"),
        *("client_deleted", "registration_token_created", *["signing_key_changed"] * 3, "signing_keys_rewrapped"),
        "user_deleted",
    ]


def shown(cli: CommandLine, *words: str) -> list[Any]:
    found: list[Any] = cli.json("audit", "tail", *words)
    return found


@pytest.mark.requirement("AU01", "AU02")
def test_changes_by_administrators_are_recorded(cli: CommandLine) -> None:
    events = administer(cli)
    found = shown(cli)
    assert sorted(it["event"] for it in found) == sorted(events)
    assert {(it["actor"], it["outcome"]) for it in found} == {("administrator", "success")}
    changed = next(it for it in found if it["event"] == "client_changed")
    assert (changed["client_id"], changed["reason"]) == ("app", "scope")
    assert {it["target"] for it in found if it["event"].startswith("resource")} == {"https://api.example"}
    assert cli.json("audit", "verify")["problems"] == []


@pytest.mark.requirement("AU01")
async def test_sessions_ended_by_administrators_are_recorded_as_such(jeton: Running, cli: CommandLine) -> None:
    alice, app = sign_in(jeton), add_app(jeton)
    by_operator, withdrawn = "revoked_by_operator", "consent_withdrawn_by_operator"
    for words, expected in (
        (("session", "revoke", "--all"), {("session_ended", by_operator)}),
        (
            ("consent", "revoke", "--user", alice.user.username),
            {("consent_withdrawn", withdrawn), ("session_ended", withdrawn)},
        ),
        (("browser-session", "revoke", "--all"), {("signed_out", by_operator), ("session_ended", by_operator)}),
    ):
        await alice.redeemed(app)
        jeton.clock.advance(1)
        cli.json(*words)
        found = shown(cli, "--lines", str(len(expected)))
        assert {(it["event"], it["reason"]) for it in found} == expected
        assert {(it["sub"], it["actor"]) for it in found} == {(alice.user.sub, "administrator")}


@pytest.mark.requirement("AU04")
def test_records_are_selected(cli: CommandLine) -> None:
    alice = cli.json("user", "add", "alice", "--generate-password")
    cli.json("user", "add", "bob", "--generate-password")
    cli.json("client", "add", "app", "--public", "--grant", "password", "--scope", "read")
    for words, number in (
        (("--user", "alice"), 1),
        (("--user", alice["sub"]), 1),
        (("--client", "app"), 1),
        (("--sid", "unknown"), 0),
        (("--request-id", "unknown"), 0),
        (("--lines", "2"), 2),
        ((), 3),
    ):
        assert len(shown(cli, *words)) == number, words
    exported = cli.text("audit", "export", "--user", "alice").splitlines()
    assert [json.loads(line) for line in exported] == shown(cli, "--user", "alice")
    ocsf = [json.loads(line) for line in cli.text("audit", "export", "--format", "ocsf").splitlines()]
    assert [it["metadata"]["event_code"] for it in ocsf] == [it["event"] for it in shown(cli)]
    assert {(it["category_uid"], it["actor"]["app_name"]) for it in ocsf} == {(3, "administrator")}
    assert "user_added" in cli.text("audit", "tail")
    for command in ("tail", "export"):
        assert "there is no user alcie, and no record" in cli.refused("audit", command, "--user", "alcie")


Tamper = Callable[[Connection], object]
FIRST = audit_records.c.seq == 1


async def checkpointed(jeton: Running, cli: CommandLine) -> str:
    """Make an audit trail of a few records under a checkpoint. Return the exported checkpoints."""
    jeton.add_user()
    app = jeton.add_client()
    token = (await jeton.log_in(app))["refresh_token"]
    await jeton.refreshed(app, token)
    jeton.purge.delete_expired_batch()
    assert cli.json("audit", "verify") == {
        "records": 3, "chains": 1, "checkpoints": 1, "erased": 0, "problems": [],
    }  # fmt: skip
    return cli.text("audit", "export", "--checkpoints")


@pytest.mark.parametrize(
    ("tamper", "problem"),
    [
        pytest.param(lambda it: it.execute(update(audit_records).where(FIRST).values(reason="x")), "changed", id="row"),
        pytest.param(lambda it: it.execute(delete(audit_records).where(audit_records.c.seq == 2)), "missing", id="gap"),
        pytest.param(
            lambda it: it.execute(delete(audit_records).where(audit_records.c.seq == 3)),
            "which checkpoint 1 names, is missing",
            id="end",
        ),
        pytest.param(lambda it: it.execute(delete(audit_records)), "which checkpoint 1 names, is missing", id="chain"),
        pytest.param(
            lambda it: it.execute(update(audit_checkpoints).values(created_at=1)), "does not belong here", id="time"
        ),
        pytest.param(
            lambda it: it.execute(update(audit_checkpoints).values(signed="x")), "not genuine", id="checkpoint"
        ),
        pytest.param(
            lambda it: (it.execute(delete(audit_records)), it.execute(delete(audit_checkpoints))),
            "checkpoint 1 of the file is missing",
            id="everything, but for the checkpoints that were exported",
        ),
    ],
)
@pytest.mark.requirement("AU03")
async def test_verification_names_what_was_changed(
    jeton: Running, cli: CommandLine, tmp_path: Path, tamper: Tamper, problem: str
) -> None:
    file = tmp_path / "checkpoints"
    file.write_text(await checkpointed(jeton, cli))
    with jeton.database.write() as connection:
        tamper(connection)
    result = cli.run("audit", "verify", "--json", "--checkpoints", str(file))
    assert any(problem in it for it in json.loads(result.stdout)["problems"]), result.stdout
    assert "not as it was written" in str(result.exception)


async def test_records_verify_after_the_master_key_was_changed(jeton: Running, cli: CommandLine) -> None:
    await checkpointed(jeton, cli)
    both = cli.with_variables(SECRETS__MASTER_KEY=f"{NEW_MASTER_KEY} {MASTER_KEY}")
    both.json("secrets", "rewrap")
    assert both.json("audit", "verify") | {"records": 4, "chains": 2, "problems": []} == both.json("audit", "verify")


RETENTION = 1_000_000


@pytest.fixture
async def aged(cli: CommandLine, start: StartServer, tmp_path: Path) -> tuple[Running, CommandLine, Path]:
    """An audit trail with expired records and checkpoints, and all its checkpoints."""
    jeton = await start(AUDIT__RETENTION_SECONDS=str(RETENTION))
    jeton.add_user()
    app = jeton.add_client()
    cli = cli.with_variables(DATABASE__URL=str(jeton.database.url))
    exported = tmp_path / "checkpoints"
    for _ in range(4):
        await jeton.log_in(app)
        jeton.purge.delete_expired()
        with exported.open("a") as file:
            file.write(cli.text("audit", "export", "--checkpoints"))
        # A chain is deleted once a checkpoint that was made after its end has expired.
        jeton.clock.advance(RETENTION + CHAIN_SECONDS + 2 * CHECKPOINT_SECONDS)
    return jeton, cli, exported


async def test_expired_records_and_their_checkpoints_are_deleted(aged: tuple[Running, CommandLine, Path]) -> None:
    _, cli, exported = aged
    # Checkpoints 3 and 4, of which the newest says that the records of 3 may be missing, and two logins.
    assert cli.json("audit", "verify", "--checkpoints", str(exported)) == {
        "records": 4, "chains": 2, "checkpoints": 2, "erased": 0, "problems": [],
    }  # fmt: skip


async def test_purge_deletes_although_one_more_checkpoint_has_expired_since_the_newest(
    jeton: Running, app: App, cli: CommandLine
) -> None:
    retention = AuditRetention(CheckpointKeys(parse_master_keys(MASTER_KEY)), RETENTION)
    # The last checkpoint allows to delete what the second covers, and the third expires 30 minutes after it was made.
    for pause in (
        CHAIN_SECONDS + 2 * CHECKPOINT_SECONDS,
        CHECKPOINT_SECONDS,
        RETENTION - CHECKPOINT_SECONDS // 2,
        1900,
    ):
        await jeton.log_in(app)
        with jeton.database.write() as connection:
            retention.make_checkpoint(connection, jeton.clock.now())
        jeton.clock.advance(pause)
    cli = cli.with_variables(AUDIT__RETENTION_SECONDS=str(RETENTION))
    assert cli.json("audit", "purge")["rows_deleted"] > 0
    assert cli.json("audit", "verify")["problems"] == []


def test_checkpoints_to_verify_against_are_of_a_file_that_has_some(cli: CommandLine, tmp_path: Path) -> None:
    file = tmp_path / "checkpoints"
    for content in (b"", b"\n"):
        file.write_bytes(content)
        assert "has no checkpoints" in cli.refused("audit", "verify", "--checkpoints", str(file))
    file.write_bytes(b"\xff\xfe\x00")
    assert "1 problems" in str(cli.run("audit", "verify", "--checkpoints", str(file)).exception)


@pytest.mark.parametrize("words", [("--user", "alice"), ("--format", "ocsf")])
def test_checkpoints_are_exported_as_a_whole(cli: CommandLine, words: tuple[str, str]) -> None:
    assert "--checkpoints" in cli.misused("audit", "export", "--checkpoints", *words)


async def test_checkpoints_that_have_not_expired_are_missed(aged: tuple[Running, CommandLine, Path]) -> None:
    jeton, cli, exported = aged
    for deleted, problem in (
        (audit_checkpoints.c.number == 4, "checkpoint 4 of the file is missing"),
        (audit_checkpoints.c.number <= 3, "checkpoint 1 is missing"),
        (audit_checkpoints.c.number > 0, "checkpoint 3 of the file is missing"),
    ):
        with jeton.database.write() as connection:
            kept = connection.execute(select(audit_checkpoints)).mappings().all()
            connection.execute(delete(audit_checkpoints).where(deleted))
        result = cli.run("audit", "verify", "--json", "--checkpoints", str(exported))
        assert any(problem in it for it in json.loads(result.stdout)["problems"]), result.stdout
        with jeton.database.write() as connection:
            connection.execute(delete(audit_checkpoints))
            connection.execute(insert(audit_checkpoints), [dict(it) for it in kept])


async def test_a_deleted_chain_end_is_detected_by_later_records_without_a_checkpoint(
    jeton: Running, app: App, cli: CommandLine
) -> None:
    await jeton.log_in(app)
    with jeton.database.write() as connection:
        connection.execute(delete(audit_records).where(audit_records.c.seq == 2))
    assert cli.json("audit", "verify")["problems"] == []
    await jeton.log_in(app)
    result = cli.run("audit", "verify", "--json")
    (problem,) = json.loads(result.stdout)["problems"]
    assert problem.endswith("record 2 is missing")


def test_a_change_that_cannot_be_recorded_is_refused(cli: CommandLine) -> None:
    broken = cli.with_variables(SECRETS__MASTER_KEY="short")
    assert "secrets.master_key" in broken.refused("user", "add", "alice", "--generate-password")
    assert cli.json("user", "list") == []
