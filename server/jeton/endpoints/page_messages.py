"""What the endpoint of a page receives, the kinds of its answers, and its refusals."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from jeton.endpoints.cookies import Cookie
from jeton.frozen import Frozen, Hidden, field
from jeton.oauth.sessions import Source
from jeton.pages.content import Fault, PageContent


class PageRequest(Frozen):
    """A well-formed request of a browser, of which nothing is verified yet.

    `parameters` come from the query of a GET, else from the form; `lists` holds those that may be repeated.
    `from_own_page` is False if the browser says that another site sent it. `navigates` says that the browser opens the
    answer as a page of its own (Fetch Metadata).
    """

    method: str
    parameters: Hidden[Mapping[str, str]]
    lists: Hidden[Mapping[str, Sequence[str]]] = field(default_factory=dict)
    cookies: Hidden[Mapping[str, str]] = field(default_factory=dict)
    source: Source = Source()
    from_own_page: bool = True
    navigates: bool = False


class Page(Frozen):
    """A page of HTML. `form_target` is the redirect URI to which a form of the page may lead, by redirects.

    `ui_locales` are the languages that the client asks for. `clears_site_data` lets the browser drop what it cached.
    `retry_after` is in seconds.
    """

    content: PageContent
    status: int = 200
    ui_locales: tuple[str, ...] = ()
    form_target: Hidden[str | None] = None
    cookies: tuple[Cookie, ...] = ()
    clears_site_data: bool = False
    retry_after: int | None = None


class Redirect(Frozen):
    """A redirect by 303 (RFC 9110 section 15.4.4): the browser follows it with GET, and never sends a form again."""

    location: Hidden[str]
    cookies: tuple[Cookie, ...] = ()
    clears_site_data: bool = False


PageAnswer = Page | Redirect


class RedirectError(Exception):
    """The request cannot be answered before the browser has followed this redirect."""

    def __init__(self, redirect: Redirect) -> None:
        super().__init__()
        self.redirect = redirect


class PageError(Exception):
    """A refusal that is shown as an error page. `reason` and `about` are for the log."""

    def __init__(
        self,
        fault: Fault,
        reason: str,
        *,
        status: int = 400,
        retry_after: int | None = None,
        about: Mapping[str, str | int | None] | None = None,
    ) -> None:
        super().__init__(reason)
        self.fault = fault
        self.reason = reason
        self.status = status
        self.retry_after = retry_after
        self.about = about or {}


class PageEndpoint(Protocol):
    """Answers requests of one path and method. Raise PageError to refuse, RedirectError to redirect."""

    async def handle(self, request: PageRequest) -> PageAnswer: ...
