"""jeton browser-session, consent and outbox: who is signed in where, what users allowed, which clients were told."""

from collections.abc import AsyncIterator

import pytest

from support.authorization_codes import add_app, add_resource, redeem
from support.browsing import Browser, browser
from support.cli_runner import CommandLine
from support.in_process_server import App, Running
from support.logout_receiver import add_logouts, add_receiving_app, deliver, logout_receiver


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


async def test_all_are_revoked_however_many_are_listed(
    cli: CommandLine, jeton: Running, visitor: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jeton.storage.browser_sessions.MAX_LISTED", 1)
    (first,) = cli.json("browser-session", "list")
    async with browser(jeton) as another, browser(jeton) as third:
        for it in (another, third):
            jeton.clock.advance(1)
            await it.open_account()
        assert first not in cli.json("browser-session", "list")

        assert cli.json("browser-session", "revoke", first["browser_session_id"])["browser_sessions_ended"] == 1
        assert cli.json("browser-session", "revoke", "--user", "alice")["browser_sessions_ended"] == 2


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


async def test_consents_are_listed_and_withdrawn(
    cli: CommandLine, jeton: Running, visitor: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
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
    monkeypatch.setattr("jeton.storage.consents.MAX_LISTED", 1)
    for name in ("one", "two"):
        await token_of(jeton, visitor, add_app(jeton, name))
    assert cli.json("consent", "revoke", "--user", "alice") == {"consents_withdrawn": 2, "sessions_ended": 2}
    # Of an app of our own, users are not asked; its session ends all the same.
    await token_of(jeton, visitor, add_app(jeton, "own", first_party=True))
    withdrawn = cli.json("consent", "revoke", "--user", "alice", "--client", "own")
    assert withdrawn == {"consents_withdrawn": 0, "sessions_ended": 1}


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


@pytest.mark.requirement("LO23")
@pytest.mark.parametrize("how", [("browser",), ("--client", "shop"), ("--all",)])
async def test_failure_is_listed_and_sent_again(cli: CommandLine, jeton: Running, how: tuple[str, ...]) -> None:
    async with logout_receiver("400 Bad Request", "204 No Content") as receiver:
        add_receiving_app(jeton, "shop", receiver.uri)
        add_logouts(jeton, "shop", "browser")
        await deliver(jeton)
        now = jeton.clock.now()
        (failed,) = cli.json("outbox", "list", "--client", "shop")
        assert failed == {
            "browser_session_id": "browser",
            "client_id": "shop",
            "sub": "u_1",
            "state": "failed",
            "attempts": 1,
            "last_status": "400",
            "next_attempt_at": None,
            "created_at": now,
            "delivered_at": None,
            "expires_at": now + 9999,
        }

        assert cli.json("outbox", "retry", *how) == {"logout_tokens_due": 1}
        (pending,) = cli.json("outbox", "list")
        assert (pending["state"], pending["attempts"], pending["next_attempt_at"]) == ("pending", 0, now)
        await deliver(jeton)

    (delivered,) = cli.json("outbox", "list")
    assert (delivered["state"], delivered["last_status"], delivered["delivered_at"]) == ("delivered", "204", now)
    assert cli.json("outbox", "retry", "--all") == {"logout_tokens_due": 0}


@pytest.mark.requirement("LO23")
async def test_only_selected_deliveries_are_repeated(cli: CommandLine, jeton: Running) -> None:
    for client_id in ("one", "two"):
        add_receiving_app(jeton, client_id, "http://127.0.0.1:9/")
        add_logouts(jeton, client_id, "here", "there")
    await deliver(jeton)

    for chosen, number in ((("here",), 2), (("--client", "one"), 2), (("--all",), 4)):
        assert cli.json("outbox", "retry", *chosen) == {"logout_tokens_due": number}


def test_unknown_deliveries_are_refused(cli: CommandLine) -> None:
    assert "unknown has nothing to deliver: see `jeton outbox list`" in cli.refused("outbox", "retry", "unknown")
    assert "client" in cli.refused("outbox", "retry", "--client", "unknown")
    assert "client" in cli.refused("outbox", "list", "--client", "unknown")
