"""What an endpoint receives, what it is, and the kinds of its answers."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from jeton.endpoints.cookies import Cookie, parse_cookies
from jeton.frozen import Frozen, Hidden, field
from jeton.oauth.clients import Client
from jeton.oauth.cookie_mode import Initiator
from jeton.oauth.sessions import Source


class FormRequest(Frozen):
    """A well-formed form request, of which nothing is verified yet.

    `parameters` holds each parameter that may be sent once, `lists` the values of those that may be repeated; none is
    empty. `headers` are the header fields by lower-case name. `document` is the JSON object of a body that is JSON.
    """

    parameters: Hidden[Mapping[str, str]]
    authorization: Hidden[str | None] = None
    idempotency_key: Hidden[str | None] = None
    source: Source = Source()
    lists: Hidden[Mapping[str, Sequence[str]]] = field(default_factory=dict)
    headers: Hidden[Mapping[bytes, str]] = field(default_factory=dict)
    method: str = "POST"
    document: Hidden[Mapping[str, Any]] = field(default_factory=dict)

    @property
    def cookies(self) -> Mapping[str, str]:
        """The cookies, by name."""
        return parse_cookies(self.headers.get(b"cookie", ""))

    @property
    def initiator(self) -> Initiator:
        """What a browser says of the page that sends the request."""
        fields = (b"x-jeton", b"origin", b"sec-fetch-site", b"sec-fetch-mode")
        return Initiator(*map(self.headers.get, fields))


class Json(Frozen):
    """A JSON object for the caller alone."""

    content: Hidden[Mapping[str, Any]]
    status: int = 200
    cookies: tuple[Cookie, ...] = ()


class Empty(Frozen):
    """An answer without a body."""

    status: int = 204


class ForwardedToken(Frozen):
    """An answer to a proxy: let the request pass, with this access token or without one."""

    access_token: Hidden[str | None]


class Document(Frozen):
    """A public document that caches may keep for `max_age` seconds."""

    body: Hidden[bytes]
    etag: str
    max_age: int
    media_type: str = "application/json"


class NotModified(Frozen):
    """The answer to a caller that has this document already (RFC 9110 section 15.4.5)."""

    document: Document


# What an endpoint returns. It refuses by raising OAuthError.
Answer = Json | Empty | ForwardedToken | Document | NotModified


class Caller(Protocol):
    """A caller: a client, a user through a client, or None of a program that is about to register as a client."""

    @property
    def client(self) -> Client | None: ...


C = TypeVar("C", bound=Caller)


class Endpoint(Protocol[C]):
    """Authenticates the caller first, so that a refusal by `handle` can be logged for and shown to that caller."""

    @property
    def authenticate(self) -> Callable[[FormRequest], Awaitable[C]]: ...

    async def handle(self, request: FormRequest, caller: C) -> Answer: ...
