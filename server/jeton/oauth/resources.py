"""Resources: what the parameter `resource` may name, and what tokens for it are good for (RFC 8707)."""

import re
from collections.abc import Iterable, Sequence
from typing import Final

from jeton.frozen import Frozen
from jeton.oauth.clients import Client
from jeton.oauth.errors import ErrorCode, OAuthError
from jeton.oauth.scope import Scope

MAX_CHARACTERS: Final = 512
# An absolute URI (RFC 3986 section 4.3), without a fragment.
_URI: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:([A-Za-z0-9._~:/?\[\]@!$&'()*+,;=-]|%[0-9A-Fa-f]{2})+")
_ROOT: Final = re.compile(r"([a-z][a-z0-9+.-]*://[^/?]+)/")
# Scopes of OpenID Connect (Core sections 5.4 and 11) concern this server, also if a token is for others.
OPENID_SCOPES: Final[Scope] = frozenset({"openid", "profile", "email", "address", "phone", "offline_access"})


class Resource(Frozen):
    """A registered resource, such as an API. Its URI is the audience of tokens for it.

    `scope` are the scopes that mean something there; if empty, every scope does. Unregistered clients may
    request tokens for an `open` resource.
    """

    uri: str
    name: str
    scope: Scope = frozenset()
    open: bool = False
    created_at: int = 0


def resource_rejection_reason(uri: str) -> str | None:
    """Return why no resource can have this URI, or None if one can."""
    if len(uri) > MAX_CHARACTERS:
        return f"the URI of a resource has at most {MAX_CHARACTERS} characters"
    if "#" in uri or not _URI.fullmatch(uri):
        return f"{uri} is not an absolute URI without a fragment (RFC 8707 2)"
    return None


def canonical_uri(uri: str) -> str:
    """Return the URI without the slash that is its whole path: clients add or drop it. No other spelling is equal."""
    root = _ROOT.fullmatch(uri)
    return uri if root is None else root[1]


def select_resources(requested: Sequence[str], allowed: Iterable[Resource]) -> tuple[Resource, ...]:
    """Return the requested resources, each once. Raise OAuthError (invalid_target) if one of them is not allowed."""
    by_uri = {canonical_uri(it.uri): it for it in allowed}
    found = [by_uri.get(canonical_uri(it)) for it in requested]
    if None in found:
        raise OAuthError(ErrorCode.INVALID_TARGET, "resource_unknown_or_not_allowed")
    return tuple(dict.fromkeys(it for it in found if it is not None))


def uris_of(resources: Iterable[Resource]) -> tuple[str, ...]:
    """Return the URIs of resources, which are the audience of tokens for them."""
    return tuple(it.uri for it in resources)


def asked_uris(resources: Iterable[Resource] | None) -> tuple[str, ...] | None:
    """Return the URIs of the resources that a request names, as a family keeps them; None if it names none."""
    return None if resources is None else uris_of(resources)


def resources_if_omitted(client: Client, allowed: Sequence[Resource]) -> tuple[Resource, ...]:
    """Return the resource of a request that names none: the client's only one, unless it has an audience of its own."""
    return tuple(allowed) if len(allowed) == 1 and not client.audience else ()


def names_default_target(
    requested: Sequence[str], client: Client, allowed: Sequence[Resource], default_audience: str, issuer: str
) -> bool:
    """Return whether a request names this server's own API alone (RFC 9728), and without `resource` would be for it."""
    if [canonical_uri(it) for it in requested] != [canonical_uri(issuer)] or resources_if_omitted(client, allowed):
        return False
    return (client.audience or (default_audience,)) == (issuer,)


def applicable_scope(scope: Scope, resources: Sequence[Resource]) -> Scope:
    """Return the part of the scope that means something at these resources (RFC 8707 section 2.2)."""
    if not resources or not all(it.scope for it in resources):
        return scope
    return scope & OPENID_SCOPES.union(*(it.scope for it in resources))
