"""The table "what ends what" of docs/pages.md: each row is tried at one server, and seen at another at once.

A user is signed in in two browsers. `here` and `lasting` are sessions of apps from this browser, `code` is a code of
the latter that is not redeemed yet, `there` is a session from the other browser, and `elsewhere` one by the password
grant. `lasting` and `code` are of an app with `--refresh-token always`; the other sessions are of another app.
"""

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final
from uuid import uuid4

import jwt
import pytest

from support.authorization_codes import GRANTS, add_app, redeem
from support.browsing import Browser, browser
from support.checkout import ROOT
from support.cli_functions import command, delete_client, delete_user, disable_user, set_password
from support.in_process_server import PASSWORD, App, Running
from support.logout_receiver import LogoutReceiver, deliver, logout_receiver
from support.status_lists import is_listed

NEW: Final = "a sentence nobody else has ever typed"
THIS, OTHER, HERE, LASTING, CODE, THERE, ELSEWHERE = EVERYTHING = (
    *("this browser", "other browser"),
    *("here", "lasting", "code", "there", "elsewhere"),
)
SESSIONS: Final = (HERE, LASTING, THERE, ELSEWHERE)
OF_APP: Final = {HERE, THERE, ELSEWHERE}
MAX_SESSIONS: Final = 6
SETTINGS: Final = {"LIMITS__SESSIONS_PER_USER": str(MAX_SESSIONS)}


@dataclass
class World:
    """One user with everything that a user can have, and two servers. Actions take place at `node`."""

    node: Running
    elsewhere: Running
    username: str
    app: App
    lasting: App
    api: App
    this: Browser
    other: Browser
    tokens: dict[str, dict[str, Any]]
    codes: dict[str, str]

    def sid(self, name: str) -> str:
        claims = jwt.decode(self.tokens[name]["access_token"], options={"verify_signature": False})
        return str(claims["sid"])

    async def ask(self, name: str, method: str, path: str, **form: str) -> None:
        """Send a self-service request with the access token of this session."""
        headers = {"Authorization": f"Bearer {self.tokens[name]['access_token']}"}
        response = await self.node.http.request(method, path, headers=headers, data=form or None)
        assert response.status_code == 200, response.text

    async def ended(self) -> set[str]:
        """Return what has ended at the other server, before its next refresh."""
        over = set()
        for name, visitor in ((THIS, self.this), (OTHER, self.other)):
            async with browser(self.elsewhere) as there:
                there.http.cookies = visitor.http.cookies
                await there.get("/me")
                over |= set() if self.username in there.page.text else {name}
        for name in SESSIONS:
            app, token = self.lasting if name == LASTING else self.app, self.tokens[name]
            active = (await self.elsewhere.introspect(self.api, token["access_token"]))["active"]
            bearer = {"Authorization": f"Bearer {token['access_token']}"}
            accepted = (await self.elsewhere.http.get("/account", headers=bearer)).status_code == 200
            refreshed = (await self.elsewhere.refresh(app, token["refresh_token"])).status_code == 200
            assert active is accepted is refreshed, name
            over |= set() if active else {name}
        redeemed = await redeem(self.elsewhere, self.lasting, self.codes[CODE])
        return over | (set() if redeemed.status_code == 200 else {CODE})

    async def listed(self) -> set[str]:
        """Return the sessions whose tokens are INVALID in the status list of the other server."""
        self.elsewhere.shared_state.refresh()
        return {it for it in SESSIONS if await is_listed(self.elsewhere, self.tokens[it]["access_token"])}


@pytest.fixture
async def receiver() -> AsyncIterator[LogoutReceiver]:
    async with logout_receiver() as it:
        yield it


@asynccontextmanager
async def signed_in_everywhere(node: Running, elsewhere: Running, uri: str) -> AsyncIterator[World]:
    username, scope, asked = uuid4().hex, frozenset({"read", "account"}), "read account"
    node.add_user(username)
    grants = GRANTS | {"password"}
    app = add_app(node, uuid4().hex, scope=scope, grant_types=grants, backchannel_logout_uri=uri)
    lasting = add_app(node, uuid4().hex, scope=scope, refresh_token="always")
    api = node.add_client(uuid4().hex, introspect=True)
    elsewhere.shared_state.refresh()
    async with AsyncExitStack() as stack:
        this, other = [await stack.enter_async_context(browser(node)) for _ in range(2)]
        codes = {
            HERE: await this.allow(app, username, scope=asked),
            LASTING: await this.allow(lasting, username, scope=asked),
            THERE: await other.allow(app, username, scope=asked),
            CODE: await this.allow(lasting, username, scope=asked),
        }
        tokens = {ELSEWHERE: await node.log_in(app, username)}
        for name in (HERE, LASTING, THERE):
            tokens[name] = (await redeem(node, lasting if name == LASTING else app, codes[name])).json()
        yield World(node, elsewhere, username, app, lasting, api, this, other, tokens, codes)


