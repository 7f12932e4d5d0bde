"""What an endpoint receives, what it is, and the kinds of its answers."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from jeton.endpoints.cookies import Cookie, parse_cookies
from jeton.oauth.clients import Client
from jeton.oauth.cookie_mode import Initiator
from jeton.oauth.sessions import Source


@dataclass(frozen=True, slots=True)
class FormRequest:
    """A well-formed form request, of which nothing is verified yet.

    `parameters` holds each parameter that may be sent once, `lists` the values of those that may be repeated; none is
    empty. `headers` are the header fields by lower-case name. `document` is the JSON object of a body that is JSON.
    """

    parameters: Mapping[str, str] = field(repr=False)
    authorization: str | None = field(default=None, repr=False)
    idempotency_key: str | None = field(default=None, repr=False)
    source: Source = Source()
    lists: Mapping[str, Sequence[str]] = field(default_factory=dict, repr=False)
    headers: Mapping[bytes, str] = field(default_factory=dict, repr=False)
    method: str = "POST"
    document: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def cookies(self) -> Mapping[str, str]:
        """The cookies, by name."""
        return parse_cookies(self.headers.get(b"cookie", ""))

    @property
    def initiator(self) -> Initiator:
        """What a browser says of the page that sends the request."""
        fields = (b"x-jeton", b"origin", b"sec-fetch-site", b"sec-fetch-mode")
        return Initiator(*map(self.headers.get, fields))


@dataclass(frozen=True, slots=True)
class Json:
    """A JSON object for the caller alone."""

    content: Mapping[str, Any] = field(repr=False)
    status: int = 200
    cookies: tuple[Cookie, ...] = ()


@dataclass(frozen=True, slots=True)
class Empty:
    """An answer without a body."""

    status: int = 204


@dataclass(frozen=True, slots=True)
class ForwardedToken:
    """An answer to a proxy: let the request pass, with this access token or without one."""

    access_token: str | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class Document:
    """A public document that caches may keep for `max_age` seconds."""

    body: bytes = field(repr=False)
    etag: str
    max_age: int
    media_type: str = "application/json"


@dataclass(frozen=True, slots=True)
class NotModified:
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
