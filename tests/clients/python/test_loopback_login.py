"""Login of a command-line app by the browser, with a live server and hostile programs on loopback."""

import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest

from jeton_client import (
    AccessDeniedError,
    AuthorizationRequest,
    Client,
    IdTokenVerifier,
    LoginRequiredError,
    TokenSession,
    Verifier,
    log_in_by_browser,
)
from support.browsing import form_in
from support.cli_runner import CommandLine
from support.server_processes import ServerProcess, environment, free_port

ISSUER: Final = "https://as.example"
REQUEST: Final = AuthorizationRequest("http://127.0.0.1/callback", scope="openid orders")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    """A server that is started after its accounts are added, because it then announces the authorization endpoint."""
    port = free_port()
    settings = environment(f"sqlite:///{tmp_path}/jeton.db", SERVER__ISSUER=f"http://127.0.0.1:{port}")
    server = ServerProcess(port, tmp_path, settings)
    yield server
    server.kill()


class Browser:
    """A browser in which the person signs in and decides. `shown` holds the last pages."""

    def __init__(self, decide: str, password: str) -> None:
        self.shown: list[httpx2.Response] = []
        self._decide = decide
        self._password = password

    def show(self, url: str) -> None:
        thread = threading.Thread(target=self._visit, args=[url], daemon=True)
        thread.start()

    def _visit(self, url: str) -> None:
        with httpx2.Client(follow_redirects=True, timeout=20) as http:
            page = http.get(url)
            form = form_in(page.text, "/sign-in")
            values = {"username": "alice", "password": self._password}
            page = http.post(str(page.url.join(form.action)), data=form.fields | values)
            form = form_in(page.text, "/consent")
            page = http.post(str(page.url.join(form.action)), data={**form.fields, "decision": self._decide})
            self.shown.append(page)


def test_a_person_logs_in_by_the_browser_or_refuses(server: ServerProcess) -> None:
    words = ["client", "add", "orders-app", "--public", "--application-type", "native", "--scope", "orders"]
    words += ["--scope", "openid", "--redirect-uri", "http://127.0.0.1/callback", "--refresh-token", "always"]
    words += ["--grant", "authorization_code", "--grant", "refresh_token"]
    run = CommandLine(server.environment).json
    run(*words)
    password = run("user", "add", "alice", "--generate-password")["password"]
    server.start()
    issuer = server.url
    with TokenSession(issuer, Client("orders-app")) as session:
        refusing = Browser("deny", password)
        with pytest.raises(AccessDeniedError):
            log_in_by_browser(session, REQUEST, show=refusing.show)
        allowing = Browser("allow", password)

        tokens, pending = log_in_by_browser(session, REQUEST, show=allowing.show)

        token = session.access_token()
        with Verifier(issuer, issuer) as verifier, IdTokenVerifier(issuer, "orders-app") as id_tokens:
            verified, user = verifier.verify(token), id_tokens.verify(tokens, pending)
        assert sorted(verified.scope) == ["openid", "orders"]
        assert user.subject == verified.subject
        assert session.renew(token) != token
        session.log_out()
        with pytest.raises(LoginRequiredError):
            session.access_token()
    assert [page.status_code for page in (*refusing.shown, *allowing.shown)] == [400, 200]


class Neighbours:
    """An in-memory server, and requests of other programs to the app's port before the redirect."""

    def __init__(self, *attempts: Callable[[str, str], httpx2.Request]) -> None:
        self.statuses: list[int] = []
        self.redemptions = 0
        self._attempts = attempts
        self.http = httpx2.Client(transport=httpx2.MockTransport(self._handle))

    def show(self, url: str) -> None:
        query = parse_qs(urlsplit(url).query)
        threading.Thread(target=self._visit, args=[query["redirect_uri"][0], query["state"][0]], daemon=True).start()

    def _visit(self, redirect_uri: str, state: str) -> None:
        # The app may have given up.
        with httpx2.Client() as http, suppress(httpx2.ConnectError):
            for attempt in self._attempts:
                self.statuses.append(http.send(attempt(redirect_uri, state)).status_code)

    def _handle(self, request: httpx2.Request) -> httpx2.Response:
        if request.url.path.startswith("/.well-known"):
            endpoints = {name: f"{ISSUER}/{name}" for name in ("authorization_endpoint", "token_endpoint")}
            return httpx2.Response(200, json={"issuer": ISSUER, **endpoints})
        self.redemptions += 1
        return httpx2.Response(200, json={"access_token": "access", "token_type": "Bearer"})


def right(redirect_uri: str, state: str) -> httpx2.Request:
    return httpx2.Request("GET", redirect_uri, params={"code": "c", "state": state, "iss": ISSUER})


def with_another_state(redirect_uri: str, _: str) -> httpx2.Request:
    return right(redirect_uri, "another")


def by_a_foreign_name(redirect_uri: str, state: str) -> httpx2.Request:
    request = right(redirect_uri, state)
    request.headers["host"] = f"evil.example:{request.url.port}"
    return request


OTHERS: Final = (
    with_another_state,
    lambda redirect_uri, _: httpx2.Request("GET", redirect_uri, params={"error": "access_denied", "iss": ISSUER}),
    lambda redirect_uri, state: right(f"{redirect_uri}/more", state),
    by_a_foreign_name,
)


def test_requests_of_others_do_not_end_the_login_and_nothing_is_printed(capfd: pytest.CaptureFixture[str]) -> None:
    others = Neighbours(*OTHERS, right)

    with TokenSession(ISSUER, Client("app"), http=others.http) as session:
        log_in_by_browser(session, REQUEST, show=others.show)

        assert session.access_token() == "access"
    assert others.statuses[:4] == [400, 400, 404, 404]
    assert others.redemptions == 1
    assert capfd.readouterr() == ("", "")


def test_an_unfinished_login_times_out() -> None:
    others = Neighbours(with_another_state)

    with TokenSession(ISSUER, Client("app"), http=others.http) as session, pytest.raises(LoginRequiredError):
        log_in_by_browser(session, REQUEST, show=others.show, timeout_seconds=0.2)
    assert others.redemptions == 0


@pytest.mark.parametrize(
    "redirect_uri",
    ["https://app.example/callback", "http://localhost/callback", "http://0.0.0.0/callback", "http://127.0.0.1/?x=1"],
)
def test_only_the_loopback_address_can_be_the_redirect_uri(redirect_uri: str) -> None:
    with TokenSession(ISSUER, Client("app")) as session, pytest.raises(ValueError, match="redirect URI"):
        log_in_by_browser(session, AuthorizationRequest(redirect_uri))