async def revoke_browser_sessions(it: World, **chosen: Any) -> None:
    nothing: dict[str, Any] = {"browser_session_id": None, "username": None, "everything": False}
    await command("browser-session", "revoke", **nothing | chosen)


async def revoke_this_browser(it: World) -> None:
    await it.other.get("/me")
    browser_session_id = it.other.form("/me/browsers/end").fields["browser_session_id"]
    await revoke_browser_sessions(it, browser_session_id=browser_session_id)


async def sign_in_as_another(it: World) -> None:
    another = it.node.add_user(uuid4().hex).username
    await it.this.authorize(it.app, prompt="login")
    await it.this.sign_in(another)


async def expire(it: World) -> None:
    for node in (it.node, it.elsewhere):
        node.clock.advance(86400)
    for name in SESSIONS:
        app, token = it.lasting if name == LASTING else it.app, it.tokens[name]["refresh_token"]
        it.tokens[name] = await it.node.refreshed(app, token)


async def sign_in_too_often(it: World) -> None:
    """Use the other browser a minute later, in which the code expires by itself."""
    for node in (it.node, it.elsewhere):
        node.clock.advance(60)
    await it.other.get("/me")
    for _ in range(MAX_SESSIONS - 1):
        async with browser(it.node) as new:
            await new.open_account(it.username)


async def revoke_sessions(**chosen: Any) -> None:
    nothing: dict[str, Any] = {"sid": None, "username": None, "client_id": None, "everything": False}
    await command("session", "revoke", **nothing | chosen)


async def replay(it: World) -> None:
    for _ in range(2):
        await it.node.refresh(it.app, it.tokens[HERE]["refresh_token"])


async def move(it: World) -> None:
    it.node.set_client(it.app.client_id, session_binding="strict")
    form = {"grant_type": "refresh_token", "refresh_token": it.tokens[HERE]["refresh_token"]}
    await it.node.token(it.app, {"User-Agent": "another"}, **form)
    it.node.set_client(it.app.client_id, session_binding="off")


async def disable_and_enable(it: World) -> None:
    await disable_user(it.username)
    await command("user", "enable", username=it.username)


