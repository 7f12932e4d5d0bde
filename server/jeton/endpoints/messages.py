"""What an endpoint receives, what it is, and the kinds of its answers."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from jeton.oauth.clients import Client
from jeton.oauth.sessions import Source


@dataclass(frozen=True, slots=True)
class FormRequest:
    """A well-formed form request, of which nothing is verified yet.

    `parameters` holds each parameter that may be sent once, `lists` the values of those that may be repeated; none is
    empty.
    """

    parameters: Mapping[str, str] = field(repr=False)
    authorization: str | None = field(default=None, repr=False)
    idempotency_key: str | None = field(default=None, repr=False)
    source: Source = Source()
    lists: Mapping[str, Sequence[str]] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Json:
    """A JSON object for the caller alone."""

    content: Mapping[str, Any] = field(repr=False)
    status: int = 200


@dataclass(frozen=True, slots=True)
class Empty:
    """An answer without a body."""

    status: int = 204


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
Answer = Json | Empty | Document | NotModified


class Caller(Protocol):
    """An authenticated caller: a client, or a user through a client."""

    @property
    def client(self) -> Client: ...


C = TypeVar("C", bound=Caller)


class Endpoint(Protocol[C]):
    """Authenticates the caller first, so that a refusal by `handle` can be logged for and shown to that caller."""

    @property
    def authenticate(self) -> Callable[[FormRequest], Awaitable[C]]: ...

    async def handle(self, request: FormRequest, caller: C) -> Answer: ...
