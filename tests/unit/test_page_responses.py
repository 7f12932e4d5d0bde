"""The header policy of pages and redirects, and whether a form comes from a page of ours."""

import pytest

from jeton.endpoints.cookies import Cookie
from jeton.endpoints.page_messages import Page, Redirect
from jeton.http.page_resource import is_from_own_page
from jeton.http.page_responses import PageResponses, form_action
from jeton.http.responses import Rendered
from jeton.pages.branding import Branding
from jeton.pages.content import SignedOut
from jeton.pages.rendering import PageRenderer

ISSUER = "https://id.example.com"


def render(answer: Page | Redirect, issuer: str = ISSUER) -> Rendered:
    return PageResponses(PageRenderer(issuer, Branding())).render(answer, "de")


def headers(rendered: Rendered) -> dict[str, str]:
    return {name.decode(): value.decode() for name, value in rendered.headers}


@pytest.mark.requirement("PG01", "PG02", "PG05", "RR09", "RR15")
def test_page_has_the_policy_of_pages() -> None:
    found = headers(render(Page(SignedOut())))
    expected = {
        "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
        "x-frame-options": "DENY",
        "cache-control": "no-store",
        "cross-origin-opener-policy": "same-origin",
        "content-language": "de",
    }
    assert expected.items() <= found.items()
    assert "publickey-credentials-get=(self)" in found["permissions-policy"]


@pytest.mark.requirement("RR01", "RR09")
def test_redirect_is_a_303_that_is_not_stored() -> None:
    rendered = render(Redirect("https://app.example/?code=1"))
    assert rendered.status == 303
    assert rendered.body == b""
    assert headers(rendered)["cache-control"] == "no-store"


@pytest.mark.requirement("RR14")
@pytest.mark.parametrize(
    ("target", "sources"),
    [
        (None, "'self'"),
        ("https://app.example/cb?x=1", "'self' https://app.example"),
        ("http://127.0.0.1:7777/cb", "'self' http://127.0.0.1:7777"),
        ("http://[::1]:7777/cb", "'self' http:"),
        ("com.example.app:/cb", "'self' com.example.app:"),
    ],
)
def test_form_may_lead_to_the_redirect_uri(target: str | None, sources: str) -> None:
    assert form_action(target) == sources


@pytest.mark.requirement("B09", "SE04", "O11", "BB19")
@pytest.mark.parametrize(
    ("name", "attributes"),
    [
        ("__Host-name", "Path=/; HttpOnly; SameSite=Lax; Secure; Max-Age=5"),
        ("name", "Path=/; HttpOnly; SameSite=Lax; Max-Age=5"),
    ],
)
def test_cookie_is_for_this_host_and_out_of_reach_for_scripts(name: str, attributes: str) -> None:
    rendered = render(Redirect("/", (Cookie(name, "value", 5),)), ISSUER)
    assert headers(rendered)["set-cookie"] == f"{name}=value; {attributes}"


@pytest.mark.requirement("SE05")
@pytest.mark.parametrize(
    ("sent", "own"),
    [
        ({}, True),
        ({b"origin": "null"}, True),
        ({b"origin": ISSUER}, True),
        ({b"origin": "https://evil.example"}, False),
        ({b"origin": "https://id.example.com.evil.example"}, False),
        ({b"sec-fetch-site": "same-origin", b"origin": "null"}, True),
        ({b"sec-fetch-site": "same-site", b"origin": ISSUER}, False),
        ({b"sec-fetch-site": "cross-site"}, False),
        ({b"sec-fetch-site": "none"}, False),
    ],
)
def test_browser_says_whether_a_form_is_ours(sent: dict[bytes, str], own: bool) -> None:
    assert is_from_own_page(sent, ISSUER) is own
