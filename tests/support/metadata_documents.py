"""Metadata documents of clients, as if they were on the web."""

import asyncio
import json
from typing import Any, Final

from jeton.outbound.messages import OutboundError, OutboundFailure, OutboundResponse

DOCUMENT: Final = "https://app.example/client.json"
CALLBACK: Final = "https://app.example/callback"


def document(url: str = DOCUMENT, **members: Any) -> dict[str, Any]:
    """The members of a document, of a public client; None leaves one out."""
    given = {
        "client_id": url,
        "client_name": "An app",
        "redirect_uris": [CALLBACK],
        "grant_types": ["authorization_code", "refresh_token"],
        "token_endpoint_auth_method": "none",
        **members,
    }
    return {name: it for name, it in given.items() if it is not None}


class Web:
    """Documents by URL, in the place of an OutboundClient. It answers only while `answers` is set."""

    def __init__(self) -> None:
        self.requests: list[str] = []
        self.responses: dict[str, OutboundResponse] = {}
        self.answers = asyncio.Event()
        self.answers.set()

    def publish(self, url: str = DOCUMENT, *, cache_control: str = "max-age=600", **members: Any) -> str:
        """Put the document of a client there. Returns its URL."""
        headers = {"content-type": "application/json", "cache-control": cache_control}
        self.responses[url] = OutboundResponse(200, headers, json.dumps(document(url, **members)).encode())
        return url

    def remove(self, url: str = DOCUMENT) -> None:
        del self.responses[url]

    async def get(self, url: str) -> OutboundResponse:
        self.requests.append(url)
        await self.answers.wait()
        if url not in self.responses:
            raise OutboundError(OutboundFailure.HOST_NOT_FOUND)
        return self.responses[url]

    def close(self) -> None:
        """Nothing to close."""
