"""jeton client set, rotate-secret, disable, enable, delete: effects on a running server."""

from typing import Any

import pytest

from jeton.oauth.clients import Client
from support.cli_runner import CommandLine
from support.in_process_server import START, App, Running

BEFORE = (
    *("--grant", "password", "--grant", "refresh_token", "--scope", "read", "--scope", "write"),
    *("--default-scope", "read", "--audience", "https://a.example", "--auth-method", "client_secret_basic"),
    *("--introspect", "--retry-grace-seconds", "5", "--access-token-seconds", "60"),
    *("--refresh-idle-seconds", "3600", "--refresh-absolute-seconds", "7200"),
    *("--claim", "email", "--origin", "https://app.example"),
)


def _app(cli: CommandLine, *options: str, client_id: str = "web") -> App:
    """A client with the grants password and refresh_token."""
    words = ("--grant", "password", "--grant", "refresh_token", "--scope", "read", "--scope", "write")
    return _as_app(cli.json("client", "add", client_id, *words, *options))


def _as_app(printed: dict[str, Any]) -> App:
    return App(Client(printed["client_id"], False, START), printed["client_secret"])


def _change(cli: CommandLine, jeton: Running, *words: str) -> Any:
    """Change a client, and refresh the server's cache as it does within five seconds."""
    printed = cli.json("client", *words)
    jeton.maintenance.refresh()
    return printed


async def _may_ask(jeton: Running, app: App) -> bool:
    response = await jeton.post("/oauth/introspect", app, token="garbage")
    assert response.status_code in {200, 401}
    return response.status_code == 200


# set


