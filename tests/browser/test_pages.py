"""The pages in Chromium: the whole login flow, by keyboard, without scripts, and against hostile pages."""

import os
from collections.abc import Callable
from typing import Final

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from browser.sites import USERNAME, App, Site, add_app
from support.checkout import ROOT
from support.in_process_server import PASSWORD

PICTURES: Final = ROOT / "docs" / "pages"


def sign_in(page: Page, password: str = PASSWORD) -> None:
    page.get_by_label("User name").fill(USERNAME)
    page.get_by_label("Password", exact=True).fill(password)
    page.get_by_role("button", name="Sign in", exact=True).click()


def allow(page: Page) -> None:
    page.get_by_role("button", name="Allow", exact=True).click()
    expect(page.get_by_role("heading", name="At home")).to_be_visible()


@pytest.mark.requirement("RR14", "RR08")
def test_login_flow_ends_where_the_callback_redirects_to(context: BrowserContext, app: App) -> None:
    page = context.new_page()
    hosts = set()
    page.on("request", lambda it: hosts.add(it.url.split("/")[2]))
    page.goto(app.authorization_url())
    assert hosts == {app.issuer.removeprefix("http://")}
    sign_in(page)
    allow(page)
    assert page.url == f"{app.site.other}/home"
    assert app.answer.keys() == {"code", "state", "iss"}


@pytest.mark.requirement("RR06", "RR14")
def test_unknown_app_gets_its_error_after_the_person_continues(context: BrowserContext, app: App) -> None:
    page = context.new_page()
    before = len(app.site.received)
    _on_error_of_an_unknown_app(page, app)
    assert len(app.site.received) == before
    page.get_by_role("link", name="Continue").click()
    expect(page.get_by_role("heading", name="At home")).to_be_visible()
    assert app.answer["error"] == "login_required"


@pytest.mark.requirement("PG09")
def test_login_flow_works_without_scripts(context: BrowserContext, app: App) -> None:
    browser = context.browser
    assert browser is not None
    with browser.new_context(java_script_enabled=False) as plain:
        page = plain.new_page()
        page.goto(app.authorization_url())
        sign_in(page)
        allow(page)
        page.goto(app.authorization_url(response_mode="form_post", state="form_post"))
        page.get_by_role("button", name="Allow", exact=True).click()
        page.get_by_role("button", name="Continue").click()
        expect(page.get_by_role("heading", name="At home")).to_be_visible()


@pytest.mark.requirement("RR11")
def test_form_post_is_submitted_by_the_script(context: BrowserContext, app: App) -> None:
    page = context.new_page()
    page.goto(app.authorization_url(response_mode="form_post", state="form_post"))
    sign_in(page)
    allow(page)
    assert app.answer["state"] == "form_post"
    assert "code" in app.answer


@pytest.mark.requirement("RR11", "RR14")
def test_form_post_reaches_an_app_on_an_ipv6_address(context: BrowserContext, app: App) -> None:
    with Site("::1") as site:
        native = add_app(app.database_url, app.issuer, site, "native")
        page = context.new_page()
        page.goto(native.authorization_url(response_mode="form_post", state="form_post"))
        sign_in(page)
        allow(page)
        assert "code" in native.answer


@pytest.mark.requirement("PG08")
def test_login_flow_works_by_keyboard(context: BrowserContext, app: App) -> None:
    page = context.new_page()
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
def test_password_can_be_shown_and_is_hidden_again_when_sent(context: BrowserContext, app: App) -> None:
    page = context.new_page()
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


@pytest.mark.requirement("RR15", "I17")
def test_page_in_a_frame_is_not_shown(context: BrowserContext, app: App) -> None:
    app.site.pages["/frame"] = f'<iframe src="{app.authorization_url().replace("&", "&amp;")}"></iframe>'
    page = context.new_page()
    page.goto(f"{app.site.other}/frame")
    page.wait_for_load_state("networkidle")
    assert all(app.issuer not in frame.url for frame in page.frames[1:])


@pytest.mark.requirement("SE05", "RA22")
def test_form_that_another_site_posts_is_refused(context: BrowserContext, app: App) -> None:
    page = context.new_page()
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
def test_sign_in_that_another_browser_began_cannot_be_finished(context: BrowserContext, app: App) -> None:
    attacker = context.new_page()
    attacker.goto(app.authorization_url())
    browser = context.browser
    assert browser is not None
    with browser.new_context(locale="en") as victim:
        page = victim.new_page()
        page.goto(attacker.url)
        expect(page.get_by_text("started in another browser")).to_be_visible()


@pytest.mark.requirement("OI04")
def test_going_back_does_not_bypass_a_new_sign_in(context: BrowserContext, app: App) -> None:
    page = context.new_page()
    page.goto(f"{app.issuer}/me")
    sign_in(page)
    page.goto(app.authorization_url(prompt="login"))
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    page.go_back()
    page.go_forward()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


