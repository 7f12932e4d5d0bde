"""The pages in Chromium: the whole login flow, by keyboard, without scripts, and against hostile pages."""

import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, Request, expect

from browser.page_inspection import PageInspector, assert_as_pictured
from browser.sites import USERNAME, App, Site, add_app
from support.in_process_server import PASSWORD
from support.server_processes import server_process


def sign_in(page: Page, password: str = PASSWORD, username: str = USERNAME) -> None:
    page.get_by_label("User name").fill(username)
    page.get_by_label("Password", exact=True).fill(password)
    page.get_by_role("button", name="Sign in", exact=True).click()


def allow(page: Page) -> None:
    page.get_by_role("button", name="Allow", exact=True).click()
    expect(page.get_by_role("heading", name="At home")).to_be_visible()


@pytest.mark.requirement("RR14", "RR08", "CN06")
def test_login_flow_ends_where_the_callback_redirects_to_and_going_back_is_harmless(page: Page, app: App) -> None:
    hosts = set[str]()

    def record(request: Request) -> None:
        hosts.add(urlsplit(request.url).netloc)

    page.on("request", record)
    page.goto(app.authorization_url())
    page.remove_listener("request", record)
    assert hosts == {urlsplit(app.issuer).netloc}
    sign_in(page)
    allow(page)
    assert page.url == f"{app.site.other}/home"
    assert app.answer.keys() == {"code", "state", "iss"}
    page.go_back()
    expect(page.get_by_role("heading", name="Allow access?")).to_be_visible()
    allow(page)
    assert "code" in app.answer


@pytest.mark.requirement("PG09")
def test_login_flow_works_without_scripts(chromium: Browser, app: App) -> None:
    with chromium.new_context(java_script_enabled=False) as plain:
        page = plain.new_page()
        page.goto(app.authorization_url())
        sign_in(page)
        allow(page)
        page.goto(app.authorization_url(response_mode="form_post", state="form_post"))
        page.get_by_role("button", name="Allow", exact=True).click()
        page.get_by_role("button", name="Continue").click()
        expect(page.get_by_role("heading", name="At home")).to_be_visible()


@pytest.mark.requirement("RR11", "RR14")
def test_form_post_is_submitted_by_the_script_also_to_an_ipv6_address(page: Page, app: App) -> None:
    with Site("::1").serving() as site:
        native = add_app(app.database_url, app.issuer, site, "native")
        page.goto(native.authorization_url(response_mode="form_post", state="form_post"))
        sign_in(page)
        allow(page)
        assert native.answer["state"] == "form_post"
        assert "code" in native.answer


@pytest.mark.requirement("PG08")
def test_login_flow_works_by_keyboard(page: Page, app: App) -> None:
    page.goto(app.authorization_url())
    keys = page.keyboard
    keys.type(USERNAME)
    keys.press("Tab")
    keys.type("wrong")
    keys.press("Enter")
    problem = page.get_by_role("alert")
    expect(problem).to_have_text("The user name or the password is wrong.")
    expect(page.get_by_label("Password", exact=True)).to_be_focused()
    keys.type(PASSWORD)
    keys.press("Enter")
    expect(page.get_by_role("heading", name="Allow access?")).to_be_visible()
    button = page.get_by_role("button", name="Allow", exact=True)
    for _ in range(10):
        keys.press("Tab")
        if button.evaluate("it => it === document.activeElement"):
            break
    assert button.evaluate("it => getComputedStyle(it).outlineStyle") == "solid"
    keys.press("Enter")
    expect(page.get_by_role("heading", name="At home")).to_be_visible()


@pytest.mark.requirement("N11", "PG07")
def test_password_can_be_shown_and_is_hidden_again_when_sent(page: Page, app: App) -> None:
    page.goto(app.authorization_url())
    field = page.get_by_label("Password", exact=True)
    page.get_by_label("User name").fill("secret")
    page.get_by_label("User name").press("Control+A")
    page.get_by_label("User name").press("Control+X")
    field.press("Control+V")
    expect(field).to_have_value("secret")
    button = page.get_by_role("button", name="Show")
    button.click()
    expect(field).to_have_attribute("type", "text")
    expect(button).to_have_attribute("aria-pressed", "true")
    assert field.get_attribute("autocomplete") == "current-password"
    assert page.get_by_label("User name").get_attribute("autocomplete") == "username"
    page.get_by_label("User name").fill(USERNAME)
    page.evaluate("addEventListener('submit', it => it.preventDefault())")
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(field).to_have_attribute("type", "password")


@pytest.mark.requirement("RR15", "I17")
def test_page_in_a_frame_is_not_shown(page: Page, app: App) -> None:
    app.site.pages["/frame"] = f'<iframe src="{app.authorization_url().replace("&", "&amp;")}"></iframe>'
    page.goto(f"{app.site.other}/frame")
    page.wait_for_load_state("networkidle")
    assert all(app.issuer not in frame.url for frame in page.frames[1:])


