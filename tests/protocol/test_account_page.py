"""The person's own page: what it shows, what it ends, and who may use its forms."""

import re
from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy import select

from jeton.crypto.credentials import digest_secret
from jeton.storage.tables import browser_sessions
from support.audit_trail import verified_records
from support.authorization_codes import add_app, add_resource, redeem
from support.browsing import Browser, browser
from support.in_process_server import PASSWORD, Running
from support.stored_sessions import revoke_reason

NEW_PASSWORD = "a much better battery horse"


@pytest.fixture
async def visitor(jeton: Running) -> AsyncIterator[Browser]:
    """A browser in which alice is signed in."""
    jeton.add_user("alice", profile={"name": "Alice Archer"}, email="alice@example.com")
    async with browser(jeton) as it:
        await it.open_account()
        yield it


async def allow(node: Running, visitor: Browser, **fields: Any) -> None:
    """Open a session of an app by signing in and consenting."""
    app = add_app(node, refresh_token="always", **fields)
    await redeem(node, app, await visitor.allow(app))


@pytest.mark.requirement("PG07")
async def test_page_shows_profile_browsers_and_apps_and_a_known_address_leads_to_its_password_form(
    jeton: Running, visitor: Browser
) -> None:
    await allow(jeton, visitor, name="Photo Album")
    await visitor.get("/me")
    for words in ("Alice Archer", "alice@example.com", "this browser", "Photo Album", "Withdraw access", "End session"):
        assert words in visitor.page.text
    await visitor.get("/.well-known/change-password")
    assert visitor.path == "/me/password"


@pytest.mark.requirement("LO07")
async def test_signing_out_ends_the_session_and_says_so(visitor: Browser) -> None:
    await visitor.get("/me")
    form = visitor.form("/sign-out")
    response = await visitor.http.post(form.action, data=form.fields)
    assert response.headers["clear-site-data"] == '"cache", "storage"'
    await visitor.get(response.headers["location"])
    assert "You are signed out" in visitor.page.text
    assert not await visitor.is_signed_in()


async def test_signed_out_page_redirects_a_signed_in_user_to_the_account_page(visitor: Browser) -> None:
    await visitor.get("/signed-out")

    assert visitor.path == "/me"


@pytest.mark.requirement("CN02", "SE06", "SE07")
async def test_page_says_what_ended_and_withdrawn_access_is_asked_for_again(jeton: Running, visitor: Browser) -> None:
    """What each of them ends is tested in test_what_ends_what.py."""
    app = add_app(jeton)
    await redeem(jeton, app, await visitor.allow(app))
    async with browser(jeton) as other:
        await other.open_account()
        await visitor.submit_on("/me", "/me/sessions/end")
        assert "The session was ended." in visitor.page.text
        assert "End session" not in visitor.page.text
        await visitor.submit("/me/browsers/end")
        assert "That browser was signed out." in visitor.page.text
        assert not await other.is_signed_in()
    code = await visitor.allow(app)
    await visitor.submit_on("/me", "/me/apps/end")
    assert "The app no longer has access." in visitor.page.text
    assert revoke_reason(jeton, code) == "consent_withdrawn"
    await visitor.change_password(NEW_PASSWORD)
    assert "Your password was changed." in visitor.page.text
    assert visitor.path == "/me"
    await visitor.authorize(app)
    assert visitor.path == "/consent"


@pytest.mark.requirement("CN02")
async def test_apps_show_what_was_allowed_at_which_resource(jeton: Running, visitor: Browser) -> None:
    add_resource(jeton, "https://files.example", "read")
    await allow(jeton, visitor, resources=("https://files.example",), scope=frozenset({"openid", "read"}))
    await visitor.get("/me")
    listed = re.findall(r"At: [^<]*|(?<=<li>)[^<]+(?=</li>)", visitor.page.text)
    assert listed == ["At: https://files.example", "read"]


