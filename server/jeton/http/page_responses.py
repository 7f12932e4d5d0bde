"""Rendering of pages and redirects, with the header policy of each kind in one place (ASVS 5 chapter 3)."""

from collections.abc import Iterator
from http import HTTPStatus
from typing import Final
from urllib.parse import urlsplit

from jeton.endpoints.cookies import set_cookie
from jeton.endpoints.page_messages import Page, PageAnswer, Redirect
from jeton.frozen import Frozen
from jeton.http.responses import Header, Rendered
from jeton.pages.rendering import PageRenderer

_NOT_STORED: Final[tuple[Header, ...]] = ((b"cache-control", b"no-store"), (b"pragma", b"no-cache"))
# Without "cookies": that would sign people out of the sites of the neighbouring hosts, too.
_CLEAR_SITE_DATA: Final[Header] = (b"clear-site-data", b'"cache", "storage"')
_PERMISSIONS: Final = ", ".join(
    (
        *(f"{it}=()" for it in ("camera", "display-capture", "geolocation", "microphone", "midi", "payment", "usb")),
        *(f"publickey-credentials-{it}=(self)" for it in ("create", "get")),
    )
)
_PAGE_HEADERS: Final[tuple[Header, ...]] = (
    *_NOT_STORED,
    (b"content-type", b"text/html; charset=utf-8"),
    (b"vary", b"Accept-Language, Cookie"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", _PERMISSIONS.encode()),
)
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action {}; base-uri 'none'; frame-ancestors 'none'"
)


class PageResponses(Frozen):
    """Renders the answers of page endpoints."""

    renderer: PageRenderer

    def render(self, answer: PageAnswer, accept_language: str) -> Rendered:
        """Return the response to a browser that prefers these languages."""
        if isinstance(answer, Redirect):
            headers: tuple[Header, ...] = (*_NOT_STORED, (b"location", answer.location.encode("latin-1")))
            return Rendered(HTTPStatus.SEE_OTHER, (*headers, *self._common(answer)))
        language, body = self.renderer.render(answer.content, answer.ui_locales, accept_language)
        policy = _POLICY.format(form_action(answer.form_target))
        headers = (
            *_PAGE_HEADERS,
            (b"content-language", language.encode()),
            (b"content-security-policy", policy.encode()),
        )
        retry = () if answer.retry_after is None else ((b"retry-after", b"%d" % answer.retry_after),)
        return Rendered(answer.status, (*headers, *retry, *self._common(answer)), body)

    def _common(self, answer: Page | Redirect) -> Iterator[Header]:
        for cookie in answer.cookies:
            yield b"set-cookie", set_cookie(cookie).encode()
        if answer.clears_site_data:
            yield _CLEAR_SITE_DATA


def form_action(target: str | None) -> str:
    """Return the sources of `form-action`: this server, and where a redirect after a form leads.

    Chromium applies it to all redirects that follow a form. `target` is a validated redirect URI: of an address of the
    web its origin counts, of a private scheme (RFC 8252 section 7.1) the scheme. A policy cannot name a host that is an
    IPv6 address (CSP 3 section 2.3.1): there, too, the scheme has to do.
    """
    if target is None:
        return "'self'"
    parts = urlsplit(target)
    has_origin = parts.scheme in ("http", "https") and "[" not in parts.netloc
    return f"'self' {parts.scheme}://{parts.netloc}" if has_origin else f"'self' {parts.scheme}:"