Happening = Callable[[World], Awaitable[Any]]
PASSWORDS: Final = {"current_password": PASSWORD, "new_password": NEW}
OUT: Final = {THIS, HERE, CODE}
ALL: Final = set(EVERYTHING)
ROWS: dict[str, dict[str, tuple[Happening, set[str]]]] = {
    "*Sign out*, logout at an app, *Sign out* of another browser on `/me`, `jeton browser-session revoke`, or another"
    " user signs in in the same browser": {
        "signed out": (lambda it: it.this.submit_on("/me", "/sign-out"), OUT),
        "logged out at an app": (lambda it: it.this.submit_on("/oauth/logout", "/oauth/logout/confirm"), OUT),
        "ended from another browser": (lambda it: it.other.submit_on("/me", "/me/browsers/end"), OUT),
        "revoked by the operator": (revoke_this_browser, OUT),
        "all of the user revoked": (lambda it: revoke_browser_sessions(it, username=it.username), OUT | {OTHER, THERE}),
        "another user signs in": (sign_in_as_another, OUT),
    },
    "the session expires": {"expired": (expire, {THIS, OTHER, CODE})},
    "the person signs in in one browser more than `limits.sessions_per_user` (100) allows": {
        "one too many": (sign_in_too_often, {THIS, CODE}),
    },
    "new password on `/me`": {
        "by default": (lambda it: it.this.change_password(NEW), ALL - {THIS}),
        "others go on": (
            lambda it: it.this.submit_on("/me/password", "/me/password", None, **PASSWORDS, end_others=""),
            {CODE},
        ),
    },
    "new password by `POST /account/password`": {
        "session kept": (
            lambda it: it.ask(THERE, "POST", "/account/password", **PASSWORDS, keep_current="true"),
            ALL - {THERE, OTHER},
        ),
        "all": (lambda it: it.ask(THERE, "POST", "/account/password", **PASSWORDS), ALL),
    },
    "`jeton user set-password`, `disable`, `delete`": {
        "password reset": (lambda it: set_password(it.username), ALL),
        "disabled": (lambda it: disable_user(it.username), ALL),
        "deleted": (lambda it: delete_user(it.username), ALL),
    },
    "access withdrawn on `/me`, `jeton consent revoke`": {
        "on the page": (lambda it: it.this.submit_on("/me", "/me/apps/end", client_id=it.app.client_id), OF_APP),
        "by the operator": (
            lambda it: command("consent", "revoke", username=it.username, client_id=it.app.client_id),
            OF_APP,
        ),
    },
    "one session of an app ended on `/me`, by `DELETE /account/sessions/{sid}`, `jeton session revoke` or `POST"
    " /oauth/revoke`; its code or a refresh token used a second time": {
        "on the page": (lambda it: it.this.submit_on("/me", "/me/sessions/end", sid=it.sid(HERE)), {HERE}),
        "by self-service": (lambda it: it.ask(ELSEWHERE, "DELETE", f"/account/sessions/{it.sid(HERE)}"), {HERE}),
        "by the operator": (lambda it: revoke_sessions(sid=it.sid(HERE)), {HERE}),
        "by the app": (lambda it: it.node.revoke(it.app, it.tokens[HERE]["refresh_token"]), {HERE}),
        "refresh token replayed": (replay, {HERE}),
        "code replayed": (lambda it: redeem(it.node, it.app, it.codes[HERE]), {HERE}),
    },
    "`DELETE /account/sessions`, `jeton session revoke --user`": {
        "by the user": (lambda it: it.ask(THERE, "DELETE", "/account/sessions"), ALL - {THIS, OTHER}),
        "all others": (
            lambda it: it.ask(THERE, "DELETE", "/account/sessions?keep_current=true"),
            ALL - {THIS, OTHER, THERE},
        ),
        "by the operator": (lambda it: revoke_sessions(username=it.username), ALL - {THIS, OTHER}),
    },
    "`jeton client delete`, `disable`": {
        "deleted": (lambda it: delete_client(it.app.client_id), OF_APP),
        "disabled": (lambda it: command("client", "disable", client_id=it.app.client_id), OF_APP),
    },
}
# Cases that the table does not contain.
MORE: Final[dict[str, tuple[Happening, set[str]]]] = {
    "user disabled and enabled again": (disable_and_enable, ALL),
    "all sessions of a client": (lambda it: revoke_sessions(client_id=it.app.client_id), OF_APP),
    "all sessions": (lambda _: revoke_sessions(everything=True), ALL - {THIS, OTHER}),
    "session of a strict client moves": (move, {HERE}),
    "secret replaced, with an overlap": (
        lambda it: command("client", "rotate-secret", client_id=it.app.client_id, overlap_seconds=60),
        set(),
    ),
    "sessions of another client": (lambda it: revoke_sessions(client_id=it.api.client_id), set()),
}
CASES: Final = [
    pytest.param(happen, expected, id=f"{number} {name}")
    for number, row in enumerate((*ROWS.values(), MORE), 1)
    for name, (happen, expected) in row.items()
]


@pytest.mark.requirement("A38", "C04", "C05", "I08", "I09", "LO08", "LO24", "O03", "O04", "Q04", "Q05")
@pytest.mark.parametrize(("happen", "expected"), CASES)
async def test_what_ends_at_one_server_ends_at_once_at_the_other(
    nodes: tuple[Running, Running], receiver: LogoutReceiver, happen: Happening, expected: set[str]
) -> None:
    async with signed_in_everywhere(*nodes, receiver.uri) as world:
        await happen(world)
        assert await world.ended() == expected
        assert await world.listed() == expected & set(SESSIONS)

        await deliver(world.elsewhere)
        browsers = 0 if happen in {expire, sign_in_too_often} else len(expected & {THIS, OTHER})
        assert len(receiver.tokens) == browsers


def test_tested_rows_are_those_of_the_document() -> None:
    text = (ROOT / "docs" / "pages.md").read_text(encoding="utf-8").partition("## Browser sessions")[2]
    table = text.partition("| what happens |")[2].partition("\n\n")[0]

    assert re.findall(r"^\| (?!-)(.+?) \|", table, re.MULTILINE) == list(ROWS)
