"""The example of an MCP server, used by unregistered clients of other projects, and a registered one.

Importing the libraries takes two seconds of each process: only those that run these tests do it.
"""

import os
import subprocess
import webbrowser
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx2
import pytest
import requests
from requests_oauth2client import BearerToken, DPoPToken, OAuth2Client

from interop.live_server import Live
from interop.node_scripts import assert_script_passes
from support.cli_runner import CommandLine
from support.document_server import served_document
from support.example_processes import served_example
from support.node_packages import node_and_npm
from support.person import Person, browser_program
from support.server_processes import ServerProcess, environment, free_port

# Like that of Claude Code, but for its name: such clients listen on a port of this machine (RFC 8252 section 7.3).
_DOCUMENT: Final = {
    "client_name": "Notebook",
    "client_uri": "https://notebook.example",
    "redirect_uris": [f"http://{it}/callback" for it in ("localhost", "127.0.0.1", "localhost/oauth")],
    "token_endpoint_auth_method": "none",
    "grant_types": ["authorization_code", "refresh_token"],
    "response_types": ["code"],
}


@dataclass(frozen=True, slots=True)
class Notes:
    """The example at `url`, and the metadata document of a client.

    `browser` is the program that clients start for the person.
    """

    url: str
    document: str
    person: Person
    person_url: str
    browser: Path
    run: CommandLine
    server: ServerProcess


@pytest.fixture(scope="module")
def notes(module_sqlite_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Notes]:
    """A server that accepts unregistered clients, and the example that uses it."""
    folder = tmp_path_factory.mktemp("notes")
    url = f"http://127.0.0.1:{free_port()}/mcp"
    with served_document(folder, _DOCUMENT) as (document, authority):
        unregistered = {"REGISTRATION__DYNAMIC": "open", "REGISTRATION__ALLOW_PRIVATE_ADDRESSES": "true"}
        settings = environment(module_sqlite_url, **unregistered)
        server = ServerProcess(free_port(), folder, settings | {"SSL_CERT_FILE": str(authority)})
        run = CommandLine(server.environment)
        user = run.json("user", "add", "bea", "--generate-password")
        run.json("resource", "add", url, "--name", "Notes", "--scope", "notes", "--open")
        person = Person(server.url, "bea", user["password"])
        variables = {"ISSUER": server.url, "RESOURCE": url}
        with (
            server.serving(),
            person.serving() as person_url,
            served_example(folder, "mcp-server/server", url, variables),
        ):
            yield Notes(url, document, person, person_url, browser_program(folder, person_url), run, server)


# One client of each kind, connected to the example: as that of the metadata document at this URL, if there is one.
Connect = Callable[[Notes, str | None, Path], AbstractAsyncContextManager[Any]]


@asynccontextmanager
async def by_python_sdk(notes: Notes, document: str | None, _: Path) -> AsyncIterator[Any]:
    from mcp import Client
    from mcp.client.streamable_http import streamable_http_client

    from interop.mcp_clients import Storage, provider_of

    auth = provider_of(notes.url, notes.person, Storage(), document)
    async with (
        httpx2.AsyncClient(auth=auth) as http,
        Client(streamable_http_client(notes.url, http_client=http)) as client,
    ):
        yield client


@asynccontextmanager
async def by_fastmcp(notes: Notes, document: str | None, _: Path) -> AsyncIterator[Any]:
    import fastmcp
    from fastmcp.client.auth import OAuth

    async with fastmcp.Client(notes.url, auth=OAuth(client_metadata_url=document)) as client:
        yield client


@asynccontextmanager
async def by_mcp_remote(notes: Notes, document: str | None, folder: Path) -> AsyncIterator[Any]:
    """Yield a client through mcp-remote, which connects stdio clients to remote MCP servers."""
    from mcp import Client, StdioServerParameters

    node, _ = node_and_npm()
    program = [str(folder / "node_modules" / "mcp-remote" / "dist" / "proxy.js"), notes.url]
    if document is not None:
        program += ["--client-metadata-url", document]
    variables = {"MCP_REMOTE_CONFIG_DIR": str(folder), "BROWSER": str(notes.browser), "PATH": os.environ["PATH"]}
    async with Client(StdioServerParameters(command=node, args=program, env=variables)) as client:
        yield client


