"""Unregistered clients: jeton registration for dynamic ones, jeton client for those by metadata document."""

from typing import Any

import pytest

from jeton.crypto.credentials import digest_secret
from jeton.frozen import replace
from jeton.oauth.clients import Client
from jeton.oauth.consents import NO_RESOURCE, Consent
from jeton.storage.clients import insert_client, list_clients, save_clients
from jeton.storage.consents import save_consents
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


URL = "https://app.example:8443/client.json"


def used(jeton: Running, **fields: Any) -> None:
    """Return an unregistered client to which one user has consented."""
    alice = jeton.add_user()
    client = Client(URL, True, START, registration="metadata_document", last_used_at=START, scope=frozenset({"read"}))
    fields = {"grant_types": frozenset({"authorization_code"}), **fields}
    with jeton.database.write() as connection:
        save_clients(connection, [replace(client, redirect_uris=frozenset({"https://app.example/callback"}), **fields)])
        save_consents(connection, [Consent(alice.sub, URL, {NO_RESOURCE: frozenset({"read"})}, START, START)])


@pytest.mark.requirement("CI10", "I14")
def test_url_is_added_with_settings_of_its_own_and_no_secret(cli: CommandLine) -> None:
    added = cli.json("client", "add", URL, "--name", "Our app", "--scope", "read", "--first-party")
    assert "client_secret" not in added
    assert (added["registration"], added["host"], added["public"]) == ("administrator", "app.example:8443", True)
    assert added["grant_types"] == ["authorization_code", "refresh_token"]
    assert (added["name"], added["scope"], added["first_party"]) == ("Our app", ["read"], True)
    assert cli.json("client", "disable", URL)["disabled"] is True


def test_url_with_redirect_uris_is_a_client_like_any_other(cli: CommandLine) -> None:
    uri = "https://app.example/callback"
    added = cli.json("client", "add", URL, "--grant", "authorization_code", "--redirect-uri", uri, "--scope", "read")
    assert (added["host"], added["public"], "client_secret" in added) == (None, False, True)


@pytest.mark.requirement("CI10")
async def test_list_shows_host_last_use_and_consents(cli: CommandLine, jeton: Running) -> None:
    used(jeton)
    cli.text("client", "add", "web")
    known, web = cli.json("client", "list")
    assert (known["registration"], known["host"]) == ("metadata_document", "app.example:8443")
    assert (known["last_used_at"], known["consents"]) == (START, 1)
    assert (web["registration"], web["host"], web["last_used_at"], web["consents"]) == ("administrator", None, None, 0)
    assert "app.example:8443" in cli.text("client", "list")
    assert cli.json("client", "show", URL)["host"] == "app.example:8443"


@pytest.mark.requirement("CI10")
async def test_change_by_command_makes_it_a_client_of_the_administrator(cli: CommandLine, jeton: Running) -> None:
    used(jeton, metadata_digest=b"digest")
    changed = cli.json("client", "set", URL, "--scope", "admin", "--name", "Known")
    assert (changed["registration"], changed["scope"], changed["name"]) == ("administrator", ["admin"], "Known")
    assert changed["host"] == "app.example:8443", "its redirect URIs are still those of its document"


async def test_deleted_client_may_come_back(cli: CommandLine, jeton: Running) -> None:
    used(jeton)
    cli.json("client", "delete", URL)
    assert cli.json("client", "list") == []
    cli.text("client", "add", URL)