async def test_session_of_another_user_cannot_be_ended(jeton: Running, visitor: Browser) -> None:
    jeton.add_user("bob")
    async with browser(jeton) as bob:
        await bob.open_account("bob")
        session_id = next(iter(await _browser_sessions(jeton, "bob")))
        await visitor.get("/me")
        token = visitor.form("/sign-out").fields["form_token"]
        await visitor.post("/me/browsers/end", {"form_token": token, "browser_session_id": session_id})
        assert await bob.is_signed_in()


async def _browser_sessions(node: Running, username: str) -> list[str]:
    user = await node.lookups.user(username)
    assert user is not None
    overview = await node.server.parts.storage.browser_session_lookups.overview(user.sub)
    return [it.browser_session_id for it in overview.browser_sessions]


@pytest.mark.requirement("SE05")
@pytest.mark.parametrize(
    "path", ["/sign-out", "/me/profile", "/me/password", "/me/browsers/end", "/me/sessions/end", "/me/apps/end"]
)
async def test_form_without_the_right_token_is_refused(visitor: Browser, path: str) -> None:
    for form in ({}, {"form_token": "0" * 64}):
        response = await visitor.post(path, {"client_id": "app", **form})
        assert response.status_code == 400
    assert await visitor.is_signed_in()


@pytest.mark.requirement("AU01")
@pytest.mark.both_databases
async def test_withdrawal_from_an_app_that_has_nothing_is_not_recorded(jeton: Running, visitor: Browser) -> None:
    before = verified_records(jeton.database.url.render_as_string(hide_password=False))

    await visitor.get("/me")
    token = visitor.form("/sign-out").fields["form_token"]
    await visitor.post("/me/apps/end", {"form_token": token, "client_id": "x" * 20_000})

    assert visitor.path == "/me"
    assert verified_records(jeton.database.url.render_as_string(hide_password=False)) == before


@pytest.mark.requirement("SE05")
async def test_form_of_another_site_is_refused_even_with_the_right_token(visitor: Browser) -> None:
    response = await visitor.submit_on("/me", "/sign-out", {"Sec-Fetch-Site": "same-site"})
    assert response.status_code == 403


@pytest.mark.requirement("PG12")
@pytest.mark.parametrize(
    ("current", "new", "language", "words"),
    [
        ("wrong", NEW_PASSWORD, "en", "The current password is wrong."),
        (PASSWORD, "short", "en", "at least 15 characters"),
        (PASSWORD, "passwordpassword", "en", "The new password was not accepted. The password is a common one"),
        (PASSWORD, "short", "de", "Das neue Passwort wurde nicht angenommen. Das Passwort muss mindestens 15 Zeichen"),
    ],
)
async def test_password_that_cannot_be_changed_says_why_in_the_language_of_the_page(
    visitor: Browser, current: str, new: str, language: str, words: str
) -> None:
    page = await visitor.change_password(new, current, headers={"Accept-Language": language})
    assert page.status_code == 400
    assert words in page.text
    assert 'aria-invalid="true"' in page.text
    assert new not in page.text


@pytest.mark.requirement("SE01")
@pytest.mark.requirement("SE01", "SE06")
async def test_copy_of_the_cookie_is_useless_after_a_new_password(jeton: Running, visitor: Browser) -> None:
    async with browser(jeton) as thief:
        thief.http.cookies = dict(visitor.http.cookies)
        assert await thief.is_signed_in()
        await visitor.change_password(NEW_PASSWORD)
        assert (await visitor.is_signed_in(), await thief.is_signed_in()) == (True, False)


async def test_database_does_not_contain_the_secret_of_the_cookie(jeton: Running, visitor: Browser) -> None:
    with jeton.database.read() as connection:
        (row,) = connection.execute(select(browser_sessions))
    secrets = [it.value or "" for it in visitor.http.cookies.jar]
    assert len(secrets) == 2
    assert [it for it in secrets if it in repr(row)] == []
    assert digest_secret(next(it.value or "" for it in visitor.http.cookies.jar if it.name.endswith("-session"))) in row