@pytest.mark.requirement("CN06")
def test_going_back_after_the_decision_is_harmless(context: BrowserContext, app: App) -> None:
    page = context.new_page()
    page.goto(app.authorization_url())
    sign_in(page)
    allow(page)
    page.go_back()
    expect(page.get_by_role("heading", name="Allow access?")).to_be_visible()
    allow(page)
    assert "code" in app.answer


SignInFirst = Callable[[Page, App], None]


def _on_sign_in(page: Page, app: App) -> None:
    page.goto(app.authorization_url())


def _on_wrong_password(page: Page, app: App) -> None:
    page.goto(app.authorization_url())
    sign_in(page, "wrong")
    expect(page.get_by_role("alert")).to_be_visible()


def _on_consent(page: Page, app: App) -> None:
    page.goto(app.authorization_url())
    sign_in(page)
    expect(page.get_by_role("heading", name="Allow access?")).to_be_visible()


def _on_consent_to_an_unknown_app(page: Page, app: App) -> None:
    page.goto(app.authorization_url(client_id=app.site.document["client_id"]))
    sign_in(page)
    expect(page.get_by_text("Nobody has checked this app")).to_be_visible()


def _on_error_of_an_unknown_app(page: Page, app: App) -> None:
    page.goto(app.authorization_url(client_id=app.site.document["client_id"], prompt="none"))
    expect(page.get_by_role("link", name="Continue")).to_be_visible()


def _on_form_post(page: Page, app: App) -> None:
    page.route("**/pages/pages.*.js", lambda route: route.abort())
    page.goto(app.authorization_url(response_mode="form_post", state="form_post"))
    sign_in(page)
    page.get_by_role("button", name="Allow", exact=True).click()
    expect(page.get_by_role("button", name="Continue")).to_be_visible()


def _on_error(page: Page, app: App) -> None:
    page.goto(app.authorization_url(client_id="unknown"))


def _on_account(page: Page, app: App) -> None:
    page.goto(app.authorization_url())
    sign_in(page)
    allow(page)
    page.goto(f"{app.issuer}/me")
    expect(page.get_by_role("heading", name="Your account")).to_be_visible()


def _on_password(page: Page, app: App) -> None:
    _on_account(page, app)
    page.get_by_role("link", name="Change password").click()


def _on_profile(page: Page, app: App) -> None:
    _on_account(page, app)
    page.get_by_role("link", name="Edit profile").click()
    page.get_by_label("Website").fill("http://a.example")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_label("Website")).to_be_focused()


def _on_signed_out(page: Page, app: App) -> None:
    _on_account(page, app)
    page.get_by_role("button", name="Sign out", exact=True).first.click()
    expect(page.get_by_role("heading", name="You are signed out")).to_be_visible()


@pytest.mark.requirement("PG08")
@pytest.mark.parametrize(
    "arrive",
    [
        *(_on_sign_in, _on_wrong_password, _on_consent, _on_form_post, _on_error),
        *(_on_account, _on_profile, _on_password, _on_signed_out),
        *(_on_consent_to_an_unknown_app, _on_error_of_an_unknown_app),
    ],
)
def test_page_is_accessible_fits_a_phone_and_is_small(
    context: BrowserContext, app: App, axe: str, arrive: SignInFirst
) -> None:
    page = context.new_page()
    page.set_viewport_size({"width": 320, "height": 640})
    arrive(page, app)
    # A content security policy that lets only our own files run cannot be told to let this one.
    session = context.new_cdp_session(page)
    session.send("Runtime.evaluate", {"expression": axe})
    run = {"expression": "axe.run().then(it => JSON.stringify(it.violations))", "awaitPromise": True}
    page.emulate_media(color_scheme="light")
    in_light = session.send("Runtime.evaluate", run)["result"]["value"]
    page.emulate_media(color_scheme="dark")
    in_dark = session.send("Runtime.evaluate", run)["result"]["value"]
    assert (in_light, in_dark) == ("[]", "[]")
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    assert len(page.content()) < 50_000
    assert page.evaluate("performance.getEntriesByType('resource').filter(it => it.name.endsWith('.css')).length") == 1


@pytest.mark.parametrize("arrive", [_on_sign_in, _on_consent, _on_consent_to_an_unknown_app])
def test_picture_in_the_documentation_has_the_size_of_the_page(
    chromium: Browser, app: App, arrive: SignInFirst
) -> None:
    file = PICTURES / f"{arrive.__name__.removeprefix('_on_').replace('_', '-')}.png"
    # As wide as a phone, and sharp on a screen with two pixels in place of one.
    with chromium.new_context(
        locale="en", viewport={"width": 390, "height": 520}, device_scale_factor=2, color_scheme="light"
    ) as context:
        page = context.new_page()
        arrive(page, app)
        taken = page.screenshot(full_page=True)
    if "TAKE_PICTURES" in os.environ:
        file.write_bytes(taken)
    assert _png_size(taken) == _png_size(file.read_bytes()), "`make pictures` takes new pictures"


def _png_size(image: bytes) -> bytes:
    """Return width and height as they are encoded (PNG specification, section 11.2.1)."""
    return image[16:24]
