"""jeton registration: initial access tokens, and clients that are not used any more."""

import pytest

from jeton.crypto.credentials import digest_secret
from jeton.storage.clients import insert_client, list_clients
from jeton.storage.initial_access_tokens import list_initial_access_tokens
from support.builders import client
from support.cli_runner import CommandLine
from support.in_process_server import START, Running

DOCUMENT, ADDED = "https://app.example/client.json", "https://added.example/client.json"
DAY = 86400


@pytest.mark.requirement("DR02")
async def test_token_is_printed_once_and_only_its_digest_is_stored(cli: CommandLine, jeton: Running) -> None:
    created = cli.json("registration", "token", "create", "--uses", "3", "--expires-seconds", "60", "--name", "Blue")

    token = created.pop("token")
    assert "registration.dynamic" in created.pop("warning")
    assert token.startswith("jia_")
    times = {"created_at": START, "expires_at": START + 60}
    assert created == {"token_id": created["token_id"], "name": "Blue", "uses": 0, "max_uses": 3, **times}
    assert cli.json("registration", "token", "list") == [created]
    assert token not in cli.text("registration", "token", "list")
    with jeton.database.read() as connection:
        assert [it.digest for it in list_initial_access_tokens(connection)] == [digest_secret(token)]


def test_token_is_for_one_client_within_a_day_by_default(cli: CommandLine) -> None:
    created = cli.json("registration", "token", "create")

    assert (created["max_uses"], created["expires_at"]) == (1, START + DAY)
    revoked = {"token_id": created["token_id"], "revoked": True}
    assert cli.json("registration", "token", "revoke", created["token_id"]) == revoked
    assert cli.json("registration", "token", "list") == []
    assert "jeton registration token list" in cli.refused("registration", "token", "revoke", created["token_id"])


def test_name_of_a_token_is_printable_and_short(cli: CommandLine) -> None:
    for name in ("", "a\nb", "x" * 101):
        assert "printable" in cli.refused("registration", "token", "create", "--name", name)


@pytest.mark.requirement("DR12")
async def test_prune_deletes_what_servers_would_delete(cli: CommandLine, jeton: Running) -> None:
    with jeton.database.write() as connection:
        for client_id, kind, last_used_at in (
            ("dcr_never_used", "dynamic", START),
            ("dcr_used", "dynamic", START + DAY),
            ("dcr_by_token", "dynamic", None),
            (DOCUMENT, "metadata_document", START),
            (ADDED, "administrator", None),
        ):
            added = client(client_id, registration=kind, created_at=START, last_used_at=last_used_at)
            insert_client(connection, added)

    jeton.clock.advance(7 * DAY - 1)
    assert cli.json("registration", "prune") == {"clients_deleted": 0}
    jeton.clock.advance(1)
    assert cli.json("registration", "prune") == {"clients_deleted": 1}
    jeton.clock.advance(173 * DAY)
    assert cli.json("registration", "prune") == {"clients_deleted": 1}
    jeton.clock.advance(1 * DAY)
    assert cli.json("registration", "prune") == {"clients_deleted": 1}

    with jeton.database.read() as connection:
        assert {it.client_id for it in list_clients(connection)} == {"dcr_by_token", ADDED}
