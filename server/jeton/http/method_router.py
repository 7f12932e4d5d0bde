"""One path as an ASGI application: its operations by method, for pages of registered origins too."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from starlette.types import Receive, Scope, Send

from jeton.endpoints.messages import Endpoint, FormRequest
from jeton.frozen import Frozen
from jeton.http.cors import allow_registered_origin, answer_options, parse_preflight
from jeton.http.dispatch import dispatch
from jeton.http.request_parsing import header_fields, read_form_request
from jeton.http.responses import Header, Rendered, render_method_not_allowed
from jeton.oauth.clients import ADMINISTRATOR, Client

Read = Callable[[Scope, Mapping[bytes, str], Receive], Awaitable[FormRequest]]
Origins = Callable[[], frozenset[str] | None]
CookieOrigins = Callable[[], frozenset[str]]


class Operation(Frozen):
    """An endpoint, and how its requests are read."""

    endpoint: Endpoint[Any]
    read: Read = read_form_request


class MethodRouter(Frozen):
    """Operations by method.

    `origins` returns the origins whose pages may use them, or None if pages of all may; without it no page may.
    `cookie_origins` returns those whose pages may send cookies; without it none may. `dpop_nonce` returns the nonce of
    the next DPoP proof, which every answer carries (RFC 9449 section 8.2), or None if none is demanded.
    """

    operations: Mapping[str, Operation]
    origins: Origins | None = None
    cookie_origins: CookieOrigins | None = None
    dpop_nonce: Callable[[], str | None] = lambda: None

    @property
    def methods(self) -> list[str]:
        head = ("HEAD",) if "GET" in self.operations else ()
        return [*self.operations, *head, *(("OPTIONS",) if self.origins is not None else ())]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers, method = header_fields(scope), scope["method"]
        origin = headers.get(b"origin")
        operation = self.operations.get("GET" if method == "HEAD" else method)
        if operation is None:
            await self._answer_other_method(scope, origin).send(send)
            return
        reading = operation.read(scope, headers, receive)
        rendered, client = await dispatch(operation.endpoint, reading, scope)
        await rendered.send(send, *self._cors(origin, client), *self._dpop_nonce())

    def _dpop_nonce(self) -> tuple[Header, ...]:
        nonce = self.dpop_nonce()
        return () if nonce is None else ((b"dpop-nonce", nonce.encode()),)

    def _answer_other_method(self, scope: Scope, origin: str | None) -> Rendered:
        if scope["method"] == "OPTIONS" and self.origins is not None:
            with_cookies = self.cookie_origins() if self.cookie_origins is not None else ()
            return answer_options(parse_preflight(scope), self.methods, self.origins(), with_cookies)
        return render_method_not_allowed(self.methods).with_headers(*self._cors(origin, None))

    def _cors(self, origin: str | None, client: Client | None) -> tuple[Header, ...]:
        """Return the headers for pages of the client's origins; while no client is known, of all that may use this.

        An unregistered client has no origins of its own: it may be a page of any.
        """
        if self.origins is None:
            return ()
        if client is None or client.registration != ADMINISTRATOR:
            return allow_registered_origin(origin, self.origins(), self.cookie_origins() if self.cookie_origins else ())
        if self.cookie_origins is None:
            return allow_registered_origin(origin, client.origins)
        return allow_registered_origin(origin, client.origins, client.origins if client.refresh_cookie else ())
