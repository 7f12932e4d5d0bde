"""Which client a `client_id` stands for: one with a row, or one that its metadata document describes."""

from collections.abc import Callable

from jeton.crypto.metadata_digest import digest_described_client
from jeton.endpoints.clients.metadata_document_cache import MetadataDocuments
from jeton.frozen import Frozen, replace
from jeton.oauth.clients import METADATA_DOCUMENT, Client
from jeton.oauth.errors import temporarily_unavailable
from jeton.oauth.registration.metadata_document_urls import host_name, is_document_url
from jeton.oauth.registration.metadata_documents import MetadataDocumentError
from jeton.oauth.registration.unregistered_clients import client_of_document, is_described_by_document
from jeton.oauth.registration_ceiling import RegistrationCeiling
from jeton.oauth.sessions import Source
from jeton.rules.domain_policy import DomainPolicy, DomainRule
from jeton.storage.clock import Clock
from jeton.storage.lookups import Lookups


class ClientResolution(Frozen):
    """Finds clients. `ceiling` returns what unregistered clients may have at most.

    `documents` is None if metadata documents are switched off. With `loopback`, a document may be on this machine.
    """

    lookups: Lookups
    clock: Clock
    ceiling: Callable[[], RegistrationCeiling]
    policy: DomainPolicy
    documents: MetadataDocuments | None
    loopback: bool

    async def find(self, client_id: str, source: Source) -> Client | None:
        """Return the client of an authorization request, or None if there is none.

        A client without a row costs a fetch, which is limited by address: raise OAuthError (429) if there were too
        many. Raise MetadataDocumentError if there should be a document, and it is denied, missing or not valid.
        """
        stored = await self.lookups.client(client_id)
        if stored is not None and (stored.disabled or not is_described_by_document(stored)):
            return stored
        return await self._described(client_id, stored, source)

    def known(self, client_id: str) -> Client | None:
        """Return the client that calls this server, if that can be told without waiting."""
        stored = self.lookups.known_client(client_id)
        return None if stored is None or is_described_by_document(stored) else stored

    async def find_caller(self, client_id: str, source: Source) -> Client | None:
        """Return the client that calls this server, read again. It has a row, because a user has allowed it something.

        The document is only needed for keys that may have been replaced. Raise OAuthError (503) without it.
        """
        stored = await self.lookups.client(client_id, fresh=True)
        if stored is None or stored.disabled or not is_described_by_document(stored):
            return stored
        if self.documents is None or self._is_denied(client_id, stored):
            return replace(stored, disabled=True)
        if stored.public and stored.redirect_uris:
            return stored
        try:
            return await self._described(client_id, stored, source)
        except MetadataDocumentError as error:
            raise temporarily_unavailable(error.reason) from None

    async def _described(self, client_id: str, stored: Client | None, source: Source) -> Client | None:
        if self.documents is None or not is_document_url(client_id, loopback=self.loopback):
            return None
        if self._is_denied(client_id, stored):
            raise MetadataDocumentError("domain_denied")
        metadata = await self.documents.get(client_id, source, is_known=stored is not None)
        client = client_of_document(client_id, metadata, stored, self.ceiling(), self.clock.now())
        return replace(client, metadata_digest=digest_described_client(client))

    def _is_denied(self, client_id: str, stored: Client | None) -> bool:
        """Return whether the domain is denied, unless an administrator has added the very URL."""
        is_added = stored is not None and stored.registration != METADATA_DOCUMENT
        return not is_added and self.policy.rule_of(host_name(client_id)) is DomainRule.DENY
