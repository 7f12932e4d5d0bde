"""What clients that nobody registered may request, whatever they say of themselves."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from jeton.oauth.clients import Client
from jeton.oauth.resources import Resource, uris_of
from jeton.oauth.scope import Scope


@dataclass(frozen=True, slots=True)
class RegistrationCeiling:
    """The scope that such clients may request, and the resources: the open ones."""

    scope: Scope = frozenset()
    resources: tuple[Resource, ...] = ()


def registration_ceiling(configured: Scope, resources: Iterable[Resource]) -> RegistrationCeiling:
    """Return the ceiling. `configured` is the setting `registration.scopes`; if it is empty, open resources tell."""
    opened = tuple(it for it in resources if it.open)
    return RegistrationCeiling(configured or frozenset[str]().union(*(it.scope for it in opened)), opened)


def within_ceiling(client: Client, ceiling: RegistrationCeiling) -> Client:
    """Return the client with the scope and the resources that it may request now."""
    if client.registration == "administrator":
        return client
    return replace(client, scope=client.scope & ceiling.scope, resources=uris_of(ceiling.resources))
