"""jeton client add, show, list: registration, and what is refused."""

import re
from typing import Any

import pytest

from jeton.oauth.clients import Client
from support.cli_runner import CommandLine
from support.in_process_server import START, App, Running

MEMBERS = {
    *("client_id", "public", "grant_types", "scope", "default_scope", "audience", "auth_methods", "introspect"),
    *("claims", "origins", "retry_grace_seconds", "access_seconds", "refresh_idle_seconds"),
    *("refresh_absolute_seconds", "session_binding", "disabled", "created_at", "warning"),
    *("name", "logo", "application_type", "redirect_uris", "post_logout_redirect_uris", "first_party"),
    *("require_pkce", "resources", "refresh_token", "backchannel_logout_uri", "id_token_alg"),
    "backchannel_logout_session_required",
}
EVERYTHING = (
    *("--grant", "password", "--grant", "refresh_token", "--scope", "read", "--scope", "write"),
    *("--default-scope", "read", "--audience", "https://b.example", "--audience", "https://a.example"),
    *("--auth-method", "client_secret_post", "--introspect", "--retry-grace-seconds", "5"),
    *("--access-token-seconds", "60", "--refresh-idle-seconds", "3600", "--refresh-absolute-seconds", "7200"),
    *("--claim", "preferred_username", "--claim", "email", "--origin", "https://app.example"),
    *("--session-binding", "notice"),
)


def _app(added: dict[str, Any]) -> App:
    """Return the client that a command has printed, as an `App` that can send requests."""
    return App(Client(added["client_id"], added["public"], START), added.get("client_secret"))


# Adding.


def test_add_prints_registration_and_secret_once(cli: CommandLine) -> None:
    added = cli.json("client", "add", "web", *EVERYTHING)

    assert re.fullmatch(r"jcs_[A-Za-z0-9_-]{43}", added.pop("client_secret"))
    assert added == {
        "client_id": "web",
        "public": False,
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
        "name": None,
        "logo": None,
        "application_type": "web",
        "redirect_uris": [],
        "post_logout_redirect_uris": [],
        "first_party": False,
        "require_pkce": True,
        "resources": [],
        "refresh_token": None,
        "backchannel_logout_uri": None,
        "backchannel_logout_session_required": False,
        "id_token_alg": "RS256",
        "disabled": False,
        "created_at": START,
        "warning": None,
    }
    assert cli.json("client", "show", "web") == added


@pytest.mark.requirement("O07", "P1")
def test_new_client_has_only_the_requested_permissions(cli: CommandLine) -> None:
    added = cli.json("client", "add", "web")

    assert added.keys() == MEMBERS | {"client_secret"}
    granted = {name: added[name] for name in ("grant_types", "scope", "audience", "claims", "origins", "introspect")}
    assert not any(granted.values())
    assert added["auth_methods"] == ["client_secret_basic", "client_secret_post"]


def test_public_client_has_no_secret_and_no_auth_method(cli: CommandLine) -> None:
    added = cli.json("client", "add", "spa", "--public", "--grant", "password")

    assert added.keys() == MEMBERS
    assert (added["public"], added["auth_methods"]) == (True, [])


def test_add_without_json_prints_one_line_per_member(cli: CommandLine) -> None:
    text = cli.text("client", "add", "web", "--scope", "read", "--scope", "write", "--grant", "password")

    assert re.search(r"^client_id +web$", text, re.MULTILINE)
    assert re.search(r"^scope +read write$", text, re.MULTILINE)
    assert re.search(r"^public +no$", text, re.MULTILINE)
    assert re.search(r"^created_at +2027-01-15 08:00:00Z$", text, re.MULTILINE)
    assert re.search(r"^client_secret +jcs_\S+$", text, re.MULTILINE)


