"""Programs that nobody registered, by their metadata documents: both SDKs of MCP, and the document of Claude Code."""

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
from mcp.client.auth import OAuthClientProvider
from mcp.shared.auth import AuthorizationCodeResult, OAuthClientInformationFull, OAuthClientMetadata, OAuthToken
from pydantic import AnyUrl

from interop.live_server import Live
from interop.node_scripts import number_of_tests, run_script
from support.authorization_codes import CHALLENGE, VERIFIER
from support.cli_runner import CommandLine
from support.document_server import served_document
from support.person import Person
from support.protected_resource import ProtectedResource
from support.server_processes import ServerProcess, environment, free_port

# As it is at https://claude.ai/oauth/claude-code-client-metadata.
CLAUDE_CODE: Final = {
    "client_name": "Claude Code",
    "client_uri": "https://claude.ai",
    "redirect_uris": ["http://localhost/callback", "http://127.0.0.1/callback"],
    "grant_types": ["authorization_code", "refresh_token"],
    "response_types": ["code"],
    "token_endpoint_auth_method": "none",
}


@dataclass(frozen=True, slots=True)
class Unregistered:
    """A live server without clients, and the URL of a document."""

    live: Live
    client_id: str
    commands: CommandLine


@pytest.fixture(scope="module")
def unregistered(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Unregistered]:
    """As an operator who lets clients that nobody registered use one resource."""
    folder = tmp_path_factory.mktemp("unregistered")
    with served_document(folder, CLAUDE_CODE) as (client_id, authority):
        allowed = environment(f"sqlite:///{folder}/jeton.db", REGISTRATION__ALLOW_PRIVATE_ADDRESSES="true")
        server = ServerProcess(free_port(), folder, {**allowed, "SSL_CERT_FILE": str(authority)})
        commands = CommandLine(server.environment)
        user = commands.json("user", "add", "alice", "--generate-password")
        resource = ProtectedResource(free_port(), server.url, ("read", "write"))
        commands.json("resource", "add", resource.url, "--open", "--scope", "read", "--scope", "write")
        person = Person(server.url, "alice", user["password"])
        with server.serving(), resource.serving(), person.serving() as person_url:
            live = Live(server, user["sub"], user["password"], {}, "", resource, person_url, key={})
            yield Unregistered(live, client_id, commands)


class Storage:
    """What an app keeps."""

    def __init__(self) -> None:
        self.client: OAuthClientInformationFull | None = None
        self.tokens: OAuthToken | None = None

    async def get_tokens(self) -> OAuthToken | None:
        return self.tokens

    async def set_tokens(self, tokens: OAuthToken) -> None:
        self.tokens = tokens

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        return self.client

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        self.client = client_info


@pytest.mark.requirement("CI14", "MC17")
async def test_python_sdk_of_mcp_gets_a_token_without_being_registered(unregistered: Unregistered) -> None:
    live, url, storage, answers = unregistered.live, unregistered.client_id, Storage(), list[str]()

    async def redirect(to: str) -> None:
        answers.append(await live.person.authorize(to))

    async def callback() -> AuthorizationCodeResult:
        query = parse_qs(urlsplit(answers[-1]).query)
        return AuthorizationCodeResult(code=query["code"][0], state=query["state"][0], iss=query["iss"][0])

    metadata = OAuthClientMetadata(redirect_uris=[AnyUrl(f"http://localhost:{free_port()}/callback")])
    provider = OAuthClientProvider(live.resource.url, metadata, storage, redirect, callback, client_metadata_url=url)
    async with httpx2.AsyncClient(auth=provider) as http:
        answer = await http.get(live.resource.url)

    assert answer.status_code == 200, answer.text
    assert (answer.json()["aud"], answer.json()["client_id"]) == (live.resource.url, url)
    assert storage.tokens is not None
    assert storage.tokens.refresh_token is not None


@pytest.mark.requirement("CI14")
def test_typescript_sdk_of_mcp_gets_a_token_without_being_registered(
    unregistered: Unregistered, tmp_path: Path, node_modules: Path
) -> None:
    script = "mcp-sdk-unregistered.mjs"
    facts = json.dumps(unregistered.live.facts | {"document": unregistered.client_id})
    passed, output = run_script(tmp_path, node_modules, script, JETON_LIVE=facts)
    assert passed >= number_of_tests(script), output


@pytest.mark.requirement("CI16", "RA08", "NA07")
async def test_document_of_claude_code_works_on_every_port(unregistered: Unregistered) -> None:
    live, client_id = unregistered.live, unregistered.client_id
    for host in ("localhost", "127.0.0.1"):
        redirect_uri = f"http://{host}:{random.randint(1024, 65535)}/callback"
        request = {
            "response_type": "code",
            "client_id": client_id,
            "redirect_uri": redirect_uri,
            "state": "s",
            "code_challenge": CHALLENGE,
            "code_challenge_method": "S256",
            "resource": live.resource.url,
        }
        answer = await live.person.authorize(str(httpx2.URL(live.authorization_endpoint, params=request)))
        assert answer.startswith(redirect_uri)
        form = {
            "grant_type": "authorization_code",
            "code": parse_qs(urlsplit(answer).query)["code"][0],
            "redirect_uri": redirect_uri,
            "client_id": client_id,
            "code_verifier": VERIFIER,
            "resource": live.resource.url,
        }
        async with httpx2.AsyncClient() as http:
            tokens = (await http.post(live.token_endpoint, data=form)).json()
            headers = {"Authorization": f"Bearer {tokens['access_token']}"}
            assert (await http.get(live.resource.url, headers=headers)).status_code == 200
            refresh = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"], "client_id": client_id}
            assert (await http.post(live.token_endpoint, data=refresh)).status_code == 200
    listed = {it["client_id"]: it for it in unregistered.commands.json("client", "list")}
    found = listed[client_id]
    assert (found["registration"], found["name"], found["consents"]) == ("metadata_document", "Claude Code", 1)


def test_start_warns_of_documents_on_private_addresses(unregistered: Unregistered) -> None:
    assert "registration.allow_private_addresses lets anybody" in unregistered.live.server.log
