"""The Python SDK of MCP, as a client that was registered by command: from a 401 to a call with a token."""

from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
from mcp.client.auth import OAuthClientProvider
from mcp.shared.auth import AuthorizationCodeResult, OAuthClientInformationFull, OAuthClientMetadata, OAuthToken
from pydantic import AnyUrl

from interop.live_server import Live

REDIRECT_URI = AnyUrl("http://localhost:49152/callback")


class Storage:
    """What the app keeps: the client that it was configured with, and tokens."""

    def __init__(self, issuer: str) -> None:
        self.client = OAuthClientInformationFull(
            client_id="mcp", redirect_uris=[REDIRECT_URI], token_endpoint_auth_method="none"
        )
        self.issuer = issuer
        self.tokens: OAuthToken | None = None

    async def get_tokens(self) -> OAuthToken | None:
        return self.tokens

    async def set_tokens(self, tokens: OAuthToken) -> None:
        self.tokens = tokens

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        return self.client

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        self.client = client_info


def provider_of(live: Live, storage: Storage) -> OAuthClientProvider:
    answers: list[str] = []

    async def redirect(url: str) -> None:
        answers.append(await live.person.authorize(url))

    async def callback() -> AuthorizationCodeResult:
        query = parse_qs(urlsplit(answers[-1]).query)
        return AuthorizationCodeResult(code=query["code"][0], state=query["state"][0], iss=query["iss"][0])

    metadata = OAuthClientMetadata(redirect_uris=[REDIRECT_URI])
    return OAuthClientProvider(live.resource.url, metadata, storage, redirect, callback)


@pytest.mark.requirement("RA07", "RA08", "RR03", "CO12")
async def test_client_gets_a_token_for_the_resource_that_asked_for_one(live: Live) -> None:
    storage = Storage(live.issuer)

    async with httpx2.AsyncClient(auth=provider_of(live, storage)) as http:
        answer = await http.get(live.resource.url)

    assert answer.status_code == 200, answer.text
    claims = answer.json()
    assert (claims["aud"], claims["client_id"], claims["sub"]) == (live.resource.url, "mcp", live.sub)
    assert storage.tokens is not None
    assert storage.tokens.refresh_token is not None
    assert set((storage.tokens.scope or "").split()) == {"read", "write"}
