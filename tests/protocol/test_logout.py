"""RP-initiated logout: who is signed out without a question, who is asked, and where people go afterwards."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from sqlalchemy import select

from jeton.oauth.scope import Scope
from jeton.storage.tables import browser_sessions
from support.authorization_codes import add_app, redeem
from support.browsing import Browser, browser
from support.in_process_server import App, Running

PATH = "/oauth/logout"
BYE = "https://app.example/bye"
OPENID: Scope = frozenset({"openid", "read"})


@dataclass
class SignedInApp:
    """An app to which alice has signed in in this browser."""

    node: Running
    app: App
    visitor: Browser
    tokens: dict[str, Any]

    @property
    def hint(self) -> str:
        return str(self.tokens["id_token"])

    def signed_in(self) -> int:
        with self.node.database.read() as connection:
            return len(connection.execute(select(browser_sessions.c.sub)).all())


def registered(jeton: Running, client_id: str = "app", **fields: Any) -> App:
    uris = frozenset({BYE})
    return add_app(jeton, client_id, scope=OPENID, first_party=True, post_logout_redirect_uris=uris, **fields)


async def sign_in_to(jeton: Running, visitor: Browser, app: App) -> dict[str, Any]:
    await visitor.sign_in_to(app, scope="openid read")
    return dict((await redeem(jeton, app, visitor.answer["code"])).json())


@pytest.fixture
async def alice(jeton: Running) -> AsyncIterator[SignedInApp]:
    app = registered(jeton)
    jeton.add_user()
    async with browser(jeton) as visitor:
        yield SignedInApp(jeton, app, visitor, await sign_in_to(jeton, visitor, app))


@pytest.mark.requirement("LO01", "LO02", "LO03", "LO04", "LO08")
async def test_an_app_with_an_id_token_hint_signs_its_user_out(jeton: Running, alice: SignedInApp) -> None:
    headers = {"Authorization": f"Bearer {alice.tokens['access_token']}"}
    assert (await jeton.http.get("/oauth/userinfo", headers=headers)).status_code == 200

    response = await alice.visitor.get(PATH, id_token_hint=alice.hint, post_logout_redirect_uri=BYE, state="a & b")

    assert (response.status_code, response.headers["location"]) == (303, BYE + "?state=a+%26+b")
    assert response.headers["clear-site-data"] == '"cache", "storage"'
    assert alice.signed_in() == 0
    assert (await jeton.http.get("/oauth/userinfo", headers=headers)).status_code == 401
    assert not await alice.visitor.is_signed_in()


@pytest.mark.requirement("LO05", "LO07")
async def test_another_site_cannot_clear_what_apps_of_this_host_have_stored(alice: SignedInApp) -> None:
    """A browser sends no SameSite=Lax cookie with the request for a picture."""
    async with browser(alice.node) as without_cookies:
        response = await without_cookies.http.get(PATH, headers={"Sec-Fetch-Site": "cross-site"})

    assert response.status_code == 303
    assert {"clear-site-data", "set-cookie"}.isdisjoint(response.headers)


@pytest.mark.requirement("LO02")
async def test_an_expired_hint_still_names_its_session(jeton: Running, alice: SignedInApp) -> None:
    claims = jeton.keyring.id_token_verifier.verify(alice.hint)
    assert claims is not None
    jeton.clock.advance(claims.claims["exp"] - jeton.clock.now() + 1)

    await alice.visitor.get(PATH, id_token_hint=alice.hint)

    assert (alice.visitor.path, alice.signed_in()) == ("/signed-out", 0)


@pytest.mark.requirement("LO01")
async def test_a_form_of_the_client_s_site_works_without_cookies(alice: SignedInApp) -> None:
    form = {"id_token_hint": alice.hint, "post_logout_redirect_uri": BYE}
    async with browser(alice.node) as without_cookies:
        first = await without_cookies.http.post(PATH, data=form, headers={"Sec-Fetch-Site": "cross-site"})
    assert first.status_code == 303
    assert alice.hint not in first.headers["location"]
    assert alice.signed_in() == 1

    await alice.visitor.get(first.headers["location"])

    assert alice.visitor.page.headers["location"] == BYE
    assert alice.signed_in() == 0


SUSPECT: dict[str, Callable[[SignedInApp], dict[str, Any]]] = {
    "nothing": lambda _: {},
    "only the client": lambda _: {"client_id": "app", "post_logout_redirect_uri": BYE},
    "a forged hint": lambda it: {"id_token_hint": it.hint[:-8] + "AAAAAAAA", "client_id": "app"},
    "an access token": lambda it: {"id_token_hint": it.tokens["access_token"], "client_id": "app"},
}


@pytest.mark.requirement("LO02", "LO03")
@pytest.mark.parametrize("given", SUSPECT)
async def test_without_a_matching_hint_the_user_is_asked(alice: SignedInApp, given: str) -> None:
    parameters = SUSPECT[given](alice)

    await alice.visitor.get(PATH, **parameters)

    assert alice.visitor.page.status_code == 200
    assert "Sign out?" in alice.visitor.page.text
    assert alice.signed_in() == 1
    response = await alice.visitor.submit("/oauth/logout/confirm")
    assert alice.signed_in() == 0
    expected = BYE if "post_logout_redirect_uri" in parameters else None
    assert response.headers.get("location") == expected
    assert expected or alice.visitor.path == "/signed-out"


@pytest.mark.requirement("LO02", "LO03")
async def test_with_a_hint_of_another_session_the_user_is_asked(jeton: Running, alice: SignedInApp) -> None:
    async with browser(jeton) as other:
        await sign_in_to(jeton, other, alice.app)
        await other.get(PATH, id_token_hint=alice.hint, post_logout_redirect_uri=BYE)
        assert "Sign out?" in other.page.text
    assert alice.signed_in() == 2


@pytest.mark.requirement("LO03")
async def test_the_confirmation_cannot_be_given_by_another_site_or_browser(jeton: Running, alice: SignedInApp) -> None:
    await alice.visitor.get(PATH)
    form = alice.visitor.form("/oauth/logout/confirm")
    foreign = await alice.visitor.http.post(form.action, data=form.fields, headers={"Sec-Fetch-Site": "cross-site"})
    async with browser(jeton) as other:
        stolen = await other.http.post(form.action, data=form.fields)
        relayed = await other.http.post(PATH, data={"client_id": "app"})
    no_value = await alice.visitor.http.post(form.action, data={})
    of_anybody = dict(parse_qsl(urlsplit(relayed.headers["location"]).query))
    not_bound = await alice.visitor.http.post(form.action, data=of_anybody)

    refusals = [it.status_code for it in (foreign, stolen, no_value, not_bound)]
    assert refusals == [403, 400, 400, 400]
    assert alice.signed_in() == 1


@pytest.mark.requirement("LO02", "LO04")
async def test_an_error_is_a_page_and_ends_nothing(jeton: Running, alice: SignedInApp) -> None:
    registered(jeton, "other")
    given: dict[str, Any] = {"id_token_hint": alice.hint, "post_logout_redirect_uri": BYE}
    for change in (
        {"post_logout_redirect_uri": BYE + "/x"},
        {"client_id": "other"},
        {"id_token_hint": "x.y.z"},
        {"id_token_hint": None, "client_id": "unknown"},
    ):
        response = await alice.visitor.get(PATH, **given | change)

        assert (response.status_code, "location" in response.headers) == (400, False), change
        assert BYE not in response.text
    assert alice.signed_in() == 1


@pytest.mark.requirement("LO01")
async def test_a_parameter_that_is_sent_twice_is_refused(alice: SignedInApp) -> None:
    assert (await alice.visitor.get(f"{PATH}?state=a&state=b")).status_code == 400
    assert alice.signed_in() == 1


@pytest.mark.requirement("LO04", "LO05", "PG04")
async def test_logout_without_a_session_is_no_error_and_no_open_redirect(jeton: Running, alice: SignedInApp) -> None:
    async with browser(jeton) as nobody:
        await nobody.get(PATH, id_token_hint=alice.hint, post_logout_redirect_uri=BYE)
        assert nobody.page.headers["location"] == BYE
        await nobody.get(PATH, client_id="app", post_logout_redirect_uri=BYE)
        assert nobody.path == "/signed-out"
        await nobody.get(PATH)
        assert nobody.path == "/signed-out"
    assert alice.signed_in() == 1


@pytest.mark.requirement("LO04", "LO05")
async def test_unregistered_app_redirects_only_users_signed_in_to_it(jeton: Running, alice: SignedInApp) -> None:
    jeton.set_client("app", registration="dynamic")
    jeton.lookups.clear_client_cache()
    given: dict[str, Any] = {"id_token_hint": alice.hint, "post_logout_redirect_uri": BYE}
    async with browser(jeton) as other:
        await other.get(PATH, **given)
        assert other.path == "/signed-out"
        await sign_in_to(jeton, other, registered(jeton, "other"))
        await other.get(PATH, **given)
        assert "Sign out?" in other.page.text
        await other.submit("/oauth/logout/confirm")
        assert other.path == "/signed-out"

    await alice.visitor.get(PATH, **given)

    assert (alice.signed_in(), alice.visitor.page.headers["location"]) == (0, BYE)


@pytest.mark.requirement("LO04")
async def test_redirect_uri_that_is_removed_in_between_is_not_used(jeton: Running, alice: SignedInApp) -> None:
    await alice.visitor.get(PATH, client_id="app", post_logout_redirect_uri=BYE)
    jeton.set_client("app", post_logout_redirect_uris=frozenset())

    response = await alice.visitor.submit("/oauth/logout/confirm")

    assert (response.status_code, alice.signed_in()) == (400, 1)


@pytest.mark.requirement("LO03")
async def test_a_browser_gets_a_page_that_redirects_after_the_form(alice: SignedInApp) -> None:
    await alice.visitor.get(PATH, client_id="app", post_logout_redirect_uri=BYE, ui_locales="de")
    headers = {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "navigate"}

    response = await alice.visitor.submit("/oauth/logout/confirm", headers)

    assert (response.status_code, alice.signed_in()) == (200, 0)
    assert BYE in response.text
    assert response.headers["content-language"] == "de"
    assert response.headers["clear-site-data"] == '"cache", "storage"'
