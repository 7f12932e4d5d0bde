"""Metadata documents are fetched from public addresses only, over TLS, from the address that was checked."""

import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from jeton.oauth.clients import Client
from jeton.outbound.client import OutboundClient
from support.browsing import Browser, browser
from support.in_process_server import App, Running, StartServer
from support.metadata_documents import document
from support.remote_server import RemoteRequest, remote_server, response
from support.tls_certificates import tls_contexts

pytestmark = pytest.mark.requirement("CI08")


def resolve_to(monkeypatch: pytest.MonkeyPatch, addresses: Sequence[str], **options: Any) -> None:
    """Let every host name resolve to these addresses."""

    async def resolve(_: str, __: int) -> Sequence[str]:
        return addresses

    monkeypatch.setattr("jeton.bootstrap.clients.OutboundClient", partial(OutboundClient, resolve=resolve, **options))


async def reason_of(node: Running, client_id: str) -> str:
    """Return the logged reason for which there is no document; empty if the client is known."""
    async with browser(node) as visitor:
        with capture_logs() as lines:
            await visitor.authorize(App(Client(client_id, True, 0)), scope="openid")
        return reason_in(visitor, lines)


def reason_in(visitor: Browser, lines: Sequence[Any]) -> str:
    if visitor.path == "/sign-in":
        return ""
    assert visitor.page.status_code == 400
    assert "could not be identified" in visitor.page.text
    return str(next(it["detail"] for it in lines if it["event"] == "page_refused"))


@pytest.mark.parametrize("addresses", [["10.1.2.3"], ["198.41.0.4", "127.0.0.1"], []])
async def test_host_with_an_address_that_is_not_public_is_refused(
    start: StartServer, monkeypatch: pytest.MonkeyPatch, addresses: list[str]
) -> None:
    """All classes of addresses are tested in unit/test_outbound_*.py."""
    resolve_to(monkeypatch, addresses)
    node = await start()
    assert await reason_of(node, "https://app.example/client.json") == "address_not_allowed"


async def test_address_in_the_url_itself_is_refused(start: StartServer) -> None:
    assert await reason_of(await start(), "https://169.254.169.254/client.json") == "address_not_allowed"


@pytest.mark.parametrize(
    ("certified", "reason"), [("app.example", ""), ("other.example", "tls_failed")], ids=["right", "of another host"]
)
async def test_document_is_read_over_tls_that_proves_the_host(
    start: StartServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, certified: str, reason: str
) -> None:
    tls_server, tls_client = tls_contexts(tmp_path, certified)

    async def respond(request: RemoteRequest) -> bytes:
        url = f"https://{request.headers['host']}{request.line.split()[1]}"
        return response("200 OK", json.dumps(document(url)).encode(), "Content-Type: application/json")

    async with remote_server(respond, tls_server) as server:
        resolve_to(monkeypatch, ["127.0.0.1"], tls_context=lambda: tls_client)
        node = await start(REGISTRATION__ALLOW_PRIVATE_ADDRESSES="true")
        assert await reason_of(node, f"https://app.example:{server.port}/client.json") == reason
        assert [it.headers["accept"] for it in server.requests] == ([] if reason else ["application/json"])


@pytest.mark.requirement("CI02", "CI09")
@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        pytest.param(response("302 Found", b"", "Location: https://app.example/"), "status_not_200", id="redirect"),
        pytest.param(
            response("200 OK", b" " * 5121, "Content-Type: application/json"), "too_large", id="more than 5 kB"
        ),
    ],
)
async def test_redirects_are_not_followed_and_size_is_limited(start: StartServer, answer: bytes, reason: str) -> None:
    async with remote_server(answer) as server:
        node = await start(REGISTRATION__ALLOW_PRIVATE_ADDRESSES="true")
        assert await reason_of(node, f"http://127.0.0.1:{server.port}/client.json") == reason
        assert len(server.requests) == 1
