"""jeton client: registration, changes, secrets, disabling and deletion, and their effects on a running server."""

import re
from typing import Any

import pytest

from jeton.oauth.clients import Client
from support.cli_runner import CommandLine
from support.in_process_server import PASSWORD, START, App, Running

EVERYTHING = (
    "--grant=password", "--grant=refresh_token", "--scope=read", "--scope=write", "--default-scope=read",
    "--audience=https://b.example", "--audience=https://a.example", "--auth-method=client_secret_post", "--introspect",
    "--retry-grace-seconds=5", "--access-token-seconds=60", "--refresh-idle-seconds=3600",
    "--refresh-absolute-seconds=7200", "--claim=preferred_username", "--claim=email", "--origin=https://app.example",
    "--session-binding=notice",
)  # fmt: skip
GIVEN: dict[str, Any] = {
    "client_id": "web",
    "grant_types": ["password", "refresh_token"],
    "scope": ["read", "write"],
    "default_scope": ["read"],
    "audience": ["https://b.example", "https://a.example"],
    "auth_methods": ["client_secret_post"],
    "introspect": True,
    "claims": ["email", "preferred_username"],
    "origins": ["https://app.example"],
    "retry_grace_seconds": 5,
    "access_seconds": 60,
    "refresh_idle_seconds": 3600,
    "refresh_absolute_seconds": 7200,
    "session_binding": "notice",
}
NOTHING = ("name", "logo", "refresh_token", "backchannel_logout_uri", "jwks", "jwks_uri", "tls_subject", "host")
DEFAULTS: dict[str, Any] = {
    **dict.fromkeys((*NOTHING, "last_used_at", "warning")),
    **dict.fromkeys(("public", "first_party", "refresh_cookie", "require_par", "require_dpop", "disabled"), False),
    "backchannel_logout_session_required": False,
    "require_pkce": True,
    "redirect_uris": [],
    "post_logout_redirect_uris": [],
    "resources": [],
    "links": {},
    "application_type": "web",
    "id_token_alg": "RS256",
    "assertion_audience": "issuer",
    "registration": "administrator",
    "created_at": START,
}
STORED = GIVEN | DEFAULTS
SESSIONS = ("--grant=password", "--grant=refresh_token", "--scope=read", "--scope=write")


def as_app(printed: dict[str, Any]) -> App:
    """Return the client that a command has printed, as an `App` that can send requests."""
    return App(Client(printed["client_id"], "client_secret" not in printed, START), printed.get("client_secret"))


def add(cli: CommandLine, *options: str, client_id: str = "web") -> App:
    return as_app(cli.json("client", "add", client_id, *SESSIONS, *options))


def change(cli: CommandLine, jeton: Running, *words: str) -> Any:
    """Change a client, and refresh the server's cache as it does within five seconds."""
    printed = cli.json("client", *words)
    jeton.shared_state.refresh()
    return printed


async def is_authenticated(jeton: Running, app: App) -> bool:
    response = await jeton.post("/oauth/introspect", app, token="garbage")
    assert response.status_code in {200, 401}
    return response.status_code == 200


# add, show, list


def test_add_prints_registration_and_secret_once(cli: CommandLine) -> None:
    added = cli.json("client", "add", "web", *EVERYTHING)

    assert re.fullmatch(r"jcs_[A-Za-z0-9_-]{43}", secret := added.pop("client_secret"))
    assert added == STORED
    assert cli.json("client", "show", "web") == added
    shown = cli.text("client", "show", "web")
    assert secret not in shown
    assert "digest" not in shown


@pytest.mark.requirement("O07", "P1")
def test_new_client_has_only_the_requested_permissions(cli: CommandLine) -> None:
    added = cli.json("client", "add", "web")
    public = cli.json("client", "add", "spa", "--public", "--grant", "password")

    assert added.keys() == STORED.keys() | {"client_secret"}
    granted = ("grant_types", "scope", "audience", "claims", "origins", "introspect")
    assert [name for name in granted if added[name]] == []
    assert added["auth_methods"] == ["client_secret_basic", "client_secret_post"]
    assert public.keys() == STORED.keys()
    assert (public["public"], public["auth_methods"]) == (True, [])


