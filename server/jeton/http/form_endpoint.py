"""A form endpoint as an ASGI application: a POST with everything in its body."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from starlette.types import Receive, Scope, Send

from jeton.endpoints.upkeep import Upkeep
from jeton.grants.services import Services
from jeton.http.answers import Header
from jeton.http.asking import Endpoint, ask
from jeton.http.cors import allow_origin, answer_preflight
from jeton.http.reading import header_fields, read_form_request


@dataclass(frozen=True, slots=True)
class FormEndpoint:
    """`endpoint` behind HTTP; with `cross_origin`, for pages of registered origins too."""

    endpoint: Endpoint
    services: Services
    upkeep: Upkeep
    headers: Sequence[Header] = field(repr=False)
    cross_origin: bool = field(default=False, kw_only=True)

    @property
    def methods(self) -> list[str]:
        return ["POST", "OPTIONS"] if self.cross_origin else ["POST"]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = header_fields(scope)
        origin, announced = headers.get(b"origin"), self.upkeep.announced.origins
        if scope["method"] == "OPTIONS":
            await answer_preflight(origin, announced, self.methods).send(send)
            return
        reading = read_form_request(scope, headers, receive)
        rendered, origins = await ask(self.endpoint, reading, scope, self.services)
        cross_origin = allow_origin(origin, announced if origins is None else origins) if self.cross_origin else ()
        await rendered.send(send, *self.headers, *cross_origin)
