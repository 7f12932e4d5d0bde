"""Resources: what the parameter `resource` may name (RFC 8707)."""

from dataclasses import dataclass

from jeton.oauth.scope import Scope


@dataclass(frozen=True, slots=True)
class Resource:
    """A registered resource, such as an API. Its URI is the audience of tokens for it.

    `scope` are the scopes that mean something there; if empty, every scope does. Clients that nobody registered may
    request tokens for an `open` resource.
    """

    uri: str
    name: str
    scope: Scope
    open: bool
    created_at: int
