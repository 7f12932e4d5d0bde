"""One path of the pages as an ASGI application: strict requests, and an error page for every failure."""

import asyncio
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

import structlog
from starlette.types import Receive, Scope, Send

from jeton.endpoints.cookies import parse_cookies
from jeton.endpoints.page_messages import Page, PageAnswer, PageEndpoint, PageError, PageRequest, RedirectError
from jeton.frozen import Frozen, replace
from jeton.http.dispatch import DEADLINE_SECONDS, UNAVAILABLE, route_of
from jeton.http.form_parsing import MAX_BYTES, parse_form
from jeton.http.page_responses import PageResponses
from jeton.http.request_parsing import address_of, header_fields, read_form_request, source_of
from jeton.oauth.audit_events import SERVER, AuditEvent
from jeton.oauth.errors import OAuthError
from jeton.observability.metrics import count_refusal
from jeton.observability.origin import current_origin
from jeton.pages.content import ErrorPage, Fault
from jeton.rules.network_prefix import network_prefix
from jeton.storage.audit_backlog import AuditBacklog

_ERROR_PAGE: Final = "error_page"

log = structlog.get_logger("jeton.pages")


class PageRouter(Frozen):
    """The endpoints of one path by method."""

    endpoints: Mapping[str, PageEndpoint]
    responses: PageResponses
    backlog: AuditBacklog

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = header_fields(scope)
        answer = await self._answer(scope, headers, receive)
        await self.responses.render(answer, headers.get(b"accept-language", "")).send(send, *self._allow(answer))

    def _allow(self, answer: PageAnswer) -> tuple[tuple[bytes, bytes], ...]:
        is_refused = isinstance(answer, Page) and answer.status == 405
        return ((b"allow", ", ".join(self.endpoints).encode()),) if is_refused else ()

    async def _answer(self, scope: Scope, headers: Mapping[bytes, str], receive: Receive) -> PageAnswer:
        """Return what the endpoint answers, or an error page."""
        try:
            endpoint = self.endpoints.get(scope["method"])
            if endpoint is None:
                raise PageError(Fault.METHOD, "method_not_allowed", status=405)
            request = await self._read(scope, headers, receive)
            async with asyncio.timeout(DEADLINE_SECONDS):
                return await endpoint.handle(request)
        except RedirectError as error:
            return error.redirect
        except PageError as error:
            return self._refuse(scope, error)
        except OAuthError as error:
            fault, retry_after = _fault_of(error), error.retry_after
            return self._refuse(
                scope,
                PageError(fault, error.reason, status=error.status, retry_after=retry_after, about=error.about),
            )
        except UNAVAILABLE as error:
            count_refusal(_ERROR_PAGE, type(error).__name__)
            self._record(scope, "request_failed", type(error).__name__)
            reason = {"reason": type(error).__name__, "detail": str(error)}
            return replace(_failed(scope, Fault.UNAVAILABLE, 503, "temporarily_unavailable", reason), retry_after=1)
        except Exception:
            log.exception("server_error", path=route_of(scope))
            count_refusal(_ERROR_PAGE, "unexpected")
            self._record(scope, "request_failed", "unexpected")
            return _error_page(Fault.FAILED, 500)

    async def _read(self, scope: Scope, headers: Mapping[bytes, str], receive: Receive) -> PageRequest:
        """Return the request. Raise OAuthError if it is malformed or too large."""
        if scope["method"] == "POST":
            sent = await read_form_request(scope, headers, receive)
            parameters, lists = sent.parameters, sent.lists
        else:
            if len(scope["query_string"]) > MAX_BYTES:
                raise PageError(Fault.MALFORMED, "query_too_long", status=414)
            parameters, lists = parse_form(scope["query_string"])
        return PageRequest(
            scope["method"],
            parameters,
            lists,
            parse_cookies(headers.get(b"cookie", "")),
            source_of(scope, headers),
            is_from_own_page(headers, self.responses.renderer.issuer),
            headers.get(b"sec-fetch-mode") == "navigate",
        )

    def _refuse(self, scope: Scope, error: PageError) -> Page:
        """Return the error page. Its reference finds the refusal in the log and in the audit trail."""
        count_refusal(_ERROR_PAGE, error.reason)
        self._record(scope, "request_refused", error.reason)
        about = {"reason": error.reason, "ip": address_of(scope), **error.about}
        page = _failed(scope, error.fault, error.status, "page_refused", about)
        return replace(page, retry_after=error.retry_after)

    def _record(self, scope: Scope, event: str, reason: str) -> None:
        self.backlog.add(AuditEvent(event, reason, SERVER, succeeded=False), network_prefix(address_of(scope)))


def is_from_own_page(headers: Mapping[bytes, str], issuer: str) -> bool:
    """Return False if the browser says that another site sent the request.

    Our pages have no referrer, so the `Origin` of their forms is `null` (Fetch section 3.2): without `Sec-Fetch-Site`
    that says nothing, and the sealed value in the form and the cookie have to prove where it comes from.
    """
    site = headers.get(b"sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    parts = urlsplit(issuer)
    return headers.get(b"origin", "null") in ("null", f"{parts.scheme}://{parts.netloc}")


def _fault_of(error: OAuthError) -> Fault:
    if error.status == 429:
        return Fault.TOO_MANY_REQUESTS
    return Fault.UNAVAILABLE if error.status == 503 else Fault.MALFORMED


def _failed(scope: Scope, fault: Fault, status: int, event: str, about: Mapping[str, str | int | None]) -> Page:
    """Return the error page, and log why."""
    log.warning(event, path=route_of(scope), **about)
    return _error_page(fault, status)


def _error_page(fault: Fault, status: int) -> Page:
    """Return the error page. Its reference is the identifier of the request."""
    return Page(ErrorPage(fault, current_origin.get().request_id or ""), status)
