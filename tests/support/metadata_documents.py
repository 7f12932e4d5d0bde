"""Metadata documents of clients without a web server."""

import asyncio
import json
from typing import Any, Final

from jeton.outbound.messages import OutboundError, OutboundFailure, OutboundResponse

DOCUMENT: Final = "https://app.example/client.json"
CALLBACK: Final = "https://app.example/callback"


def document(url: str = DOCUMENT, **members: Any) -> dict[str, Any]:
    """Return the members of the metadata document of a public client. A member that is None is left out."""
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
    """Documents by URL, used instead of an OutboundClient. It responds only while `answers` is set."""

    def __init__(self) -> None:
        self.requests: list[str] = []
        self.responses: dict[str, OutboundResponse] = {}
        self.answers = asyncio.Event()
        self.answers.set()

    def publish(self, url: str = DOCUMENT, *, cache_control: str = "max-age=600", **members: Any) -> str:
        """Publish the metadata document of a client. Return its URL."""
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
        """Do nothing: there are no connections."""
