"""A form endpoint as an ASGI application: a POST with everything in its body."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from starlette.types import Receive, Scope, Send

from jeton.background.maintenance import Maintenance
from jeton.grants.services import Services
from jeton.http.cors import allow_registered_origin, answer_options, parse_preflight
from jeton.http.dispatch import Endpoint, ask
from jeton.http.request_parsing import header_fields, read_form_request
from jeton.http.responses import Header, Rendered, render_method_not_allowed


@dataclass(frozen=True, slots=True)
class FormEndpoint:
    """`endpoint` behind HTTP; with `cross_origin`, for pages of registered origins too."""

    endpoint: Endpoint
    services: Services
    maintenance: Maintenance
    headers: Sequence[Header] = field(repr=False)
    cross_origin: bool = field(default=False, kw_only=True)

    @property
    def methods(self) -> list[str]:
        return ["POST", "OPTIONS"] if self.cross_origin else ["POST"]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = header_fields(scope)
        origin, announced = headers.get(b"origin"), self.maintenance.client_capabilities.origins
        if scope["method"] != "POST":
            await self._answer_other_method(scope, origin, announced).send(send)
            return
        reading = read_form_request(scope, headers, receive)
        rendered, origins = await ask(self.endpoint, reading, scope, self.services)
        await rendered.send(send, *self.headers, *self._cors(origin, announced if origins is None else origins))

    def _answer_other_method(self, scope: Scope, origin: str | None, registered: frozenset[str]) -> Rendered:
        if scope["method"] == "OPTIONS" and self.cross_origin:
            return answer_options(parse_preflight(scope), self.methods, registered)
        return render_method_not_allowed(self.methods).with_headers(*self._cors(origin, registered))

    def _cors(self, origin: str | None, registered: frozenset[str]) -> tuple[Header, ...]:
        return allow_registered_origin(origin, registered) if self.cross_origin else ()
