"""jeton client add, set: what a client that sends users to the authorization endpoint is registered with."""

from pathlib import Path
from typing import Any

import pytest

from jeton.storage.clients import load_clients, load_logo
from support.authorization_codes import add_resource, redeem, sign_in
from support.builders import CALLBACK
from support.cli_runner import CommandLine
from support.in_process_server import App, Running

CODE = ("--grant", "authorization_code", "--redirect-uri", CALLBACK)
PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 100
API = "https://api.example"


def test_every_option_is_stored_and_shown(cli: CommandLine, tmp_path: Path) -> None:
    cli.text("resource", "add", API)
    logo = tmp_path / "logo.png"
    logo.write_bytes(PNG)

    added = cli.json(
        *("client", "add", "shop", "--public", "--grant", "authorization_code", "--application-type", "native"),
        *("--redirect-uri", "com.example.shop:/cb", "--redirect-uri", "http://127.0.0.1/cb", "--first-party"),
        *("--post-logout-redirect-uri", "https://shop.example/", "--name", "The shop", "--logo", str(logo)),
        *("--resource", API, "--refresh-token", "always", "--id-token-alg", "ES256", "--require-par"),
        *("--backchannel-logout-uri", "https://shop.example/out", "--backchannel-logout-session-required"),
    )

    wanted = {
        "redirect_uris": ["com.example.shop:/cb", "http://127.0.0.1/cb"],
        "post_logout_redirect_uris": ["https://shop.example/"],
        "application_type": "native",
        "name": "The shop",
        "logo": "image/png",
        "resources": [API],
        "refresh_token": "always",
        "id_token_alg": "ES256",
        "warning": None,
        "backchannel_logout_uri": "https://shop.example/out",
        "backchannel_logout_session_required": True,
        "first_party": True,
        "require_pkce": True,
        "require_par": True,
    }
    assert {name: added[name] for name in wanted} == wanted
    assert cli.json("client", "show", "shop") == added


