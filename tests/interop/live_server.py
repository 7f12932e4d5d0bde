"""A live server and its accounts, as tests of libraries see them."""

from dataclasses import dataclass, field
from typing import Any, Final

from support.server_processes import ServerProcess

AUDIENCE: Final = "https://orders.example"


@dataclass(frozen=True, slots=True)
class Live:
    """A server with two confidential apps, two public ones, and a service.

    `secrets` are those of `web-basic`, `web-post` and `orders-api`. `origin` is that of the pages of `docs`.
    """

    server: ServerProcess
    sub: str
    password: str = field(repr=False)
    secrets: dict[str, str] = field(repr=False)
    origin: str
    username: str = "alice"

    @property
    def issuer(self) -> str:
        return self.server.url

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
        """What programs in other languages need to know of it."""
        names = ("issuer", "username", "password", "sub", "secrets", "origin")
        return {name: getattr(self, name) for name in names} | {"audience": AUDIENCE}
