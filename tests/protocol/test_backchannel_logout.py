"""Back-channel logout: which clients are notified that a browser session has ended, how, and how often."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import jwt
import pytest

from jeton.background.logout_delivery import MAX_TO_UNREGISTERED
from jeton.oauth.backchannel_logout import DELIVERED_SECONDS, KEPT_SECONDS
from jeton.storage.clients import delete_client
from support.authorization_codes import add_app, redeem
from support.browsing import Browser, browser
from support.in_process_server import App, Running, StartServer
from support.logout_receiver import LogoutReceiver, add_logouts, add_receiving_app, deliver, logout_receiver, outbox
from support.remote_server import RemoteRequest, remote_server
from support.signing_keys import verified_id_token

NEW_PASSWORD = "a sentence nobody else has ever typed"


@dataclass
class SignedIn:
    """Alice is signed in to two apps: `shop` and `quiet`, which has registered no address."""

    node: Running
    browser: Browser
    shop: App
    tokens: dict[str, Any]
    receiver: LogoutReceiver

    @property
    def id_token(self) -> dict[str, Any]:
        return dict(jwt.decode(self.tokens["id_token"], options={"verify_signature": False}))


async def sign_in_to(node: Running, visitor: Browser, app: App, scope: str = "openid read") -> dict[str, Any]:
    await visitor.sign_in_to(app, scope=scope)
    return dict((await redeem(node, app, visitor.answer["code"])).json())


@pytest.fixture
async def alice(jeton: Running) -> AsyncIterator[SignedIn]:
    jeton.add_user()
    async with logout_receiver() as receiver, browser(jeton) as one:
        scope = frozenset({"openid", "read"})
        shop = add_receiving_app(jeton, "shop", receiver.uri, scope=scope)
        tokens = await sign_in_to(jeton, one, shop)
        await sign_in_to(jeton, one, add_app(jeton, "quiet", scope=scope, first_party=True))
        yield SignedIn(jeton, one, shop, tokens, receiver)


async def sign_out(it: SignedIn) -> None:
    await it.browser.submit_on("/me", "/sign-out")


@pytest.mark.both_databases
@pytest.mark.requirement("LO06", "LO21", "LO22", "LO24")
async def test_client_is_notified_once_that_the_session_has_ended(alice: SignedIn) -> None:
    """The other ways to end a session are tested in test_what_ends_what.py."""
    await sign_out(alice)
    await deliver(alice.node)
    await deliver(alice.node)

    (claims,) = alice.receiver.claims
    told = {name: claims[name] for name in ("iss", "aud", "sub", "sid")}
    assert told == {name: alice.id_token[name] for name in told}
    assert [(it.client_id, it.state, it.last_status) for it in outbox(alice.node)] == [("shop", "delivered", "200")]


@pytest.mark.requirement("LO21", "LO22")
async def test_logout_token_is_signed_as_id_tokens_are_and_posted_as_a_form(alice: SignedIn) -> None:
    await sign_out(alice)
    await deliver(alice.node)

    (request,) = alice.receiver.server.requests
    (token,) = alice.receiver.tokens
    assert request.line == "POST /logged-out HTTP/1.1"
    assert request.headers["content-type"] == "application/x-www-form-urlencoded"
    header = jwt.get_unverified_header(alice.tokens["id_token"])
    assert jwt.get_unverified_header(token) == {**header, "typ": "logout+jwt"}
    now = alice.node.clock.now()
    claims = verified_id_token(alice.node, token, "shop")
    assert (claims["iat"], claims["exp"]) == (now, now + 120)
    # It is accepted neither as an access token nor as an ID token.
    assert alice.node.keyring.id_token_verifier.verify(token) is None
    assert alice.node.keyring.verifier.verify(token) is None


@pytest.mark.requirement("LO24")
async def test_session_that_expires_or_continues_notifies_no_client(alice: SignedIn) -> None:
    await alice.browser.sign_in_to(alice.shop, prompt="login")
    assert outbox(alice.node) == []

    alice.node.clock.advance(15 * 86400)
    alice.node.purge.delete_expired()

    assert not await alice.browser.is_signed_in()
    assert outbox(alice.node) == []


@pytest.fixture
async def shop(jeton: Running) -> AsyncIterator[LogoutReceiver]:
    """An app that has one logout token to receive."""
    async with logout_receiver() as receiver:
        add_receiving_app(jeton, "shop", receiver.uri)
        add_logouts(jeton, "shop", "browser")
        yield receiver


@pytest.mark.requirement("LO23")
async def test_attempts_follow_the_schedule_each_with_a_new_token(jeton: Running, shop: LogoutReceiver) -> None:
    shop.statuses[:] = ["503 Later", "404 Deploying", "200 OK"]
    for waited, attempts in ((0, 1), (14, 1), (1, 2), (59, 2), (1, 3), (86399, 3)):
        jeton.clock.advance(waited)
        await deliver(jeton)
        assert len(shop.tokens) == attempts
    (told,) = outbox(jeton)

    assert (told.state, told.attempts, told.last_status) == ("delivered", 3, "200")
    assert len({it["jti"] for it in shop.claims}) == 3
    assert [it["iat"] - told.created_at for it in shop.claims] == [0, 15, 75]


@pytest.mark.requirement("LO22", "LO23")
@pytest.mark.parametrize(("status", "attempts"), [("400 Bad Request", 1), ("302 Found", 7), ("500 Oops", 7)])
async def test_delivery_fails_at_a_refusal_or_after_the_last_attempt(
    jeton: Running, shop: LogoutReceiver, status: str, attempts: int
) -> None:
    shop.statuses[:] = [status]
    for _ in range(9):
        await deliver(jeton)
        jeton.clock.advance(21600)

    (told,) = outbox(jeton)
    assert (told.state, told.attempts, told.last_status) == ("failed", attempts, status[:3])
    assert len(shop.tokens) == attempts


async def never(_: RemoteRequest) -> bytes:
    await asyncio.Event().wait()
    raise AssertionError


@pytest.mark.requirement("LO06", "LO23")
async def test_client_that_never_responds_delays_no_other(alice: SignedIn) -> None:
    async with remote_server(never) as silent:
        add_receiving_app(alice.node, "silent", f"http://127.0.0.1:{silent.port}/")
        add_logouts(alice.node, "silent", *map(str, range(200)))
        alice.node.clock.advance(1)

        await sign_out(alice)
        assert alice.browser.path == "/signed-out"
        await alice.node.server.parts.background.logout_delivery.start_due()
        await alice.receiver.wait(4)

        assert len(silent.requests) <= 2


@pytest.mark.requirement("LO06", "LO23")
async def test_unregistered_clients_leave_room_for_others(start: StartServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jeton.background.logout_delivery._MAX_READ", 10)
    node = await start(REGISTRATION__ALLOW_PRIVATE_ADDRESSES="true")

    async with remote_server(never) as silent, logout_receiver() as receiver:
        for number in range(20):
            uri = f"http://127.0.0.1:{silent.port}/"
            add_receiving_app(node, f"stranger {number}", uri, registration="dynamic")
            add_logouts(node, f"stranger {number}", "1", "2")
        node.clock.advance(1)
        add_receiving_app(node, "shop", receiver.uri)
        add_logouts(node, "shop", "1")

        await node.server.parts.background.logout_delivery.start_due()
        await receiver.wait(4)

        assert len(silent.requests) <= MAX_TO_UNREGISTERED


@pytest.mark.requirement("LO23")
async def test_attempt_of_an_ended_process_is_made_by_another(
    jeton: Running, shop: LogoutReceiver, start: StartServer
) -> None:
    assert len(jeton.server.parts.background.logout_delivery._claim(())) == 1

    other = await start()
    await deliver(other)
    assert shop.tokens == []
    other.clock.advance(15)
    await deliver(other)
    assert len(shop.tokens) == 1


@pytest.mark.requirement("LO25")
@pytest.mark.both_databases
async def test_one_user_cannot_fill_the_outbox_with_unregistered_clients(
    jeton: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jeton.storage.logout_outbox.MAX_OF_USER", 3)
    jeton.add_user()
    apps = [add_receiving_app(jeton, f"stranger {it}", "https://a.example/x", registration="dynamic") for it in (1, 2)]
    apps.append(add_receiving_app(jeton, "shop", "https://shop.example/x"))
    for _ in range(3):
        async with browser(jeton) as visitor:
            for app in apps:
                await sign_in_to(jeton, visitor, app)
            await visitor.submit_on("/me", "/sign-out")

    assert sorted(it.client_id for it in outbox(jeton)) == ["shop", "shop", "shop", "stranger 1", "stranger 2"]


@pytest.mark.parametrize("registration", ["dynamic", "metadata_document"])
async def test_unregistered_client_cannot_use_a_private_address(start: StartServer, registration: str) -> None:
    async with logout_receiver() as receiver:
        for allowed, state in (("false", ("failed", "address_not_allowed")), ("true", ("delivered", "200"))):
            node = await start(REGISTRATION__ALLOW_PRIVATE_ADDRESSES=allowed)
            add_receiving_app(node, allowed, receiver.uri, registration=registration)
            add_logouts(node, allowed, "browser")
            await deliver(node)
            assert [(it.state, it.last_status) for it in outbox(node) if it.client_id == allowed] == [state]
        assert len(receiver.tokens) == 1


@pytest.mark.requirement("LO23")
@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"disabled": True}, ("failed", "client_disabled")),
        ({"backchannel_logout_uri": None}, ("failed", "client_unknown")),
        ({"id_token_alg": "ES256"}, ("pending", "no_signing_key")),
    ],
)
async def test_client_that_has_changed_since_is_not_notified(
    jeton: Running, shop: LogoutReceiver, changed: dict[str, Any], expected: tuple[str, str]
) -> None:
    jeton.set_client("shop", **changed)
    await deliver(jeton)

    assert shop.tokens == []
    assert [(it.state, it.last_status) for it in outbox(jeton)] == [expected]


async def test_logouts_of_a_deleted_client_go_with_it(jeton: Running, shop: LogoutReceiver) -> None:
    with jeton.database.write() as connection:
        delete_client(connection, "shop")
    assert outbox(jeton) == []


@pytest.mark.requirement("LO23")
async def test_nothing_is_attempted_while_no_key_can_sign(
    jeton: Running, shop: LogoutReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(jeton.keyring, "_read_at", float("-inf"))
        await deliver(jeton)
        assert [it.attempts for it in outbox(jeton)] == [0]
    await deliver(jeton)
    assert len(shop.tokens) == 1


@pytest.mark.both_databases
@pytest.mark.parametrize(
    ("status", "kept"), [("200 OK", DELIVERED_SECONDS), ("400 Bad Request", KEPT_SECONDS)], ids=["delivered", "failed"]
)
async def test_rows_of_delivered_and_failed_logouts_are_deleted_after_their_retention(
    alice: SignedIn, status: str, kept: int
) -> None:
    alice.receiver.statuses[:] = [status]
    await sign_out(alice)
    await deliver(alice.node)

    alice.node.clock.advance(kept - 1)
    alice.node.purge.delete_expired()
    assert len(outbox(alice.node)) == 1
    alice.node.clock.advance(1)
    alice.node.purge.delete_expired()
    assert outbox(alice.node) == []
