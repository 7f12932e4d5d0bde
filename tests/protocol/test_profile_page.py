"""Claims that people enter on their account page, and which of them apps receive."""

from collections.abc import AsyncIterator
from html import unescape

import pytest

from jeton.oauth.users import User
from support.authorization_codes import add_app, redeem
from support.browsing import Browser, browser
from support.in_process_server import Running, running, settings_for

BEFORE = {"name": "Alice", "nickname": "al", "locale": "de", "birthdate": "1990"}


@pytest.fixture
async def visitor(jeton: Running) -> AsyncIterator[Browser]:
    """A browser in which alice is signed in."""
    jeton.add_user("alice", profile=BEFORE, email="alice@example.com", email_verified=True)
    async with browser(jeton) as it:
        await it.open_account()
        yield it


async def alice(node: Running) -> User:
    user = await node.lookups.user("alice")
    assert user is not None
    return user


@pytest.mark.requirement("OI43")
async def test_claims_that_a_person_enters_reach_apps(jeton: Running, visitor: Browser) -> None:
    jeton.clock.advance(5)
    await visitor.submit_on(
        "/me/profile", "/me/profile", name=" Alice O'Hara 王 ", zoneinfo="Europe/Vienna", picture="https://a.example/p"
    )
    assert visitor.path == "/me"
    assert "Your profile was saved." in visitor.page.text
    app = add_app(jeton, scope=frozenset({"openid", "profile"}))
    await visitor.allow(app, scope="openid profile")
    tokens = (await redeem(jeton, app, visitor.answer["code"])).json()
    headers = {"Authorization": f"Bearer {tokens['access_token']}"}
    assert (await jeton.http.get("/oauth/userinfo", headers=headers)).json() == {
        **BEFORE,
        "name": "Alice O'Hara 王",
        "zoneinfo": "Europe/Vienna",
        "picture": "https://a.example/p",
        "sub": (await alice(jeton)).sub,
        "preferred_username": "alice",
        "updated_at": jeton.clock.now(),
    }


async def test_empty_field_removes_a_claim_and_what_is_not_in_the_form_stays(jeton: Running, visitor: Browser) -> None:
    await visitor.get("/me/profile")
    forged = {"email": "bob@example.com", "roles": "admin", "username": "bob", "birthdate": "2000", "nickname": "root"}
    await visitor.post("/me/profile", visitor.form("/me/profile").fields | {"name": "", **forged})
    user = await alice(jeton)
    assert user.profile == {"nickname": "al", "locale": "de", "birthdate": "1990"}
    assert (user.username, user.email, user.email_verified, user.roles) == ("alice", "alice@example.com", True, ())


async def test_saving_without_a_change_is_no_change(jeton: Running, visitor: Browser) -> None:
    before = await alice(jeton)
    await visitor.submit_on("/me/profile", "/me/profile")
    assert "Your profile was saved." in visitor.page.text
    assert await alice(jeton) == before


@pytest.mark.requirement("PG08", "PG03")
@pytest.mark.parametrize(("claim", "value"), [("picture", "javascript:alert(1)"), ("locale", '"><script>')])
async def test_a_value_that_cannot_be_used_is_marked_and_nothing_is_saved(
    jeton: Running, visitor: Browser, claim: str, value: str
) -> None:
    await visitor.get("/me/profile")
    typed = visitor.form("/me/profile").fields | {"given_name": "kept in the form", claim: value}
    page = await visitor.post("/me/profile", typed)
    assert page.status_code == 400
    assert "Nothing was saved. Correct what is marked." in page.text
    assert f'aria-describedby="{claim}-hint" aria-invalid="true" autofocus' in page.text
    assert page.text.count("aria-invalid") == 1
    assert "<script>" not in page.text
    fields = {name: unescape(it) for name, it in visitor.form("/me/profile").fields.items()}
    assert (fields["given_name"], fields[claim]) == ("kept in the form", value)
    assert (await alice(jeton)).profile == BEFORE


async def test_the_form_is_for_people_who_are_signed_in(jeton: Running, visitor: Browser) -> None:
    await visitor.get("/me/profile")
    assert "alice@example.com" in visitor.page.text
    form = visitor.form("/me/profile")
    await visitor.submit("/sign-out")
    await visitor.post(form.action, form.fields | {"name": "Mallory"})
    assert visitor.path == "/sign-in"
    assert (await alice(jeton)).profile == BEFORE


@pytest.mark.parametrize("editable", ["nickname", "locale name", ""])
async def test_operators_choose_what_people_may_change(database_url: str, editable: str) -> None:
    async with running(settings_for(database_url, PAGES__EDITABLE_CLAIMS=editable)) as node, browser(node) as visitor:
        node.add_user("alice")
        await visitor.get("/me")
        page = await visitor.sign_in()
        assert ("Edit profile" in page.text) is bool(editable)
        form = await visitor.get("/me/profile")
        assert form.status_code == (200 if editable else 404)
        if editable:
            assert visitor.form("/me/profile").fields.keys() == {"form_token", *editable.split()}
