"""jeton audit: what administrators do is recorded, shown, exported and verified; tampering is found."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, delete, update

from jeton.admin.audit_checkpoints import CHECKPOINT_SECONDS
from jeton.admin.audit_export import _ACTIVITIES
from jeton.crypto.audit_chain import CHAIN_SECONDS
from jeton.storage.tables import audit_checkpoints, audit_records
from support.cli_runner import CommandLine
from support.in_process_server import MASTER_KEY, Running

pytestmark = pytest.mark.anyio

NEW_MASTER_KEY = "YW5vdGhlciB0ZXN0IGtleSwgYWxzbyAzMiBieXRlcyE"


def administer(cli: CommandLine) -> list[str]:
    """Do one of everything. Return the events."""
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
        ("keys", "rotate", "--now"),
        ("user", "delete", "alice"),
    ):
        cli.json(*words)
    return [
        *("user_added", "user_changed", "password_changed", "user_disabled", "user_enabled"),
        *("resource_added", "resource_changed", "resource_deleted"),
        *("client_added", "client_changed", "client_secret_rotated", "client_disabled", "client_enabled"),
        *("client_deleted", *["signing_key_changed"] * 3, "user_deleted"),
    ]


def shown(cli: CommandLine, *words: str) -> list[Any]:
    found: list[Any] = cli.json("audit", "tail", *words)
    return found


@pytest.mark.requirement("AU01", "AU02")
def test_what_administrators_do_is_recorded(cli: CommandLine) -> None:
    events = administer(cli)
    found = shown(cli)
    assert sorted(it["event"] for it in found) == sorted(events)
    assert {(it["actor"], it["outcome"]) for it in found} == {("administrator", "success")}
    changed = next(it for it in found if it["event"] == "client_changed")
    assert (changed["client_id"], changed["reason"]) == ("app", "scope")
    assert {it["target"] for it in found if it["event"].startswith("resource")} == {"https://api.example"}
    assert cli.json("audit", "verify")["problems"] == []


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
    assert "user_added" in cli.text("audit", "tail")


@pytest.mark.requirement("AU04")
def test_every_event_is_exported_in_the_classes_of_ocsf(cli: CommandLine) -> None:
    administer(cli)
    lines = [json.loads(line) for line in cli.text("audit", "export", "--format", "ocsf").splitlines()]
    assert {it["metadata"]["event_code"] for it in lines} == {it["event"] for it in shown(cli)}
    for line in lines:
        assert line["type_uid"] == line["class_uid"] * 100 + line["activity_id"]
        assert (line["category_uid"], line["status_id"], line["actor"]) == (3, 1, {"invoked_by": "administrator"})
        expected = _ACTIVITIES.get(line["metadata"]["event_code"], (3004, 99))
        assert (line["class_uid"], line["activity_id"]) == expected


Tamper = Callable[[Connection], object]
FIRST = audit_records.c.seq == 1


async def checkpointed(jeton: Running, cli: CommandLine) -> str:
    """A server's trail of a few records under a checkpoint. Return the exported checkpoints."""
    jeton.add_user()
    app = jeton.add_client()
    token = (await jeton.log_in(app))["refresh_token"]
    await jeton.refreshed(app, token)
    jeton.maintenance.delete_expired_batch()
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


async def test_expired_records_are_deleted_below_a_checkpoint_only(cli: CommandLine, start: Callable[..., Any]) -> None:
    jeton: Running = await start(AUDIT__RETENTION_SECONDS="1000000")
    jeton.add_user()
    app = jeton.add_client()
    cli = cli.with_variables(DATABASE__URL=str(jeton.database.url), AUDIT__RETENTION_SECONDS="1000000")
    await jeton.log_in(app)
    counts = []
    for _ in range(3):
        jeton.maintenance.purge_expired()
        counts.append(cli.json("audit", "verify")["records"])
        # The first chain may go once a checkpoint that was made after its end has expired.
        jeton.clock.advance(1_000_000 + CHAIN_SECONDS + 2 * CHECKPOINT_SECONDS)
        await jeton.log_in(app)
    assert counts == [2, 4, 4]
    assert cli.json("audit", "verify")["problems"] == []


def test_a_change_that_cannot_be_recorded_is_refused(cli: CommandLine) -> None:
    broken = cli.with_variables(SECRETS__MASTER_KEY="short")
    assert "secrets.master_key" in broken.refused("user", "add", "alice", "--generate-password")
    assert cli.json("user", "list") == []
