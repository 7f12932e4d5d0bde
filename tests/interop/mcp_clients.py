"""Clients of MCP servers with the Python SDK: their storage, and how they send a person to the authorization server."""

from typing import Final
from urllib.parse import parse_qs, urlsplit

from mcp.client.auth import OAuthClientProvider
from mcp.shared.auth import AuthorizationCodeResult, OAuthClientInformationFull, OAuthClientMetadata, OAuthToken
from pydantic import AnyUrl

from support.person import Person

REDIRECT_URI: Final = AnyUrl("http://localhost:49152/callback")


class Storage:
    """The storage of an app: its registration, if it was registered before, and its tokens."""

    def __init__(self, client_id: str | None = None) -> None:
        self.client = client_id and OAuthClientInformationFull(
            client_id=client_id, redirect_uris=[REDIRECT_URI], token_endpoint_auth_method="none"
        )
        self.tokens: OAuthToken | None = None

    async def get_tokens(self) -> OAuthToken | None:
        return self.tokens

    async def set_tokens(self, tokens: OAuthToken) -> None:
        self.tokens = tokens

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        return self.client or None

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        self.client = client_info


def provider_of(
    url: str, person: Person, storage: Storage, client_metadata_url: str | None = None
) -> OAuthClientProvider:
    """Return the authentication of a client of the MCP server at this URL, at which this person signs in."""
    answers: list[str] = []

    async def redirect(address: str) -> None:
        answers.append(await person.authorize(address))

    async def callback() -> AuthorizationCodeResult:
        query = parse_qs(urlsplit(answers[-1]).query)
        return AuthorizationCodeResult(code=query["code"][0], state=query["state"][0], iss=query["iss"][0])

    metadata = OAuthClientMetadata(redirect_uris=[REDIRECT_URI], client_name="Notebook")
    return OAuthClientProvider(url, metadata, storage, redirect, callback, client_metadata_url=client_metadata_url)
