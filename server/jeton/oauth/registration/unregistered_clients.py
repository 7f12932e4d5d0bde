"""Unregistered clients: those that no administrator has registered (RFC 9700 section 4.11.2).

They are described by a metadata document, or registered themselves.
"""

from typing import Final

from jeton.frozen import replace
from jeton.oauth.authorization.authorization_request import GRANT_TYPE
from jeton.oauth.clients import ADMINISTRATOR, METADATA_DOCUMENT, Client
from jeton.oauth.registration.client_metadata import ClientMetadata
from jeton.oauth.registration.metadata_document_urls import host_name, is_document_url
from jeton.oauth.registration_ceiling import RegistrationCeiling, within_ceiling
from jeton.rules.domain_policy import DomainPolicy, DomainRule

# What a document alone can say, and what an administrator may say instead.
_DESCRIBED: Final = (
    *("public", "auth_methods", "jwks", "jwks_uri", "redirect_uris", "post_logout_redirect_uris", "application_type"),
    *("backchannel_logout_uri", "backchannel_logout_session_required"),
    *("links", "id_token_alg", "require_par", "require_dpop", "metadata_digest"),
)
_CLAIMED: Final = ("name", "grant_types", "scope", "default_scope", "resources", "audience")


def is_vouched_for(client: Client, policy: DomainPolicy) -> bool:
    """Return whether an administrator knows the client: by itself, or by the domain of its metadata document.

    Any other client is unchecked: what it says of itself is marked so, and no error leads a browser to it before
    the person has seen a page of this server.
    """
    if client.registration == METADATA_DOCUMENT:
        return policy.rule_of(host_name(client.client_id)) is DomainRule.ALLOW
    return client.registration == ADMINISTRATOR


def is_described_by_document(client: Client) -> bool:
    """Return whether the redirect URIs and keys of the client are those of its metadata document.

    An administrator may add the URL of a document without redirect URIs, to give it a name, scopes and resources. Once
    it is used, its row holds what the document said.
    """
    if client.registration != ADMINISTRATOR or GRANT_TYPE not in client.grant_types:
        return client.registration == METADATA_DOCUMENT
    has_own = bool(client.redirect_uris) and client.metadata_digest is None
    return not has_own and is_document_url(client.client_id, loopback=True)


def describes_itself(client: Client) -> bool:
    """Return whether it is the client that names its keys and addresses, and not an administrator."""
    return client.registration != ADMINISTRATOR or is_described_by_document(client)


def client_of_document(
    url: str, metadata: ClientMetadata, stored: Client | None, ceiling: RegistrationCeiling, now: int
) -> Client:
    """Return the client as its document describes it. `stored` is its row, which exists after the first consent.

    It may have what its document asks for, within the ceiling. If an administrator has added it, it has what it was
    given there instead, and the name.
    """
    if stored is not None and stored.registration == ADMINISTRATOR:
        described = metadata.applied_to(stored, stored.scope)
        return replace(described, name=stored.name or metadata.name, grant_types=stored.grant_types)
    known = stored or Client(url, True, now, registration=METADATA_DOCUMENT)
    wanted = ceiling.scope if metadata.scope is None else metadata.scope
    return within_ceiling(metadata.applied_to(known, wanted), ceiling)


def client_to_store(stored: Client | None, described: Client, now: int) -> Client | None:
    """Return the row of a client as it is to be stored when a code is issued to it.

    `stored` is the row under its lock, `described` the client as it was found before. A client without a row gets one,
    unless that was deleted in between: the row of a registered client is never made here.
    """
    if not is_described_by_document(described if stored is None else stored):
        return stored
    if stored is None and described.registration == ADMINISTRATOR:
        return None
    if stored is None:
        return replace(described, created_at=now, last_used_at=now)
    names = _DESCRIBED if stored.registration == ADMINISTRATOR else (*_DESCRIBED, *_CLAIMED)
    return replace(stored, **{name: getattr(described, name) for name in names})