async def test_added_client_can_authenticate_immediately(cli: CommandLine, jeton: Running) -> None:
    options = ("--grant", "client_credentials", "--scope", "report", "--access-token-seconds", "60")
    added = cli.json("client", "add", "nightly", *options)

    tokens = (await jeton.token(_app(added), grant_type="client_credentials")).json()

    assert (tokens["scope"], tokens["expires_in"]) == ("report", 60)


async def test_added_public_client_can_log_users_in(cli: CommandLine, jeton: Running) -> None:
    jeton.add_user()
    added = cli.json("client", "add", "spa", "--public", "--grant", "password", "--grant", "refresh_token")

    tokens = await jeton.log_in(_app(added))

    assert (await jeton.refresh(_app(added), tokens["refresh_token"])).status_code == 200


@pytest.mark.requirement("A06", "A10")
@pytest.mark.parametrize(("method", "by_header", "in_body"), [("basic", 200, 401), ("post", 401, 200)])
async def test_client_can_be_restricted_to_one_auth_method(
    cli: CommandLine, jeton: Running, method: str, by_header: int, in_body: int
) -> None:
    words = ("client", "add", "web", "--auth-method", f"client_secret_{method}", "--grant", "client_credentials")
    added = cli.json(*words)
    credentials = {name: added[name] for name in ("client_id", "client_secret")}

    basic = await jeton.token(_app(added), grant_type="client_credentials")
    post = await jeton.token(None, grant_type="client_credentials", **credentials)

    assert (basic.status_code, post.status_code) == (by_header, in_body)


# Refusing.


def test_existing_client_id_is_refused_with_advice(cli: CommandLine) -> None:
    cli.text("client", "add", "web")

    assert "jeton client set" in cli.refused("client", "add", "web", "--public")
    assert cli.json("client", "show", "web")["public"] is False


@pytest.mark.requirement("A02", "G03", "I14")
@pytest.mark.parametrize(
    ("client_id", "taken"),
    [("a", True), ("x" * 128, True), ("my app: 100%", True), ("https://app.example", True), ("u_1", True),
     ("", False), (" a", False), ("a ", False), ("x" * 129, False), ("caf\u00e9", False), ("a\nb", False),
     ("u_" + "0" * 32, False)],
)  # fmt: skip
def test_client_id_is_printable_ascii_and_unlike_a_sub(cli: CommandLine, client_id: str, taken: bool) -> None:
    if taken:
        assert cli.json("client", "add", client_id)["client_id"] == client_id
    else:
        assert "client_id must be 1 to 128 printable ASCII" in cli.refused("client", "add", client_id)
        assert cli.json("client", "list") == []


@pytest.mark.requirement("A25", "D01")
@pytest.mark.parametrize(
    "options",
    [("--introspect",), ("--auth-method", "client_secret_basic"), ("--grant", "client_credentials")],
    ids=lambda options: options[0],
)
@pytest.mark.parametrize("command", ["add", "set"])
def test_public_client_cannot_have_confidential_permissions(
    cli: CommandLine, command: str, options: tuple[str, ...]
) -> None:
    if command == "set":
        cli.text("client", "add", "spa", "--public")
    before = cli.json("client", "list")
    words = ("--public", *options) if command == "add" else options

    assert "does not authenticate" in cli.refused("client", command, "spa", *words)
    assert cli.json("client", "list") == before


@pytest.mark.requirement("A17")
@pytest.mark.parametrize("token", ["", "two words", 'quo"te', "back\\slash", "caf\u00e9", "tab\t"])
@pytest.mark.parametrize("option", ["--scope", "--default-scope"])
def test_scope_must_be_one_token(cli: CommandLine, option: str, token: str) -> None:
    assert "is not a scope" in cli.refused("client", "add", "web", "--scope", "read", option, token)


@pytest.mark.requirement("A19")
def test_default_scope_must_be_an_allowed_scope(cli: CommandLine) -> None:
    assert "--default-scope" in cli.refused("client", "add", "web", "--scope", "read", "--default-scope", "write")


