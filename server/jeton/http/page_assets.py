"""Stylesheet and script of the pages over HTTP: their names hold a digest, so browsers keep them for a year."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from jeton.http.responses import Rendered, render_method_not_allowed
from jeton.pages.assets import Asset

_METHODS: Final = ("GET", "HEAD")


@dataclass(frozen=True, slots=True)
class AssetEndpoint:
    """Serves one file from memory."""

    asset: Asset

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] not in _METHODS:
            await render_method_not_allowed(_METHODS).send(send)
            return
        headers = (
            (b"content-type", self.asset.media_type.encode()),
            (b"cache-control", b"public, max-age=31536000, immutable"),
            (b"cross-origin-resource-policy", b"same-origin"),
        )
        await Rendered(200, headers, self.asset.body).send(send)


def asset_endpoints(assets: Mapping[str, Asset]) -> dict[str, ASGIApp]:
    """Return the endpoints by path."""
    return {it.path: AssetEndpoint(it) for it in assets.values()}
