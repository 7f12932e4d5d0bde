"""The OpenAPI 3.1 description is true: generated requests to a running server get only the answers it describes."""

from collections.abc import Iterator
from importlib.metadata import version
from typing import TYPE_CHECKING

import pytest

from jeton.bootstrap.pages import build_pages, build_renderer
from jeton.grants import GRANTS
from jeton.http.openapi.document import openapi_document
from jeton.http.openapi.page_paths import page_paths
from jeton.http.page_router import PageRouter
from support.in_process_server import ISSUER, Running, settings_for

if TYPE_CHECKING:
    from support.generated_requests import GeneratedRequests

DESCRIPTION = openapi_document("http://127.0.0.1:8000", "test", GRANTS, registration=True)
OPERATIONS = [
    f"{method.upper()} {path}"
    for path, item in DESCRIPTION["paths"].items()
    for method in item
    if method != "parameters"
]


@pytest.fixture(scope="module")
def generated(module_sqlite_url: str) -> "Iterator[GeneratedRequests]":
    # Every process of the suite collects these tests, and few run them: the generator takes a second to import.
    from support.generated_requests import generated_requests

    with generated_requests(DESCRIPTION, module_sqlite_url) as requests:
        yield requests


@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_response_matches_its_description(operation: str, generated: "GeneratedRequests") -> None:
    generated.send_all(operation)


async def test_every_page_is_described_with_its_methods(jeton: Running) -> None:
    parts = jeton.server.parts
    settings = settings_for(jeton.database.url.render_as_string(hide_password=False))
    built = build_pages(settings, parts, build_renderer(settings))
    pages = {
        path: {it.lower() for it in page.endpoints} for path, page in built.items() if isinstance(page, PageRouter)
    }

    assert {path: set(it) for path, it in page_paths().items()} == pages


async def test_description_is_served(jeton: Running) -> None:
    response = await jeton.http.get("/openapi.json")

    assert response.json() == openapi_document(ISSUER, version("jeton"), GRANTS)