@pytest.mark.parametrize("audience", ["", "two words", "a\tb", " a"])
def test_audience_must_be_one_word(cli: CommandLine, audience: str) -> None:
    assert "audience" in cli.refused("client", "add", "web", "--audience", audience)


@pytest.mark.requirement("O12")
@pytest.mark.parametrize(
    "origin",
    [
        "https://app.example",
        "https://app.example:8443",
        "http://localhost:5173",
        "http://127.0.0.1",
        "http://[::1]:8080",
        "capacitor://localhost",
    ],
)
def test_origin_is_https_loopback_or_packaged_app(cli: CommandLine, origin: str) -> None:
    assert cli.json("client", "add", "spa", "--public", "--origin", origin)["origins"] == [origin]


@pytest.mark.requirement("I14", "O12")
@pytest.mark.parametrize(
    "origin",
    ["", "*", "null", "app.example", "//app.example", "https://", "https://app.example/", "https://app.example/path",
     "https://app.example?x", "https://app.example#x", "https://user@app.example", "HTTPS://app.example",
     "https://App.example", "https://caf\u00e9.example", "http://app.example", "ftp://app.example",
     "file://localhost"],
)  # fmt: skip
def test_malformed_origin_is_refused(cli: CommandLine, origin: str) -> None:
    assert f"{origin} " in cli.refused("client", "add", "spa", "--public", "--origin", origin)
    assert cli.json("client", "list") == []


@pytest.mark.requirement("I14", "O12")
@pytest.mark.parametrize(
    "origin",
    ["https://app.example evil", "https://*.example", "https://app.example:", "https://app.example:x",
     "https://app.example:443", "https://app.example:99999", "http://localhost:80"],
)  # fmt: skip
def test_origin_that_browsers_never_send_is_refused(cli: CommandLine, origin: str) -> None:
    assert origin in cli.refused("client", "add", "spa", "--public", "--origin", origin)
    assert cli.json("client", "list") == []


@pytest.mark.parametrize(
    "options",
    [("--grant", "implicit"), ("--auth-method", "none"), ("--claim", "password"), ("--access-token-seconds", "0"),
     ("--access-token-seconds", "86401"), ("--retry-grace-seconds", "301"), ("--retry-grace-seconds", "-1"),
     ("--refresh-idle-seconds", "0"), ("--colour", "blue")],
    ids=" ".join,
)  # fmt: skip
@pytest.mark.parametrize("command", ["add", "set"])
def test_option_value_out_of_range_is_wrong_usage(cli: CommandLine, command: str, options: tuple[str, ...]) -> None:
    assert options[0] in cli.misused("client", command, "web", *options)


# Looking.


def test_show_client_contains_no_secret(cli: CommandLine) -> None:
    secret = cli.json("client", "add", "web")["client_secret"]

    assert cli.json("client", "show", "web").keys() == MEMBERS
    assert secret not in cli.text("client", "show", "web")
    assert "digest" not in cli.text("client", "show", "web")


@pytest.mark.requirement("N16")
def test_new_database_has_no_clients(cli: CommandLine) -> None:
    assert cli.json("client", "list") == []


def test_clients_are_listed_in_order_of_client_id(cli: CommandLine) -> None:
    for client_id in ("web", "api", "spa"):
        cli.text("client", "add", client_id)

    listed = cli.json("client", "list")

    assert [client["client_id"] for client in listed] == ["api", "spa", "web"]
    assert all(client.keys() == MEMBERS for client in listed)
    assert len(cli.text("client", "list").splitlines()) == 4


@pytest.mark.parametrize("command", ["set", "rotate-secret", "disable", "enable", "delete", "show"])
def test_unknown_client_is_refused_with_advice(cli: CommandLine, command: str) -> None:
    cli.text("client", "add", "web")

    assert "jeton client list" in cli.refused("client", command, "webb")
    assert [client["client_id"] for client in cli.json("client", "list")] == ["web"]
