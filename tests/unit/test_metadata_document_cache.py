"""Metadata documents are fetched once at a time, limited before that, and kept in memory."""

import asyncio
from collections.abc import Sequence
from typing import Final

import pytest

from jeton.endpoints.clients import metadata_document_cache
from jeton.endpoints.clients.metadata_document_cache import DocumentLimits, MetadataDocuments
from jeton.oauth.errors import OAuthError
from jeton.oauth.registration.metadata_documents import MetadataDocumentError
from jeton.oauth.sessions import Source
from jeton.rules.rate_limit_policies import Rate
from support.in_process_server import ManualClock
from support.metadata_documents import CALLBACK, Web
from support.metrics import value_of

URL: Final = "https://app.example/client.json"
HERE: Final = Source("192.0.2.1")


@pytest.fixture
def web() -> Web:
    """A web that serves the document of the URL."""
    web = Web()
    web.publish(URL)
    return web


def documents(web: Web, *, per_address: int = 100, altogether: int = 100) -> tuple[MetadataDocuments, ManualClock]:
    clock = ManualClock()
    return MetadataDocuments(
        web.get, web.get, DocumentLimits(Rate(per_address, 3600), Rate(altogether, 3600)), clock
    ), clock


async def outcomes(
    cache: MetadataDocuments, urls: Sequence[str], source: Source = HERE, *, is_known: bool = False
) -> str:
    """Return one letter per URL: d for a document, i for an invalid one, l for a reached limit."""
    found = ""
    for url in urls:
        try:
            await cache.get(url, source, is_known=is_known)
            found += "d"
        except MetadataDocumentError:
            found += "i"
        except OAuthError as error:
            found += "l" if error.status == 429 else "?"
    return found


@pytest.mark.requirement("CI07")
async def test_document_is_kept_as_long_as_its_server_says(web: Web) -> None:
    cache, clock = documents(web)
    for seconds, requests in ((0, 1), (599, 1), (1, 2)):
        clock.advance(seconds)
        assert await outcomes(cache, [URL]) == "d"
        assert len(web.requests) == requests


@pytest.mark.requirement("CI07")
async def test_failure_is_kept_for_a_minute_and_replaces_a_document_that_is_too_old(web: Web) -> None:
    cache, clock = documents(web)
    await outcomes(cache, [URL])
    web.remove(URL)
    clock.advance(600)
    assert await outcomes(cache, [URL, URL]) == "ii"
    web.publish(URL)
    clock.advance(59)
    assert await outcomes(cache, [URL]) == "i"
    clock.advance(1)
    assert await outcomes(cache, [URL]) == "d"
    assert len(web.requests) == 3


@pytest.mark.requirement("ME06")
async def test_each_fetch_is_counted_by_its_outcome_and_a_kept_document_is_not(web: Web) -> None:
    def counts() -> list[float]:
        name = "jeton_metadata_document_fetch_duration_seconds_count"
        return [value_of(name, outcome=it) for it in ("fetched", "invalid", "no_response")]

    before = counts()
    web.publish(f"{URL}?invalid", client_id="https://other.example/client.json")
    cache, _ = documents(web)
    assert await outcomes(cache, [URL, URL, f"{URL}?invalid", f"{URL}?nowhere"]) == "ddii"
    assert [after - count for after, count in zip(counts(), before, strict=True)] == [1, 1, 1]


@pytest.mark.requirement("CI09")
async def test_requests_at_the_same_time_share_one_fetch_that_outlives_the_first(web: Web) -> None:
    web.answers.clear()
    cache, _ = documents(web, altogether=1)
    first, *others = (asyncio.create_task(cache.get(URL, HERE, is_known=False)) for _ in range(20))
    while not web.requests:
        await asyncio.sleep(0)
    first.cancel()
    web.answers.set()
    assert {it.redirect_uris for it in await asyncio.gather(*others)} == {(CALLBACK,)}
    assert web.requests == [URL]


@pytest.mark.requirement("CI09")
async def test_fetches_are_limited_by_address_and_altogether_before_they_are_made(web: Web) -> None:
    cache, clock = documents(web, per_address=2, altogether=3)
    urls = [web.publish(f"https://app.example/{number}") for number in range(10)]
    assert await outcomes(cache, urls[:4]) == "ddll"
    assert await outcomes(cache, urls[:2]) == "dd", "kept documents are not limited"
    assert await outcomes(cache, urls[4:6], Source("192.0.2.2")) == "dl"
    assert await outcomes(cache, urls[6:7], is_known=True) == "d", "nor those of clients with a row"
    assert len(web.requests) == 4
    clock.advance(3600)
    assert await outcomes(cache, urls[4:7], Source("192.0.2.2")) == "ddl"


@pytest.mark.requirement("CI15")
async def test_number_of_kept_documents_is_bounded(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metadata_document_cache, "MAX_DOCUMENTS", 3)
    cache, clock = documents(web)
    urls = [web.publish(f"https://app.example/{number}") for number in range(5)]
    await outcomes(cache, urls)
    assert await outcomes(cache, urls[2:]) == "ddd"
    assert len(web.requests) == 5, "the newest are kept"
    clock.advance(600)
    await outcomes(cache, urls)
    assert len(web.requests) == 10
