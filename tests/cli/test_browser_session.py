"""jeton browser-session and jeton consent: who is signed in where, and what users have allowed."""

from collections.abc import AsyncIterator

import pytest

from support.authorization_codes import add_app, add_resource, redeem
from support.browsing import Browser, browser
from support.cli_runner import CommandLine
from support.in_process_server import App, Running


@pytest.fixture
async def visitor(jeton: Running) -> AsyncIterator[Browser]:
    """A browser in which alice is signed in."""
    jeton.add_user("alice")
    async with browser(jeton) as it:
        await it.open_account()
        yield it


async def token_of(node: Running, visitor: Browser, app: App, **parameters: str) -> str:
    code = await visitor.allow(app, **parameters)
    return str((await redeem(node, app, code)).json()["access_token"])


async def test_list_names_user_and_browser_and_unknown_ones_are_refused(
    cli: CommandLine, jeton: Running, visitor: Browser
) -> None:
    (listed,) = cli.json("browser-session", "list", "--user", "alice")
    assert listed["username"] == "alice"
    assert listed["amr"] == ["pwd"]
    assert listed["signed_in_at"] == jeton.clock.now()
    assert "secret" not in str(listed)
    assert "browser-session" in cli.refused("browser-session", "revoke", "unknown")


@pytest.mark.parametrize("how", [(), ("--user", "alice"), ("--all",)])
async def test_revoke_signs_out_and_ends_what_came_from_there(
    cli: CommandLine, jeton: Running, visitor: Browser, how: tuple[str, ...]
) -> None:
    passing, lasting = add_app(jeton, "passing"), add_app(jeton, "lasting", refresh_token="always")
    tokens = {app.client_id: await token_of(jeton, visitor, app) for app in (passing, lasting)}
    words = how or (cli.json("browser-session", "list")[0]["browser_session_id"],)
    assert cli.json("browser-session", "revoke", *words) == {"browser_sessions_ended": 1, "sessions_ended": 1}
    assert not await visitor.is_signed_in()
    assert (await jeton.introspect(passing, tokens["passing"]))["active"] is False
    assert (await jeton.introspect(lasting, tokens["lasting"]))["active"] is True


async def test_consents_are_listed_and_withdrawn(cli: CommandLine, jeton: Running, visitor: Browser) -> None:
    files = add_resource(jeton, "https://files.example", "read").uri
    app = add_app(jeton, scope=frozenset({"openid", "read"}), resources=(files,))
    token = await token_of(jeton, visitor, app, scope="openid read")
    listed = cli.json("consent", "list", "--client", "app")
    assert [(it["username"], it["resource"], it["scope"]) for it in listed] == [
        ("alice", None, "openid"),
        ("alice", files, "read"),
    ]
    withdrawn = cli.json("consent", "revoke", "--user", "alice", "--client", "app")
    assert withdrawn == {"consents_withdrawn": 1, "sessions_ended": 1}
    assert cli.json("consent", "list") == []
    assert (await jeton.introspect(app, token))["active"] is False
    await visitor.authorize(app)
    assert visitor.path == "/consent"


@pytest.mark.requirement("CN08")
@pytest.mark.parametrize("deleted", [("user", "alice"), ("client", "app")], ids=["user", "client"])
async def test_consents_go_with_their_user_and_their_client(
    cli: CommandLine, jeton: Running, visitor: Browser, deleted: tuple[str, str]
) -> None:
    token = await token_of(jeton, visitor, add_app(jeton))
    service = jeton.add_client("service", introspect=True)
    kind, name = deleted
    cli.json(kind, "delete", name)
    assert cli.json("consent", "list") == []
    assert (await jeton.introspect(service, token))["active"] is False