@pytest.mark.requirement("SE05", "RA22")
def test_form_that_another_site_posts_is_refused(page: Page, app: App) -> None:
    page.goto(app.authorization_url())
    sealed = page.locator("input[name=sealed_request]").first.input_value()
    fields = {"username": USERNAME, "password": PASSWORD, "sealed_request": sealed}
    inputs = "".join(f'<input name="{name}" value="{value}">' for name, value in fields.items())
    app.site.pages["/attack"] = f'<form method="post" action="{app.issuer}/sign-in">{inputs}<button>Win</button></form>'
    page.goto(f"{app.site.other}/attack")
    page.get_by_role("button", name="Win").click()
    expect(page.get_by_text("The form was sent from another site")).to_be_visible()
    page.goto(f"{app.issuer}/me")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


@pytest.mark.requirement("SE01", "SE05")
def test_sign_in_that_another_browser_began_cannot_be_finished(page: Page, app: App) -> None:
    page.goto(app.authorization_url())
    # Another browser differs in its cookies only.
    page.context.clear_cookies()
    page.goto(page.url)
    expect(page.get_by_text("started in another browser")).to_be_visible()


@pytest.mark.requirement("OI04")
def test_going_back_does_not_bypass_a_new_sign_in(page: Page, app: App) -> None:
    page.goto(f"{app.issuer}/me")
    sign_in(page)
    page.goto(app.authorization_url(prompt="login"))
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    page.go_back()
    page.go_forward()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


@pytest.mark.requirement("PG08")
def test_pages_of_a_registered_app_are_accessible_small_and_as_pictured(page: Page, app: App, axe: str) -> None:
    inspector = PageInspector(page, axe)
    page.goto(app.authorization_url(response_mode="form_post", state="form_post"))
    inspector.inspect("sign in")
    assert_as_pictured(page, "sign-in")
    sign_in(page, "wrong")
    expect(page.get_by_role("alert")).to_be_visible()
    inspector.inspect("wrong password")
    sign_in(page)
    expect(page.get_by_role("heading", name="Allow access?")).to_be_visible()
    inspector.inspect("consent")
    assert_as_pictured(page, "consent")
    # The script would submit the form.
    page.route("**/pages/pages.*.js", lambda route: route.abort())
    page.get_by_role("button", name="Allow", exact=True).click()
    expect(page.get_by_role("button", name="Continue")).to_be_visible()
    inspector.inspect("form post")
    inspector.assert_flawless()


@pytest.mark.requirement("PG08")
def test_account_pages_are_accessible_and_small(page: Page, app: App, axe: str) -> None:
    inspector = PageInspector(page, axe)
    page.goto(f"{app.issuer}/me")
    sign_in(page)
    expect(page.get_by_role("heading", name="Your account")).to_be_visible()
    inspector.inspect("account")
    page.get_by_role("link", name="Edit profile").click()
    page.get_by_label("Website").fill("http://a.example")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_label("Website")).to_be_focused()
    inspector.inspect("profile")
    page.goto(f"{app.issuer}/me")
    page.get_by_role("link", name="Change password").click()
    expect(page.get_by_label("New password", exact=True)).to_be_visible()
    inspector.inspect("password")
    page.goto(f"{app.issuer}/me")
    page.get_by_role("button", name="Sign out", exact=True).first.click()
    expect(page.get_by_role("heading", name="You are signed out")).to_be_visible()
    inspector.inspect("signed out")
    inspector.assert_flawless()


@pytest.mark.requirement("PG08", "RR06", "RR14")
def test_unknown_app_is_as_pictured_and_gets_its_error_after_a_click(page: Page, app: App, axe: str) -> None:
    inspector, before = PageInspector(page, axe), len(app.site.received)
    page.goto(app.authorization_url(client_id="unknown"))
    inspector.inspect("error")
    page.goto(app.authorization_url(client_id=app.site.document["client_id"], prompt="none"))
    expect(page.get_by_role("link", name="Continue")).to_be_visible()
    inspector.inspect("error of an app with a metadata document")
    assert len(app.site.received) == before
    page.get_by_role("link", name="Continue").click()
    expect(page.get_by_role("heading", name="At home")).to_be_visible()
    assert app.answer["error"] == "login_required"
    page.goto(app.authorization_url(client_id=app.site.document["client_id"]))
    sign_in(page)
    expect(page.get_by_text("Nobody has checked this app")).to_be_visible()
    inspector.inspect("consent")
    assert_as_pictured(page, "consent-to-an-unknown-app")
    inspector.assert_flawless()


def test_demo_app_shows_the_tokens_of_the_signed_in_user(page: Page, tmp_path: Path) -> None:
    """Start at the address that `jeton serve --demo` prints."""
    with server_process(tmp_path, f"sqlite:///{tmp_path}/jeton.db", "--demo") as server:
        (url,) = re.findall(r"Open (\S+) in a browser", server.log)
        (password,) = re.findall(r"demo +password +(\S+)", server.log)
        page.goto(url)
        sign_in(page, password, "demo")
        page.get_by_role("button", name="Allow", exact=True).click()
        expect(page.get_by_text("You are signed in. The demo app received:")).to_be_visible()
        expect(page.get_by_text('"refresh_token": "jrt_')).to_be_visible()