def test_result_without_json_is_one_line_per_member(cli: CommandLine) -> None:
    added = cli.text("client", "add", "web", *SESSIONS)
    changed = cli.text("client", "set", "web", "--claim", "email")
    rotated = cli.text("client", "rotate-secret", "web", "--overlap-seconds", "60")

    lines = {line.split()[0]: line.split(maxsplit=1)[1] for line in added.splitlines() if " " in line}
    assert (lines["scope"], lines["public"], lines["created_at"]) == ("read write", "no", "2027-01-15 08:00:00Z")
    assert lines["client_secret"].startswith("jcs_")
    assert changed == cli.text("client", "show", "web")
    assert [line.split()[0] for line in rotated.splitlines()] == ["client_id", "client_secret", "old_secret_until"]
    assert rotated.split()[-2:] == ["2027-01-15", "08:01:00Z"]
    assert cli.text("client", "disable", "web").split() == ["client_id", "web", "disabled", "yes"]
    assert cli.json("client", "show", "web")["disabled"] is True
    assert cli.json("client", "enable", "web") == {"client_id": "web", "disabled": False}


@pytest.mark.requirement("N16")
def test_clients_are_listed_in_order_of_client_id(cli: CommandLine) -> None:
    assert cli.json("client", "list") == []
    for client_id in ("web", "api", "spa"):
        cli.text("client", "add", client_id)

    listed = cli.json("client", "list")

    assert [client["client_id"] for client in listed] == ["api", "spa", "web"]
    assert all(client.keys() == STORED.keys() | {"consents"} for client in listed)
    assert len(cli.text("client", "list").splitlines()) == 4


@pytest.mark.requirement("A25", "D01", "I14", "O12")
@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ("add web --public", "or give it a new secret with `jeton client rotate-secret`"),
        ("add caf\u00e9", "client_id must be 1 to 128 printable ASCII"),
        ("add a --scope=read --default-scope=write", "--default-scope"),
        ("add a --public --origin=http://a.example", "http://a.example "),
        *((f"{words} {option}", "does not authenticate") for words in ("add a --public", "set spa")
          for option in ("--introspect", "--auth-method=client_secret_basic", "--grant=client_credentials")),
        ("set web --scope=admin --audience=b", "--default-scope"),
        ("set web --public", "another client_id"),
        ("rotate-secret spa", "no secret"),
        *((f"{command} webb", "jeton client list")
          for command in ("set", "rotate-secret", "disable", "enable", "delete", "show")),
    ],
)  # fmt: skip
def test_refused_command_gives_the_reason_and_changes_nothing(cli: CommandLine, words: str, reason: str) -> None:
    cli.text("client", "add", "web", *EVERYTHING)
    cli.text("client", "add", "spa", "--public")
    before = cli.json("client", "list")

    assert reason in cli.refused("client", *words.split())
    assert cli.json("client", "list") == before


@pytest.mark.parametrize(
    "option",
    ["--grant=implicit", "--auth-method=none", "--claim=password", "--access-token-seconds=0",
     "--access-token-seconds=86401", "--retry-grace-seconds=301", "--retry-grace-seconds=-1",
     "--refresh-idle-seconds=0", "--colour=blue"],
)  # fmt: skip
def test_option_value_out_of_range_is_wrong_usage(cli: CommandLine, option: str) -> None:
    for command in ("add", "set"):
        assert option.partition("=")[0] in cli.misused("client", command, "web", option)


# set


@pytest.mark.parametrize(
    ("options", "changed"),
    [
        ("--grant=client_credentials", {"grant_types": ["client_credentials"]}),
        ("--scope=read", {"scope": ["read"]}),
        ("--scope=admin --default-scope=admin", {"scope": ["admin"], "default_scope": ["admin"]}),
        ("--default-scope=write", {"default_scope": ["write"]}),
        ("--audience=b --audience=c", {"audience": ["b", "c"]}),
        ("--auth-method=client_secret_basic", {"auth_methods": ["client_secret_basic"]}),
        ("--no-introspect", {"introspect": False}),
        ("--claim=preferred_username", {"claims": ["preferred_username"]}),
        ("--origin=https://b.example", {"origins": ["https://b.example"]}),
        ("--retry-grace-seconds=0", {"retry_grace_seconds": 0}),
        ("--access-token-seconds=30", {"access_seconds": 30}),
        ("--refresh-idle-seconds=10", {"refresh_idle_seconds": 10}),
        ("--refresh-absolute-seconds=9999", {"refresh_absolute_seconds": 9999}),
        ("--session-binding=strict", {"session_binding": "strict"}),
        ("", {}),
        ("--clear=origin --clear=grant --clear=default-scope --clear=audience --clear=claim",
         {"origins": [], "grant_types": [], "default_scope": [], "audience": [], "claims": []}),
        ("--clear=lifetimes --access-token-seconds=30",
         {"retry_grace_seconds": None, "access_seconds": 30, "refresh_idle_seconds": None,
          "refresh_absolute_seconds": None}),
    ],
)  # fmt: skip
def test_set_replaces_given_options_and_keeps_others(cli: CommandLine, options: str, changed: dict[str, Any]) -> None:
    cli.text("client", "add", "web", *EVERYTHING)
    before = cli.json("client", "show", "web")

    after = cli.json("client", "set", "web", *options.split())

    assert after == before | changed
    assert cli.json("client", "show", "web") == after


