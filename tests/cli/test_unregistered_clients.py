"""jeton client: clients by metadata document, added before their first use or after it."""

from dataclasses import replace
from typing import Any

import pytest

from jeton.oauth.clients import Client
from jeton.oauth.consents import NO_RESOURCE, Consent
from jeton.storage.clients import save_clients
from jeton.storage.consents import save_consents
from support.cli_runner import CommandLine
from support.in_process_server import START, Running

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
