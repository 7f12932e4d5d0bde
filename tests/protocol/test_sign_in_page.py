"""The sign-in page: its form, its cookies, and browser sessions."""

import pytest

from support.authorization_codes import add_app
from support.browsing import Browser, browser
from support.in_process_server import PASSWORD, Running, StartServer


async def test_browser_without_cookies_gets_a_page_that_asks_for_them(jeton: Running, visitor: Browser) -> None:
    await visitor.authorize(add_app(jeton))
    visitor.http.cookies.clear()
    await visitor.sign_in()
    assert "allow cookies" in visitor.page.text


async def test_cookies_of_other_hosts_of_the_domain_are_not_in_the_way(visitor: Browser) -> None:
    for number in range(178):
        visitor.http.cookies.set(f"other-{number}", "x")
    await visitor.open_account()
    assert visitor.path == "/me"


async def test_white_space_around_a_name_does_not_count(visitor: Browser) -> None:
    await visitor.get("/me")
    await visitor.sign_in(" alice\t")
    assert visitor.path == "/me"


@pytest.mark.requirement("OI09")
async def test_login_hint_fills_the_name_field_escaped(jeton: Running, visitor: Browser) -> None:
    await visitor.authorize(add_app(jeton), login_hint='"><script>x')
    assert visitor.form("/sign-in").fields["username"] == '"><script>x'
    assert "<script>x" not in visitor.page.text


@pytest.mark.requirement("SE05", "RA23")
async def test_sign_in_started_in_another_browser_is_refused(jeton: Running, visitor: Browser) -> None:
    """Login CSRF: the attacker's link would sign the victim in to the attacker's request."""
    async with browser(jeton) as attacker:
        await attacker.authorize(add_app(jeton))
        link = str(attacker.page.url)
    page = await visitor.get(link)
    assert page.status_code == 400
    assert "another browser" in page.text


@pytest.mark.requirement("A53", "SE05", "RA22")
@pytest.mark.parametrize("headers", [{"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}])
async def test_form_of_another_site_is_refused(jeton: Running, visitor: Browser, headers: dict[str, str]) -> None:
    await visitor.authorize(add_app(jeton))
    page = await visitor.submit("/sign-in", headers, username="alice", password=PASSWORD)
    assert page.status_code == 403
    assert not await visitor.is_signed_in()


async def test_sealed_request_expires(jeton: Running, visitor: Browser) -> None:
    await visitor.authorize(add_app(jeton))
    jeton.clock.advance(1800)
    page = await visitor.sign_in()
    assert page.status_code == 400
    assert "expired" in page.text


@pytest.mark.requirement("SE13")
async def test_two_requests_in_two_tabs_work_independently(jeton: Running, visitor: Browser) -> None:
    app = add_app(jeton)
    await visitor.authorize(app, state="one")
    first = visitor.form("/sign-in")
    await visitor.allow(app, state="two")
    assert visitor.answer["state"] == "two"
    await visitor.post(first.action, first.fields | {"username": "alice", "password": PASSWORD})
    assert visitor.answer["state"] == "one"


@pytest.mark.requirement("SE12")
async def test_many_requests_at_once_need_one_small_cookie(jeton: Running, visitor: Browser) -> None:
    app = add_app(jeton)
    for state in range(20):
        await visitor.authorize(app, state=str(state))
    assert [len(f"{it.name}{it.value}") < 4096 for it in visitor.http.cookies.jar] == [True]
    await visitor.sign_in()
    assert [len(f"{it.name}{it.value}") < 4096 for it in visitor.http.cookies.jar] == [True, True]


@pytest.mark.requirement("PG10")
async def test_wrong_password_shows_the_form_again_and_reveals_nothing(jeton: Running, visitor: Browser) -> None:
    await visitor.authorize(add_app(jeton))
    for username in ("alice", "nobody"):
        page = await visitor.sign_in(username, "wrong")
        assert page.status_code == 400
        assert "The user name or the password is wrong." in page.text
        assert "wrong" not in visitor.form("/sign-in").fields["password"]
    await visitor.sign_in()
    assert visitor.path == "/consent"


@pytest.mark.requirement("PG10", "PG11", "O20")
async def test_too_many_attempts_show_the_form_with_the_time_to_wait(start: StartServer) -> None:
    node = await start(LIMITS__LOGIN_FAILURES_PER_ADDRESS="2")
    async with browser(node) as it:
        await it.get("/me")
        for _ in range(2):
            assert (await it.sign_in("nobody", "wrong")).status_code == 400
        page = await it.sign_in("nobody", "wrong")
    assert page.status_code == 429
    assert int(page.headers["retry-after"]) > 0
    assert "There were too many attempts." in page.text


@pytest.mark.requirement("SE02")
async def test_browser_session_ends_without_use_and_at_last_in_any_case(jeton: Running, visitor: Browser) -> None:
    await visitor.open_account()
    for _ in range(14):
        jeton.clock.advance(86000)
        assert await visitor.is_signed_in()
    jeton.clock.advance(1209600 - 14 * 86000)
    assert not await visitor.is_signed_in()
    await visitor.sign_in()
    jeton.clock.advance(86400)
    assert not await visitor.is_signed_in()
