"""What a service tells clients of itself (RFC 9728): its identifier, its authorization servers, scopes, and proofs."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from jeton_client.addresses import origin_of, require_secure
from jeton_client.dpop import DPoP

_WELL_KNOWN: Final = "/.well-known/oauth-protected-resource"


@dataclass(frozen=True, slots=True)
class ProtectedResource:
    """`ProtectedResource("https://api.example/mcp", ["https://id.example"], ["read", "write"])`.

    The identifier is the URL that clients know, and the audience of tokens for it. `scopes_supported` are the scopes
    that clients may ask for. With `dpop`, tokens that are bound to a key are accepted with a proof (RFC 9449).
    Raise UntrustedServerError if the identifier is neither https nor loopback, ValueError if it has a query.
    """

    identifier: str
    authorization_servers: Sequence[str]
    scopes_supported: Sequence[str] = ()
    name: str | None = None
    documentation: str | None = None
    dpop: DPoP | None = None

    def __post_init__(self) -> None:
        if require_secure(self.identifier).query:
            raise ValueError("the identifier of a resource has no query")

    @property
    def origin(self) -> str:
        return origin_of(self.identifier)

    @property
    def metadata_path(self) -> str:
        """The path of the document: the well-known one, inserted before that of the identifier (section 3.1)."""
        path = require_secure(self.identifier).path
        return _WELL_KNOWN + ("" if path == "/" else path)

    @property
    def metadata_url(self) -> str:
        return self.origin + self.metadata_path

    def metadata(self) -> dict[str, Any]:
        """Return the document (section 2). Members without a value are absent."""
        members = {
            "resource": self.identifier,
            "authorization_servers": list(self.authorization_servers),
            "scopes_supported": list(self.scopes_supported),
            "bearer_methods_supported": ["header"],
            "resource_name": self.name,
            "resource_documentation": self.documentation,
            **({} if self.dpop is None else self.dpop.metadata()),
        }
        return {name: value for name, value in members.items() if value not in (None, [], False)}