@pytest.mark.parametrize(
    ("options", "changed"),
    [
        (("--redirect-uri", "https://b.example/"), {"redirect_uris": ["https://b.example/"]}),
        (("--no-first-party",), {"first_party": False}),
        (("--name", "Other"), {"name": "Other"}),
        (("--clear", "name"), {"name": None}),
        (("--clear", "logo"), {"logo": None}),
        (("--clear", "resource"), {"resources": []}),
        (("--clear", "refresh-token"), {"refresh_token": None}),
        (("--application-type", "native"), {"application_type": "native", "warning": "A secret"}),
        (("--require-par",), {"require_par": True}),
        (("--id-token-alg", "EdDSA"), {"id_token_alg": "EdDSA"}),
        ((), {}),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_set_replaces_given_options_and_keeps_others(
    cli: CommandLine, tmp_path: Path, options: tuple[str, ...], changed: dict[str, Any]
) -> None:
    (tmp_path / "logo").write_bytes(PNG)
    cli.text("resource", "add", API)
    words = ("--first-party", "--name", "Shop", "--resource", API, "--refresh-token", "always")
    cli.text("client", "add", "shop", *CODE, *words, "--logo", str(tmp_path / "logo"))
    before = cli.json("client", "show", "shop")

    after = cli.json("client", "set", "shop", *options)

    if "warning" in changed:
        assert after["warning"].startswith(changed["warning"])
        changed = changed | {"warning": after["warning"]}
    assert after == before | changed
    assert cli.json("client", "show", "shop") == after


@pytest.mark.requirement("RA09", "RA10", "NA02", "BB04", "RA17", "LO20")
@pytest.mark.parametrize(
    ("options", "advice"),
    [
        (("--grant", "authorization_code"), "needs at least one --redirect-uri"),
        ((*CODE, "--redirect-uri", "http://shop.example/cb"), "must be https"),
        ((*CODE, "--redirect-uri", "com.example.shop:/cb"), "--application-type native"),
        ((*CODE, "--post-logout-redirect-uri", "https://shop.example/#x"), "fragment"),
        ((*CODE, "--backchannel-logout-uri", "http://shop.example/out"), "must be https"),
        ((*CODE, "--backchannel-logout-uri", "https://shop.example/out#x"), "fragment"),
        ((*CODE, "--backchannel-logout-uri", "/out"), "complete https URL"),
        ((*CODE, "--backchannel-logout-session-required"), "--backchannel-logout-uri"),
        ((*CODE, "--application-type", "spa"), "--public"),
        ((*CODE, "--no-require-pkce"), "openid"),
        ((*CODE, "--no-require-pkce", "--public", "--scope", "openid"), "confidential"),
        ((*CODE, "--resource", "https://other.example"), "jeton resource add https://other.example"),
        ((*CODE, "--name", ""), "name"),
        ((*CODE, "--name", "x" * 101), "name"),
        ((*CODE, "--name", "a\x1b[31mb"), "name"),
        ((*CODE, *(it for n in range(101) for it in ("--redirect-uri", f"https://a.example/{n}"))), "at most 100"),
    ],
)
def test_contradictory_and_unsafe_clients_are_refused(cli: CommandLine, options: tuple[str, ...], advice: str) -> None:
    assert advice in cli.refused("client", "add", "shop", *options)
    assert cli.json("client", "list") == []


def test_the_last_redirect_uri_stays_with_the_grant(cli: CommandLine) -> None:
    cli.text("client", "add", "shop", *CODE)

    assert "--redirect-uri" in cli.refused("client", "set", "shop", "--clear", "redirect-uri")


@pytest.mark.requirement("RA17")
@pytest.mark.parametrize("command", ["add", "set", "show"])
def test_doing_without_pkce_is_warned_about(cli: CommandLine, command: str) -> None:
    words = (*CODE, "--no-require-pkce", "--scope", "openid")
    shown = cli.json("client", "add", "shop", *words)
    if command != "add":
        shown = cli.json("client", command, "shop")

    assert "PKCE is not required" in shown["warning"]


@pytest.mark.parametrize(
    ("content", "logo_type"),
    [
        (PNG, "image/png"),
        (b"\xff\xd8\xff\xe0" + b"\0" * 100, "image/jpeg"),
        (b"RIFF\0\0\0\0WEBPVP8 ", "image/webp"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", None),
        (b"GIF89a", None),
        (b"", None),
        (PNG + b"\0" * 65536, None),
    ],
)
async def test_a_logo_is_a_small_image_that_holds_no_script(
    cli: CommandLine, jeton: Running, tmp_path: Path, content: bytes, logo_type: str | None
) -> None:
    file = tmp_path / "logo"
    file.write_bytes(content)
    words = ("client", "add", "shop", *CODE, "--logo", str(file))
    if logo_type is None:
        assert "PNG, JPEG or WebP" in cli.refused(*words)
        assert cli.json("client", "list") == []
        return

    assert cli.json(*words)["logo"] == logo_type

    with jeton.database.read() as connection:
        assert load_logo(connection, "shop") == content
        assert load_clients(connection, ["shop"])["shop"].logo_type == logo_type


@pytest.mark.requirement("RI06")
async def test_sessions_end_with_the_audience_the_client_loses(cli: CommandLine, jeton: Running) -> None:
    files = "https://files.example"
    for uri in (API, files):
        add_resource(jeton, uri)
    alice = sign_in(jeton)
    words = ("--public", "--scope", "read", "--grant", "refresh_token", "--resource", API, "--resource", files)
    cli.text("client", "add", "shop", *CODE, *words)
    with jeton.database.read() as connection:
        app = App(load_clients(connection, ["shop"])["shop"])
    first = await alice.redeemed(app, await alice.code(app, resources=(API,)))
    second = await alice.redeemed(app, await alice.code(app, resources=(files,)))
    unredeemed = await alice.code(app, resources=(files, API))

    cli.text("client", "set", "shop", "--resource", files)
    jeton.shared_state.refresh()

    assert (await jeton.refresh(app, first["refresh_token"])).json()["error"] == "invalid_grant"
    assert (await redeem(jeton, app, unredeemed)).json()["error"] == "invalid_grant"
    await jeton.refreshed(app, second["refresh_token"])
    cli.text("client", "set", "shop", "--audience", API)
    third = await alice.redeemed(app, await alice.code(app))
    cli.text("client", "set", "shop", "--clear", "audience")
    assert (await jeton.refresh(app, third["refresh_token"])).json()["error"] == "invalid_grant"


def test_show_prints_configuration_for_common_programs(cli: CommandLine) -> None:
    cli = cli.with_variables(SERVER__ISSUER="https://id.example/realms/main")
    secret = cli.json("client", "add", "it's a shop", *CODE, "--scope", "openid", "--scope", "email")["client_secret"]

    text = cli.text("client", "show", "it's a shop")

    for line in (
        "--oidc-issuer-url=https://id.example/realms/main \\",
        """--client-id='it'"'"'s a shop' \\""",
        f"--redirect-url={CALLBACK} \\",
        "auth_url = https://id.example/realms/main/oauth/authorize",
        "scopes = email openid",
        "OIDCProviderMetadataURL https://id.example/realms/main/.well-known/openid-configuration",
        """client.discovery(new URL("https://id.example/realms/main"), "it's a shop", "CLIENT_SECRET")""",
    ):
        assert line in text
    assert secret not in text


@pytest.mark.parametrize("options", [("--grant", "password", "--scope", "openid"), (*CODE, "--scope", "read")])
def test_show_prints_no_configuration_for_other_clients(cli: CommandLine, options: tuple[str, ...]) -> None:
    cli.text("client", "add", "shop", *options)

    assert "oauth2-proxy" not in cli.text("client", "show", "shop")


def test_redirect_uri_without_the_code_grant_is_warned_of(cli: CommandLine) -> None:
    added = cli.json("client", "add", "shop", "--redirect-uri", "https://shop.example/callback")
    assert added["warning"] == "The redirect URIs have no effect without --grant authorization_code."
