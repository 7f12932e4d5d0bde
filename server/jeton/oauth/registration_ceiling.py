"""What unregistered clients may request at most."""

from collections.abc import Iterable
from typing import Final

from jeton.frozen import Frozen, replace
from jeton.oauth.clients import ADMINISTRATOR, Client
from jeton.oauth.resources import OPENID_SCOPES, Resource, uris_of
from jeton.oauth.scope import Scope

# Beside the scopes of open resources: who the person is, and access while they are away. What reaches the person
# elsewhere (e-mail address, telephone, postal address) is for clients that an administrator knows.
_SIGN_IN_SCOPES: Final[Scope] = frozenset({"openid", "profile", "offline_access"})


class RegistrationCeiling(Frozen):
    """The scope that such clients may request, and the resources: the open ones.

    `audience` is that of tokens for no resource, which is empty if there is one resource that stands for all.
    """

    scope: Scope = frozenset()
    resources: tuple[Resource, ...] = ()
    audience: tuple[str, ...] = ()

    @property
    def default_scope(self) -> Scope:
        """The scope of requests that name none."""
        return self.scope - OPENID_SCOPES


def registration_ceiling(configured: Scope, resources: Iterable[Resource], issuer: str) -> RegistrationCeiling:
    """Return the ceiling. `configured` is the setting `registration.scopes`.

    If that is empty, the scopes are those of signing in and of the open resources. Without a resource a token is for
    this server itself, and not for the audience that other clients have by default: resources are opened one by one.
    """
    opened = tuple(it for it in resources if it.open)
    scope = configured or _SIGN_IN_SCOPES.union(*(it.scope for it in opened))
    return RegistrationCeiling(scope, opened, () if len(opened) == 1 else (issuer,))


def within_ceiling(client: Client, ceiling: RegistrationCeiling) -> Client:
    """Return the client with the scope and the resources that it may request now."""
    if client.registration == ADMINISTRATOR:
        return client
    return replace(
        client,
        scope=client.scope & ceiling.scope,
        default_scope=client.scope & ceiling.default_scope,
        resources=uris_of(ceiling.resources),
        audience=ceiling.audience,
    )


def scope_without_resource(client: Client, scope: Scope) -> Scope:
    """Return the part of the scope that a request may have without a resource: of such clients, that of signing in."""
    return scope if client.registration == ADMINISTRATOR else scope & OPENID_SCOPES
