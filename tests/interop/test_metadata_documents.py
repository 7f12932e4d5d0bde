"""The metadata document of Claude Code, which nobody registered: it works on every port of this machine."""

import random
from pathlib import Path
from typing import Final
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest

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


async def signed_in(person: Person, client_id: str, redirect_uri: str, resource: str) -> dict[str, str]:
    """Let the person sign in and allow. Return the tokens."""
    common = {"client_id": client_id, "redirect_uri": redirect_uri, "resource": resource}
    proof = {"code_challenge": CHALLENGE, "code_challenge_method": "S256"}
    request = {"response_type": "code", "state": "s", **proof, **common}
    answer = await person.authorize(str(httpx2.URL(f"{person.issuer}/oauth/authorize", params=request)))
    assert answer.startswith(redirect_uri)
    code = parse_qs(urlsplit(answer).query)["code"][0]
    form = {"grant_type": "authorization_code", "code": code, "code_verifier": VERIFIER, **common}
    async with httpx2.AsyncClient() as http:
        return dict((await http.post(f"{person.issuer}/oauth/token", data=form)).json())


@pytest.mark.requirement("CI16", "RA08", "NA07")
async def test_document_of_claude_code_works_on_every_port(tmp_path: Path) -> None:
    with served_document(tmp_path, CLAUDE_CODE) as (client_id, authority):
        allowed = environment(f"sqlite:///{tmp_path}/jeton.db", REGISTRATION__ALLOW_PRIVATE_ADDRESSES="true")
        server = ServerProcess(free_port(), tmp_path, {**allowed, "SSL_CERT_FILE": str(authority)})
        run = CommandLine(server.environment).json
        person = Person(server.url, "alice", run("user", "add", "alice", "--generate-password")["password"])
        resource = ProtectedResource(free_port(), server.url, ("read", "write"))
        run("resource", "add", resource.url, "--open", "--scope", "read", "--scope", "write")
        with server.serving(), resource.serving():
            for host in ("localhost", "127.0.0.1"):
                redirect_uri = f"http://{host}:{random.randint(1024, 65535)}/callback"
                tokens = await signed_in(person, client_id, redirect_uri, resource.url)
                headers = {"Authorization": f"Bearer {tokens['access_token']}"}
                refresh = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
                async with httpx2.AsyncClient() as http:
                    assert (await http.get(resource.url, headers=headers)).status_code == 200
                    form = refresh | {"client_id": client_id}
                    assert (await http.post(f"{server.url}/oauth/token", data=form)).status_code == 200
            (found,) = run("client", "list")

    assert (found["client_id"], found["registration"], found["consents"]) == (client_id, "metadata_document", 1)
    assert found["name"] == "Claude Code"
    assert "registration.allow_private_addresses lets anybody" in server.log
