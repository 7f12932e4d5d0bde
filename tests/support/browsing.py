"""A browser without JavaScript: it keeps cookies, follows redirects within one server and fills in forms."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit

import httpx2

from support.authorization_codes import CHALLENGE
from support.builders import CALLBACK
from support.in_process_server import ISSUER, PASSWORD, App, Running

_MAX_REDIRECTS: Final = 10


@dataclass
class Form:
    """An HTML form: its action, its fields and its named buttons."""

    action: str
    fields: dict[str, str] = field(default_factory=dict)
    buttons: list[tuple[str, str]] = field(default_factory=list)


class _Forms(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[Form] = []
        self._open = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.found.append(Form(values["action"]))
            self._open = True
        elif self._open and tag == "input" and "name" in values:
            if values.get("type") != "checkbox" or "checked" in values:
                self.found[-1].fields[values["name"]] = values.get("value", "")
        elif self._open and tag == "button" and "name" in values:
            self.found[-1].buttons.append((values["name"], values["value"]))

    def handle_endtag(self, tag: str) -> None:
        self._open = self._open and tag != "form"


def form_in(page: str, path: str) -> Form:
    """Return the form of the page whose action ends with this path."""
    parser = _Forms()
    parser.feed(page)
    return next(it for it in parser.found if urlsplit(it.action).path.endswith(path))


class Browser:
    """A browser. `page` is the current page; a redirect to another site than `issuer` is not followed."""

    def __init__(self, http: httpx2.AsyncClient, issuer: str = ISSUER) -> None:
        self.http = http
        self.issuer = issuer
        self.page = httpx2.Response(200)

    async def get(self, path: str, headers: Mapping[str, str] | None = None, **query: Any) -> httpx2.Response:
        return await self._follow("GET", f"{path}?{urlencode(query, doseq=True)}" if query else path, None, headers)

    async def post(
        self, path: str, form: Mapping[str, str], headers: Mapping[str, str] | None = None
    ) -> httpx2.Response:
        return await self._follow("POST", path, form, headers)

    async def submit(self, path: str, headers: Mapping[str, str] | None = None, **values: str) -> httpx2.Response:
        """Submit the form of the current page with this path and these values."""
        form = self.form(path)
        return await self.post(form.action, form.fields | values, headers)

    async def submit_on(
        self, page: str, path: str, headers: Mapping[str, str] | None = None, **values: str
    ) -> httpx2.Response:
        """Open the page, and submit its form with this path."""
        await self.get(page, headers)
        return await self.submit(path, headers, **values)

    def form(self, path: str) -> Form:
        return form_in(self.page.text, path)

    async def authorize(
        self, app: App, headers: Mapping[str, str] | None = None, /, **parameters: Any
    ) -> httpx2.Response:
        """Open an authorization request with `authorization_parameters`."""
        return await self.get("/oauth/authorize", headers, **authorization_parameters(app, **parameters))

    async def sign_in(self, username: str = "alice", password: str = PASSWORD, **more: Any) -> httpx2.Response:
        return await self.submit("/sign-in", username=username, password=password, **more)

    async def sign_in_to(self, app: App, username: str = "alice", **parameters: Any) -> None:
        """Open an authorization request, and sign in if the sign-in page is shown."""
        await self.authorize(app, **parameters)
        if self.path == "/sign-in":
            await self.sign_in(username)

    async def open_account(self, username: str = "alice") -> httpx2.Response:
        """Open the account page by signing in."""
        await self.get("/me")
        return await self.sign_in(username)

    async def is_signed_in(self) -> bool:
        await self.get("/me")
        assert self.path in ("/me", "/sign-in")
        return self.path == "/me"

    async def change_password(
        self, new: str, current: str = PASSWORD, headers: Mapping[str, str] | None = None
    ) -> httpx2.Response:
        values = {"current_password": current, "new_password": new}
        return await self.submit_on("/me/password", "/me/password", headers, **values)

    async def decide(self, decision: str = "allow") -> httpx2.Response:
        return await self.submit("/consent", decision=decision)

    async def allow(self, app: App, username: str = "alice", **parameters: Any) -> str:
        """Open an authorization request; sign in and consent if asked. Return the code."""
        await self.authorize(app, **parameters)
        await self.finish(username)
        return self.answer_at(parameters.get("redirect_uri") or CALLBACK)["code"]

    async def finish(self, username: str = "alice") -> None:
        """Sign in and consent, if the pages ask for it."""
        if self.path == "/sign-in":
            await self.sign_in(username)
        if self.path == "/consent":
            await self.decide()

    @property
    def path(self) -> str:
        return urlsplit(str(self.page.url)).path

    @property
    def answer(self) -> dict[str, str]:
        """The authorization response that is sent to `CALLBACK`."""
        return self.answer_at(CALLBACK)

    def answer_at(self, redirect_uri: str) -> dict[str, str]:
        assert self.page.status_code == 303, self.page.text
        location = self.page.headers["location"]
        assert location.startswith(redirect_uri), location
        return dict(parse_qsl(urlsplit(location).query, strict_parsing=True))

    async def _follow(
        self, method: str, path: str, form: Mapping[str, str] | None, headers: Mapping[str, str] | None
    ) -> httpx2.Response:
        self.page = await self.http.request(method, path, data=form, headers=headers)
        for _ in range(_MAX_REDIRECTS):
            target = urljoin(self.issuer, self.page.headers.get("location", "https://elsewhere.example"))
            if self.page.status_code != 303 or not target.startswith(self.issuer):
                return self.page
            self.page = await self.http.get(target, headers=headers)
        raise AssertionError("too many redirects")


@asynccontextmanager
async def browser(node: Running) -> AsyncIterator[Browser]:
    """Yield a browser without cookies."""
    transport = httpx2.ASGITransport(node.server.app)
    async with httpx2.AsyncClient(transport=transport, base_url=ISSUER) as http:
        yield Browser(http)


def authorization_parameters(app: App, **more: Any) -> dict[str, Any]:
    """Return the parameters of an authorization request. A parameter that is None is left out."""
    given = {
        "response_type": "code",
        "client_id": app.client_id,
        "redirect_uri": CALLBACK,
        "scope": "read",
        "state": "the state",
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
        **more,
    }
    return {name: value for name, value in given.items() if value is not None}