@pytest.mark.parametrize("how", ["document", "registration"])
@pytest.mark.parametrize("connect", [by_python_sdk, by_fastmcp, by_mcp_remote])
@pytest.mark.filterwarnings("ignore:Using in-memory token storage")
@pytest.mark.requirement("CI14", "CI16", "MC04", "MC06", "MC10", "MC17", "NA07", "RA08")
async def test_unregistered_client_signs_a_person_in_and_calls_a_tool(
    notes: Notes, how: str, connect: Connect, node_modules: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "node_modules").symlink_to(node_modules)
    monkeypatch.setattr(webbrowser, "open", lambda url: subprocess.run([notes.browser, url], check=True))
    before = {it["client_id"] for it in notes.run.json("client", "list")}

    async with connect(notes, notes.document if how == "document" else None, tmp_path) as client:
        await client.call_tool("add_note", {"text": "water the plants"})
        result = await client.call_tool("list_notes", {})

    assert "water the plants" in str(result.content)
    after = {it["client_id"]: it["registration"] for it in notes.run.json("client", "list")}
    if how == "document":
        assert after[notes.document] == "metadata_document"
    else:
        assert [after[it] for it in after.keys() - before] == ["dynamic"]
    assert "registration.allow_private_addresses lets anyone" in notes.server.log


@pytest.mark.requirement("MC05", "MC06", "MC13", "RA07", "RA08", "RR03", "CO12")
async def test_registered_client_gets_a_token_for_the_resource_that_asked_for_one(live: Live) -> None:
    from interop.mcp_clients import Storage, provider_of

    storage = Storage("mcp")

    async with httpx2.AsyncClient(auth=provider_of(live.resource.url, live.person, storage)) as http:
        answer = await http.get(live.resource.url)

    assert answer.status_code == 200, answer.text
    claims = answer.json()
    assert (claims["aud"], claims["client_id"], claims["sub"]) == (live.resource.url, "mcp", live.sub)
    assert storage.tokens is not None
    assert storage.tokens.refresh_token is not None
    assert set((storage.tokens.scope or "").split()) == {"read", "write"}


@pytest.mark.requirement("MC04", "MC06", "MC10")
def test_typescript_sdk_calls_a_tool_without_registration(notes: Notes, node_modules: Path, tmp_path: Path) -> None:
    facts = {"resource": notes.url, "document": notes.document, "person_url": notes.person_url}
    assert_script_passes(tmp_path, node_modules, "mcp-unregistered.mjs", facts)


@pytest.mark.requirement("DP05", "DP11")
def test_token_that_is_bound_to_a_key_needs_a_proof_for_each_request(notes: Notes) -> None:
    own = ("--grant", "client_credentials", "--scope", "notes", "--audience", notes.url, "--require-dpop")
    added = notes.run.json("client", "add", "bound", *own)
    credentials = (added["client_id"], added["client_secret"])
    issuer = notes.person.issuer
    client = OAuth2Client(f"{issuer}/oauth/token", credentials, dpop_bound_access_tokens=True, testing=True)
    token = client.client_credentials()
    assert isinstance(token, DPoPToken)
    hello = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "bound", "version": "1"}}
    message: Any = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": hello}

    def send(auth: requests.auth.AuthBase | None, headers: dict[str, str]) -> requests.Response:
        accepted = {"Accept": "application/json, text/event-stream", **headers}
        return requests.post(notes.url, json=message, headers=accepted, auth=auth, timeout=10)

    admitted = [send(token, {}) for _ in range(2)]
    proven = {name: str(admitted[0].request.headers[name]) for name in ("Authorization", "DPoP")}
    refused = [send(None, proven), send(None, proven | {"DPoP": "x"}), send(BearerToken(token.access_token), {})]

    assert [it.status_code for it in admitted] == [200, 200]
    codes = [it.json()["error"] for it in refused]
    assert codes == ["invalid_dpop_proof", "invalid_dpop_proof", "invalid_token"]