# rotate-secret


@pytest.mark.requirement("O14")
@pytest.mark.parametrize(
    ("overlaps", "valid", "valid_later"),
    [
        (["0"], [False, True], [False, True]),
        (["60"], [True, True], [False, True]),
        (["60", "60"], [False, True, True], [False, False, True]),
        (["60", "0"], [False, False, True], [False, False, True]),
    ],
    ids=["at once", "overlap", "two overlaps", "overlap ended"],
)
async def test_rotated_secret_replaces_older_ones_after_the_overlap(
    cli: CommandLine, jeton: Running, overlaps: list[str], valid: list[bool], valid_later: list[bool]
) -> None:
    apps = [add(cli)]
    jeton.add_user()
    tokens = await jeton.log_in(apps[0])
    for overlap in overlaps:
        printed = change(cli, jeton, "rotate-secret", "web", "--overlap-seconds", overlap)
        ended = {"older_secret_ended"} if len(apps) > 1 else set[str]()
        assert printed.keys() == {"client_id", "client_secret", "old_secret_until"} | ended
        assert printed["old_secret_until"] == (START + 60 if overlap == "60" else None)
        apps.append(as_app(printed))

    jeton.clock.advance(59)
    assert [await is_authenticated(jeton, app) for app in apps] == valid
    jeton.clock.advance(1)
    assert [await is_authenticated(jeton, app) for app in apps] == valid_later
    assert (await jeton.refresh(apps[-1], tokens["refresh_token"])).status_code == 200


@pytest.mark.parametrize("seconds", ["-1", "2592001", "soon"])
def test_overlap_out_of_range_is_wrong_usage(cli: CommandLine, seconds: str) -> None:
    assert "--overlap-seconds" in cli.misused("client", "rotate-secret", "web", "--overlap-seconds", seconds)


# disable, enable, delete


async def test_client_id_of_a_deleted_client_inherits_no_session(cli: CommandLine, jeton: Running) -> None:
    """Only the URL of a metadata document can be used again."""
    url = "https://app.example/client.json"
    app, api = add(cli, client_id=url), jeton.add_client("api", introspect=True)
    jeton.add_user()
    tokens = await jeton.log_in(app)

    assert change(cli, jeton, "delete", url) == {"client_id": url, "deleted": True}

    assert not await is_authenticated(jeton, app)
    assert await jeton.introspect(api, tokens["access_token"]) == {"active": False}
    assert cli.json("session", "list") == []
    assert [client["client_id"] for client in cli.json("client", "list")] == ["api"]
    jeton.clock.advance(1)
    heir = add(cli, client_id=url)
    assert await jeton.introspect(heir, tokens["access_token"]) == {"active": False}
    assert (await jeton.refresh(heir, tokens["refresh_token"])).json()["error"] == "invalid_grant"
    assert not await is_authenticated(jeton, app)
    assert (await jeton.token(app, grant_type="password", username="alice", password=PASSWORD)).status_code == 401


def test_idle_time_that_is_longer_than_the_session_is_warned_about(cli: CommandLine) -> None:
    lifetimes = ("--refresh-idle-seconds", "100", "--refresh-absolute-seconds")
    added = cli.json("client", "add", "app", "--public", "--grant", "password", "--scope", "read", *lifetimes, "99")
    assert "--refresh-idle-seconds has no effect" in added["warning"]
    assert cli.json("client", "set", "app", *lifetimes, "100")["warning"] is None
