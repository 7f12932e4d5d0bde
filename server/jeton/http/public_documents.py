"""The public documents of a server: metadata (RFC 8414, RFC 9728), key set (RFC 7517), status lists and OpenAPI."""

from collections.abc import Callable, Mapping, Sequence
from functools import cache, lru_cache
from importlib.metadata import version
from typing import Final

from starlette.types import ASGIApp

from jeton.endpoints.messages import Document
from jeton.endpoints.status_lists import StatusLists
from jeton.frozen import Frozen
from jeton.grants.description import Grant
from jeton.http.cacheable_documents import DocumentEndpoint, NumberedDocumentEndpoint, json_document
from jeton.http.openapi.document import openapi_document
from jeton.keys.keyring import Keyring, KeySet
from jeton.oauth.discovery import SignInCapabilities
from jeton.oauth.metadata import JWKS_PATH, METADATA_PATHS, STATUS_LISTS_PATH, server_metadata
from jeton.oauth.protected_resource import PROTECTED_RESOURCE_PATH, protected_resource_metadata
from jeton.storage.clock import Clock

_MAX_AGE_SECONDS: Final = 300


class Announced(Frozen):
    """What the metadata announce. The functions return what holds now.

    `grant_types` are those that some client may use, `open_resources` the resources besides this server's own API.
    `tls_methods` are the methods of client authentication by certificate that can be used, `registration` says whether
    programs can register themselves.
    """

    grant_types: Callable[[], frozenset[str]]
    sign_in: Callable[[], SignInCapabilities]
    open_resources: Callable[[], tuple[str, ...]]
    tls_methods: tuple[str, ...]
    registration: bool


def public_documents(
    issuer: str,
    name: str,
    grants: Sequence[Grant],
    announced: Announced,
    keyring: Keyring,
    clock: Clock,
    status_lists: StatusLists | None,
) -> Mapping[str, ASGIApp]:
    """Return the endpoints by path. `name` is what people know the server as."""
    metadata = _server_metadata(issuer, grants, announced, status_lists=status_lists is not None)
    return {
        **dict.fromkeys(METADATA_PATHS, metadata),
        PROTECTED_RESOURCE_PATH: _protected_resource(issuer, name, announced),
        JWKS_PATH: _key_set(keyring, clock),
        "/openapi.json": _openapi(issuer, grants, registration=announced.registration),
        **({} if status_lists is None else _status_lists(status_lists)),
    }


def _server_metadata(issuer: str, grants: Sequence[Grant], announced: Announced, *, status_lists: bool) -> ASGIApp:
    @lru_cache(maxsize=1)
    def document(used: frozenset[str], sign_in: SignInCapabilities, resources: tuple[str, ...]) -> Document:
        members = server_metadata(
            issuer,
            announced_grant_types(grants, used),
            sign_in,
            announced.tls_methods,
            status_lists=status_lists,
            registration=announced.registration,
            protected_resources=(issuer, *resources),
        )
        return json_document(members, _MAX_AGE_SECONDS)

    return DocumentEndpoint(lambda: document(announced.grant_types(), announced.sign_in(), announced.open_resources()))


def _protected_resource(issuer: str, name: str, announced: Announced) -> ASGIApp:
    @lru_cache(maxsize=1)
    def document(scope: frozenset[str]) -> Document:
        return json_document(protected_resource_metadata(issuer, name, scope), _MAX_AGE_SECONDS)

    return DocumentEndpoint(lambda: document(announced.sign_in().scope))


def announced_grant_types(grants: Sequence[Grant], used: frozenset[str]) -> set[str]:
    """Return the grant types that the metadata names (RFC 9700 section 2.4 on those that few clients may use)."""
    return {it.name for it in grants if not it.announced_on_use or it.name in used}


def _openapi(issuer: str, grants: Sequence[Grant], *, registration: bool) -> ASGIApp:
    """Built at the first request for it: most servers never receive one."""

    @cache
    def document() -> Document:
        described = openapi_document(issuer, version("jeton"), grants, registration=registration)
        return json_document(described, _MAX_AGE_SECONDS)

    return DocumentEndpoint(document)


def _key_set(keyring: Keyring, clock: Clock) -> ASGIApp:
    # Once a second, and whenever the keys or the age that their copy may have change.
    @lru_cache(maxsize=1)
    def document(key_set: KeySet, now: int, _seconds_since_read: int) -> Document:
        return Document(key_set.document, key_set.etag, keyring.max_age(now), "application/jwk-set+json")

    return DocumentEndpoint(lambda: document(keyring.key_set, clock.now(), int(keyring.seconds_since_read)))


def _status_lists(lists: StatusLists) -> Mapping[str, ASGIApp]:
    async def find(number: str) -> Document | None:
        found = await lists.signed(number)
        if found is None:
            return None
        return Document(found.token, found.etag, lists.ttl_seconds, "application/statuslist+jwt")

    aggregation = DocumentEndpoint(lambda: json_document(lists.aggregation(), _MAX_AGE_SECONDS))
    return {STATUS_LISTS_PATH: aggregation, STATUS_LISTS_PATH + "/{number}": NumberedDocumentEndpoint(find)}
