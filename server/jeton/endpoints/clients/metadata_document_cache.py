"""Metadata documents of clients: fetched once at a time, limited before that, and kept in memory for a while."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final, TypeAlias

import structlog

from jeton.frozen import Frozen
from jeton.grants.memory_limits import MemoryLimits
from jeton.oauth.registration.client_metadata import ClientMetadata
from jeton.oauth.registration.metadata_documents import (
    FAILURE_SECONDS,
    MetadataDocumentError,
    cache_seconds,
    parse_document,
)
from jeton.oauth.sessions import Source
from jeton.observability.metrics import DOCUMENT_FETCHES
from jeton.outbound.messages import OutboundError, OutboundResponse
from jeton.rules.network_prefix import network_prefix
from jeton.rules.rate_limit_policies import Rate
from jeton.storage.clock import Clock

MAX_DOCUMENTS: Final = 1000

# Returns the response to a GET. Raises OutboundError if there is none.
Fetch: TypeAlias = Callable[[str], Awaitable[OutboundResponse]]

log = structlog.get_logger("jeton.metadata_documents")


class DocumentLimits(Frozen):
    """How many documents this process fetches for clients without a row: per address, and altogether; None: any."""

    per_address: Rate | None = None
    altogether: Rate | None = None


class _Fetched(Frozen):
    """What came of a fetch, until when it may be used, in seconds since the epoch."""

    outcome: ClientMetadata | MetadataDocumentError
    expires_at: int


class MetadataDocuments:
    """Documents by URL. Nothing of this is stored: other processes, and this one after a restart, fetch again."""

    def __init__(self, fetch_known: Fetch, fetch_new: Fetch, limits: DocumentLimits, clock: Clock) -> None:
        """`fetch_known` fetches for clients with a row: it must not have to wait for `fetch_new`."""
        self._fetch_known = fetch_known
        self._fetch_new = fetch_new
        self._limits = limits
        self._clock = clock
        self._kept: dict[str, _Fetched] = {}
        self._fetching: dict[str, asyncio.Task[_Fetched]] = {}
        self._counted = MemoryLimits(clock)

    async def get(self, url: str, source: Source, *, is_known: bool) -> ClientMetadata:
        """Return what the document says. Raise MetadataDocumentError if there is none that is valid.

        `is_known` is whether the client has a row. If not, raise OAuthError (429) if too many documents have been
        fetched for the address, or altogether.
        """
        kept = self._kept.get(url)
        if kept is None or kept.expires_at <= self._clock.now():
            kept = await self._shared_fetch(url, source, is_known=is_known)
        if isinstance(kept.outcome, MetadataDocumentError):
            raise kept.outcome
        return kept.outcome

    async def _shared_fetch(self, url: str, source: Source, *, is_known: bool) -> _Fetched:
        """Fetch the document, or wait for the request that does so. The first one counts."""
        task = self._fetching.get(url)
        if task is None:
            if not is_known:
                self._count(source)
            task = asyncio.create_task(self._fetch(url, self._fetch_known if is_known else self._fetch_new))
            self._fetching[url] = task
            task.add_done_callback(lambda _: self._fetching.pop(url))
        # The others may still wait for it.
        return await asyncio.shield(task)

    async def _fetch(self, url: str, fetch: Fetch) -> _Fetched:
        began, outcome = time.perf_counter(), "no_response"
        try:
            response = await fetch(url)
            outcome = "invalid"
            metadata = parse_document(url, response.status, response.headers, response.body)
            outcome = "fetched"
        except (OutboundError, MetadataDocumentError) as error:
            log.warning("metadata_document_refused", url=url, reason=error.reason)
            return self._keep(url, MetadataDocumentError(error.reason), FAILURE_SECONDS)
        finally:
            DOCUMENT_FETCHES.labels(outcome).observe(time.perf_counter() - began)
        seconds = cache_seconds(response.headers)
        log.info("metadata_document_fetched", url=url, seconds=seconds)
        return self._keep(url, metadata, seconds)

    def _keep(self, url: str, outcome: ClientMetadata | MetadataDocumentError, seconds: int) -> _Fetched:
        now = self._clock.now()
        if len(self._kept) >= MAX_DOCUMENTS:
            self._kept = {at: it for at, it in self._kept.items() if it.expires_at > now}
        if len(self._kept) >= MAX_DOCUMENTS:
            # The one that was fetched first.
            del self._kept[next(iter(self._kept))]
        fetched = _Fetched(outcome, now + seconds)
        self._kept.pop(url, None)
        self._kept[url] = fetched
        return fetched

    def _count(self, source: Source) -> None:
        """Count one fetch. Raise OAuthError if there were too many; then none is counted."""
        of_address = ("address", network_prefix(source.ip)), self._limits.per_address
        self._counted.count("metadata_documents_throttled", of_address, (("server",), self._limits.altogether))
