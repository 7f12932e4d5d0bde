"""Metadata documents come from public addresses only, without redirects, and up to a size.

Which addresses and certificates are accepted is tested in unit/test_outbound_*.py.
"""

import json

import pytest
from structlog.testing import capture_logs

from jeton.oauth.clients import Client
from support.browsing import browser
from support.in_process_server import App, Running, StartServer
from support.metadata_documents import document
from support.remote_server import RemoteRequest, remote_server, response

pytestmark = pytest.mark.requirement("CI08")


async def reason_of(node: Running, client_id: str) -> str:
    """Return the logged reason for which there is no document; empty if the client is known."""
    async with browser(node) as visitor:
        with capture_logs() as lines:
            await visitor.authorize(App(Client(client_id, True, 0)), scope="openid")
        if visitor.path == "/sign-in":
            return ""
        assert visitor.page.status_code == 400
        assert "could not be identified" in visitor.page.text
        return str(next(it["detail"] for it in lines if it["event"] == "page_refused"))


async def test_address_that_is_not_public_is_refused(start: StartServer) -> None:
    node = await start()
    for host in ("169.254.169.254", "10.1.2.3"):
        assert await reason_of(node, f"https://{host}/client.json") == "address_not_allowed"


@pytest.mark.requirement("CI02", "CI09")
async def test_document_is_read_but_no_redirect_followed_and_nothing_larger_accepted(start: StartServer) -> None:
    async def respond(request: RemoteRequest) -> bytes:
        path = request.line.split()[1]
        if path == "/redirect":
            return response("302 Found", b"", "Location: /client.json")
        valid = json.dumps(document(f"http://{request.headers['host']}{path}")).encode()
        size = 5121 if path == "/large" else 5120
        return response("200 OK", valid.ljust(size), "Content-Type: application/json")

    expected = {"/client.json": "", "/redirect": "status_not_200", "/large": "too_large"}
    async with remote_server(respond) as server:
        node = await start(REGISTRATION__ALLOW_PRIVATE_ADDRESSES="true")
        found = {it: await reason_of(node, f"http://127.0.0.1:{server.port}{it}") for it in expected}

    assert found == expected
    assert [it.headers["accept"] for it in server.requests] == ["application/json"] * 3
