"""A live server and its accounts, for tests of libraries."""

from dataclasses import dataclass, field
from typing import Any, Final

from support.person import Person
from support.protected_resource import ProtectedResource
from support.server_processes import ServerProcess

AUDIENCE: Final = "https://orders.example"
CALLBACK: Final = "https://app.example/callback"


@dataclass(frozen=True, slots=True)
class Live:
    """A server with three confidential apps, public ones, and a service.

    `secrets` are those of `web-basic`, `web-post` and `orders-api`, `key` is the private JWK of `web-key`. `origin` is
    that of the pages of `docs`, `resource` that of `mcp`. `person_url` signs people in for programs in other languages.
    """

    server: ServerProcess
    sub: str
    password: str = field(repr=False)
    secrets: dict[str, str] = field(repr=False)
    origin: str
    resource: ProtectedResource
    person_url: str
    key: dict[str, Any] = field(repr=False)
    username: str = "alice"

    @property
    def issuer(self) -> str:
        return self.server.url

    @property
    def person(self) -> Person:
        """The user with a browser."""
        return Person(self.issuer, self.username, self.password)

    @property
    def authorization_endpoint(self) -> str:
        return f"{self.issuer}/oauth/authorize"

    @property
    def token_endpoint(self) -> str:
        return f"{self.issuer}/oauth/token"

    @property
    def introspection_endpoint(self) -> str:
        return f"{self.issuer}/oauth/introspect"

    @property
    def jwks_uri(self) -> str:
        return f"{self.issuer}/.well-known/jwks.json"

    @property
    def facts(self) -> dict[str, Any]:
        """The parameters of the server for programs in other languages."""
        names = ("issuer", "username", "password", "sub", "secrets", "origin", "person_url", "key")
        more = {"audience": AUDIENCE, "callback": CALLBACK, "resource": self.resource.url}
        return {name: getattr(self, name) for name in names} | more
