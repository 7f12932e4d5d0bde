"""The web app of the examples logs users in: against an issuer in memory, whose ID tokens are signed for each login."""

import importlib.util
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

import httpx2
import pytest

from support.checkout import ROOT
from vectors.signing import jwt, public_keys

ISSUER: Final = "https://as.example"
APP: Final = "https://app.example"
_HEADER: Final = {"alg": "RS256", "typ": "JWT", "kid": "one"}


@dataclass
class Issuer:
    """An issuer. `changed` are claims of its ID tokens, `asked` the parameters of the last authorization request."""

    asked: dict[str, str] = field(default_factory=dict)
    changed: dict[str, Any] = field(default_factory=dict)
    redemptions: int = 0

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        endpoints = {name: f"{ISSUER}/{name}" for name in ("authorization_endpoint", "token_endpoint", "jwks_uri")}
        match request.url.path:
            case "/jwks_uri":
                return httpx2.Response(200, json=public_keys())
            case "/token_endpoint":
                self.redemptions += 1
                tokens = {"access_token": "a", "token_type": "Bearer", "id_token": self._id_token()}
                return httpx2.Response(200, json=tokens)
            case _:
                return httpx2.Response(200, json={"issuer": ISSUER, **endpoints})

    def _id_token(self) -> str:
        now = int(time.time())
        about = {"iss": ISSUER, "aud": "web-app", "sub": "u_1", "sid": "browser"}
        claims = {**about, "iat": now, "exp": now + 60, "nonce": self.asked["nonce"]}
        return jwt(_HEADER, claims | self.changed)


@pytest.fixture
def issuer() -> Issuer:
    return Issuer()


@pytest.fixture
async def browser(issuer: Issuer, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[httpx2.AsyncClient]:
    """A browser with cookies at the app."""
    variables = {"ISSUER": ISSUER, "APP": APP, "CLIENT_ID": "web-app", "CLIENT_SECRET": "s"}
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    spec = importlib.util.spec_from_file_location("web_app", ROOT / "examples" / "starlette-web-app" / "app.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    async with httpx2.AsyncClient(transport=httpx2.MockTransport(issuer)) as http:
        app = module.create_app(http)
        async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url=APP) as browser:
            yield browser


async def return_to_callback(browser: httpx2.AsyncClient, issuer: Issuer, **changed: str) -> httpx2.Response:
    """Begin a login, and return to the callback with these parameters of the response changed."""
    sent = await browser.get("/log-in")
    assert sent.status_code == 303
    issuer.asked = dict(parse_qsl(urlsplit(sent.headers["location"]).query))
    return await browser.get(
        "/callback", params={"code": "c", "state": issuer.asked["state"], "iss": ISSUER, **changed}
    )


async def test_a_user_logs_in(browser: httpx2.AsyncClient, issuer: Issuer) -> None:
    assert (await browser.get("/")).headers["location"] == "/log-in"

    answer = await return_to_callback(browser, issuer)

    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert (await browser.get("/")).text == "Hello u_1"
    assert list(browser.cookies) == ["__Host-session"]
    flags = answer.headers.get_list("set-cookie")[0].lower()
    assert all(flag in flags for flag in ("httponly", "samesite=lax", "secure", "path=/"))


@pytest.mark.parametrize(
    ("redirect", "claims"),
    [
        *(({"state": "another"}, {}), ({"iss": "https://evil.example"}, {})),
        *(({}, {"nonce": "another"}), ({}, {"aud": "other"})),
    ],
)
async def test_a_redirect_or_id_token_of_another_login_logs_no_user_in(
    browser: httpx2.AsyncClient, issuer: Issuer, redirect: dict[str, str], claims: dict[str, str]
) -> None:
    issuer.changed = claims

    answer = await return_to_callback(browser, issuer, **redirect)

    assert (answer.status_code, issuer.redemptions) == (400, len(claims))
    assert (await browser.get("/")).status_code == 303


async def test_a_redirect_to_another_browser_logs_no_user_in(browser: httpx2.AsyncClient, issuer: Issuer) -> None:
    answer = await browser.get("/callback", params={"code": "c", "state": "s", "iss": ISSUER})

    assert (answer.status_code, issuer.redemptions) == (400, 0)


@pytest.mark.parametrize(
    ("claims", "status", "ends"),
    [
        ({"sub": "u_1", "sid": "browser"}, 200, True),
        ({"sub": "u_1"}, 200, True),
        ({"sub": "u_1", "sid": "another browser"}, 200, False),
        ({"sub": "u_2"}, 200, False),
        ({"sub": "u_1", "aud": "other"}, 400, False),
        ({"sub": "u_1", "nonce": "n"}, 400, False),
    ],
)
async def test_a_logout_token_ends_the_session_that_it_names(
    browser: httpx2.AsyncClient, issuer: Issuer, claims: dict[str, str], status: int, ends: bool
) -> None:
    await return_to_callback(browser, issuer)
    now = int(time.time())
    events: dict[str, Any] = {"http://schemas.openid.net/event/backchannel-logout": {}}
    given = {"iss": ISSUER, "aud": "web-app", "iat": now, "exp": now + 60, "jti": "j", "events": events} | claims

    token = jwt({**_HEADER, "typ": "logout+jwt"}, given)
    answer = await browser.post("/backchannel-logout", data={"logout_token": token})

    assert answer.status_code == status
    assert (await browser.get("/")).status_code == (303 if ends else 200)


async def test_a_logout_without_a_token_ends_nothing(browser: httpx2.AsyncClient, issuer: Issuer) -> None:
    await return_to_callback(browser, issuer)

    assert (await browser.post("/backchannel-logout")).status_code == 400
    assert (await browser.get("/")).status_code == 200
