"""The header policy of pages and redirects, and whether a form comes from a page of ours."""

import pytest

from jeton.endpoints.cookies import Cookie
from jeton.endpoints.page_messages import Page, Redirect
from jeton.http.page_responses import PageResponses, form_action
from jeton.http.page_router import is_from_own_page
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
def test_form_may_lead_to_the_redirect_uri() -> None:
    sources = {
        None: "'self'",
        "https://app.example/cb?x=1": "'self' https://app.example",
        "http://127.0.0.1:7777/cb": "'self' http://127.0.0.1:7777",
        "http://[::1]:7777/cb": "'self' http:",
        "com.example.app:/cb": "'self' com.example.app:",
    }

    assert {it: form_action(it) for it in sources} == sources


@pytest.mark.requirement("B09", "SE04", "O11", "BB19")
def test_cookie_is_for_this_host_and_out_of_reach_for_scripts() -> None:
    for name, secure in (("__Host-name", "; Secure"), ("name", "")):
        rendered = render(Redirect("/", (Cookie(name, "value", 5),)), ISSUER)
        assert headers(rendered)["set-cookie"] == f"{name}=value; Path=/; HttpOnly; SameSite=Lax{secure}; Max-Age=5"


@pytest.mark.requirement("SE05")
def test_fetch_metadata_tell_whether_a_form_is_ours() -> None:
    ours: list[dict[bytes, str]] = [
        *({}, {b"origin": "null"}, {b"origin": ISSUER}),
        {b"sec-fetch-site": "same-origin", b"origin": "null"},
    ]
    others: list[dict[bytes, str]] = [
        *({b"origin": it} for it in ("https://evil.example", "https://id.example.com.evil.example")),
        {b"sec-fetch-site": "same-site", b"origin": ISSUER},
        *({b"sec-fetch-site": it} for it in ("cross-site", "none")),
    ]

    assert [it for it in ours + others if is_from_own_page(it, ISSUER)] == ours