@pytest.mark.parametrize(
    ("options", "changed"),
    [
        (("--grant", "client_credentials"), {"grant_types": ["client_credentials"]}),
        (("--scope", "read"), {"scope": ["read"]}),
        (("--scope", "admin", "--default-scope", "admin"), {"scope": ["admin"], "default_scope": ["admin"]}),
        (("--default-scope", "write"), {"default_scope": ["write"]}),
        (("--audience", "b", "--audience", "c"), {"audience": ["b", "c"]}),
        (("--auth-method", "client_secret_post"), {"auth_methods": ["client_secret_post"]}),
        (("--no-introspect",), {"introspect": False}),
        (("--claim", "preferred_username"), {"claims": ["preferred_username"]}),
        (("--origin", "https://b.example"), {"origins": ["https://b.example"]}),
        (("--retry-grace-seconds", "0"), {"retry_grace_seconds": 0}),
        (("--access-token-seconds", "30"), {"access_seconds": 30}),
        (("--refresh-idle-seconds", "10"), {"refresh_idle_seconds": 10}),
        (("--refresh-absolute-seconds", "9999"), {"refresh_absolute_seconds": 9999}),
        ((), {}),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_set_replaces_given_options_and_keeps_others(
    cli: CommandLine, options: tuple[str, ...], changed: dict[str, Any]
) -> None:
    cli.text("client", "add", "web", *BEFORE)
    before = cli.json("client", "show", "web")

    after = cli.json("client", "set", "web", *options)

    assert after == before | changed
    assert cli.json("client", "show", "web") == after


def test_set_without_json_prints_the_changed_client(cli: CommandLine) -> None:
    cli.text("client", "add", "web")

    assert cli.text("client", "set", "web", "--scope", "read") == cli.text("client", "show", "web")


def test_contradictory_change_is_refused_and_changes_nothing(cli: CommandLine) -> None:
    cli.text("client", "add", "web", *BEFORE)
    before = cli.json("client", "show", "web")

    assert "--default-scope" in cli.refused("client", "set", "web", "--scope", "admin", "--audience", "b")

    assert cli.json("client", "show", "web") == before


def test_confidential_client_cannot_become_public(cli: CommandLine) -> None:
    cli.text("client", "add", "web")

    assert "another client_id" in cli.refused("client", "set", "web", "--public")
    assert cli.json("client", "show", "web")["public"] is False


async def test_secret_is_unchanged_by_set(cli: CommandLine, jeton: Running) -> None:
    app = _app(cli)

    _change(cli, jeton, "set", "web", *BEFORE)

    assert await _may_ask(jeton, app)


@pytest.mark.requirement("A42", "I07")
async def test_removed_scope_is_gone_at_next_refresh_and_introspection(cli: CommandLine, jeton: Running) -> None:
    app = _app(cli)
    jeton.add_user()
    tokens = await jeton.log_in(app)

    _change(cli, jeton, "set", "web", "--scope", "read")

    assert (await jeton.introspect(app, tokens["access_token"]))["scope"] == "read"
    assert (await jeton.refreshed(app, tokens["refresh_token"]))["scope"] == "read"


async def test_removed_grant_is_refused(cli: CommandLine, jeton: Running) -> None:
    app = _app(cli)
    jeton.add_user()
    tokens = await jeton.log_in(app)

    _change(cli, jeton, "set", "web", "--grant", "password")

    response = await jeton.refresh(app, tokens["refresh_token"])
    assert (response.status_code, response.json()["error"]) == (400, "unauthorized_client")


async def test_changed_lifetimes_apply_to_the_next_token(cli: CommandLine, jeton: Running) -> None:
    app = _app(cli, "--access-token-seconds", "600")
    jeton.add_user()
    tokens = await jeton.log_in(app)

    _change(cli, jeton, "set", "web", "--access-token-seconds", "30")

    assert (await jeton.refreshed(app, tokens["refresh_token"]))["expires_in"] == 30


# rotate-secret


@pytest.mark.requirement("O14")
async def test_rotated_secret_replaces_the_old_one_immediately(cli: CommandLine, jeton: Running) -> None:
    old = _app(cli)

    printed = _change(cli, jeton, "rotate-secret", "web")

    assert printed.keys() == {"client_id", "client_secret", "old_secret_until"}
    assert printed["old_secret_until"] is None
    assert printed["client_secret"] != old.secret
    assert await _may_ask(jeton, _as_app(printed))
    assert not await _may_ask(jeton, old)


@pytest.mark.requirement("O14")
async def test_both_secrets_are_valid_during_overlap(cli: CommandLine, jeton: Running) -> None:
    old = _app(cli)

    printed = _change(cli, jeton, "rotate-secret", "web", "--overlap-seconds", "60")
    new = _as_app(printed)

    assert printed["old_secret_until"] == START + 60
    jeton.clock.advance(59)
    assert (await _may_ask(jeton, new), await _may_ask(jeton, old)) == (True, True)
    jeton.clock.advance(1)
    assert (await _may_ask(jeton, new), await _may_ask(jeton, old)) == (True, False)


@pytest.mark.requirement("O14")
async def test_at_most_two_secrets_are_valid(cli: CommandLine, jeton: Running) -> None:
    first = _app(cli)
    second = _as_app(_change(cli, jeton, "rotate-secret", "web", "--overlap-seconds", "60"))
    third = _as_app(_change(cli, jeton, "rotate-secret", "web", "--overlap-seconds", "60"))

    assert [await _may_ask(jeton, app) for app in (first, second, third)] == [False, True, True]


async def test_rotation_without_overlap_ends_a_running_overlap(cli: CommandLine, jeton: Running) -> None:
    first = _app(cli)
    second = _as_app(_change(cli, jeton, "rotate-secret", "web", "--overlap-seconds", "60"))
    third = _as_app(_change(cli, jeton, "rotate-secret", "web"))

    assert [await _may_ask(jeton, app) for app in (first, second, third)] == [False, False, True]


async def test_sessions_continue_after_secret_rotation(cli: CommandLine, jeton: Running) -> None:
    app = _app(cli)
    jeton.add_user()
    tokens = await jeton.log_in(app)

    new = _as_app(_change(cli, jeton, "rotate-secret", "web"))

    assert (await jeton.refresh(new, tokens["refresh_token"])).status_code == 200


def test_rotate_secret_without_json_prints_the_secret(cli: CommandLine) -> None:
    cli.text("client", "add", "web")

    text = cli.text("client", "rotate-secret", "web", "--overlap-seconds", "60")

    assert [line.split()[0] for line in text.splitlines()] == ["client_id", "client_secret", "old_secret_until"]
    assert text.split()[-2:] == ["2027-01-15", "08:01:00Z"]


def test_rotating_a_public_clients_secret_is_refused(cli: CommandLine) -> None:
    cli.text("client", "add", "spa", "--public")

    assert "no secret" in cli.refused("client", "rotate-secret", "spa")


@pytest.mark.parametrize("seconds", ["-1", "2592001", "soon"])
def test_overlap_out_of_range_is_wrong_usage(cli: CommandLine, seconds: str) -> None:
    assert "--overlap-seconds" in cli.misused("client", "rotate-secret", "web", "--overlap-seconds", seconds)


# disable, enable, delete


async def test_disabled_client_is_refused_and_its_sessions_continue_when_enabled(
    cli: CommandLine, jeton: Running
) -> None:
    app = _app(cli)
    jeton.add_user()
    tokens = await jeton.log_in(app)
    assert _change(cli, jeton, "disable", "web") == {"client_id": "web", "disabled": True}

    response = await jeton.refresh(app, tokens["refresh_token"])
    assert (response.status_code, response.json()["error"]) == (401, "invalid_client")

    assert _change(cli, jeton, "enable", "web") == {"client_id": "web", "disabled": False}
    assert (await jeton.refresh(app, tokens["refresh_token"])).status_code == 200


def test_show_client_contains_disabled(cli: CommandLine) -> None:
    cli.text("client", "add", "web")

    assert cli.text("client", "disable", "web").split() == ["client_id", "web", "disabled", "yes"]
    assert cli.json("client", "show", "web")["disabled"] is True
    assert cli.text("client", "enable", "web").split() == ["client_id", "web", "disabled", "no"]


async def test_deleting_a_client_deletes_its_sessions(cli: CommandLine, jeton: Running) -> None:
    app, api = _app(cli), jeton.add_client("api", introspect=True)
    jeton.add_user()
    tokens = await jeton.log_in(app)

    assert _change(cli, jeton, "delete", "web") == {"client_id": "web", "deleted": True}

    assert not await _may_ask(jeton, app)
    assert await jeton.introspect(api, tokens["access_token"]) == {"active": False}
    assert cli.json("session", "list") == []
    assert [client["client_id"] for client in cli.json("client", "list")] == ["api"]


async def test_reused_metadata_document_client_id_inherits_no_session(cli: CommandLine, jeton: Running) -> None:
    """Only the URL of a metadata document can be used again."""
    url = "https://app.example/client.json"
    app = _app(cli, client_id=url)
    jeton.add_user()
    tokens = await jeton.log_in(app)
    _change(cli, jeton, "delete", url)
    jeton.clock.advance(1)

    heir = _app(cli, client_id=url)

    assert await jeton.introspect(heir, tokens["access_token"]) == {"active": False}
    assert (await jeton.refresh(heir, tokens["refresh_token"])).json()["error"] == "invalid_grant"
    assert not await _may_ask(jeton, app)


def test_clear_removes_values_and_restores_server_lifetimes(cli: CommandLine) -> None:
    cli.json("client", "add", "spa", "--public", "--grant=password", "--origin=https://a.example", "--scope=read")
    cli.json("client", "set", "spa", "--access-token-seconds=60")

    changed = cli.json("client", "set", "spa", "--clear=origin", "--clear=lifetimes", "--clear=grant")

    assert (changed["origins"], changed["grant_types"], changed["access_seconds"]) == ([], [], None)
    assert changed["scope"] == ["read"]
    assert cli.json("client", "show", "spa") == changed
