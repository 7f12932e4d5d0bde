"""Stylesheet, script and logos of the pages over HTTP. The names of the first two hold a digest: kept for a year."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from jeton.frozen import Frozen
from jeton.http.dispatch import DEADLINE_SECONDS, UNAVAILABLE, render_unavailable
from jeton.http.form_parsing import parse_form
from jeton.http.responses import Rendered, render, render_method_not_allowed
from jeton.oauth.errors import OAuthError, not_found
from jeton.pages.assets import Asset
from jeton.rules.images import image_type

LOGO_PATH: Final = "/pages/logo"
_METHODS: Final = ("GET", "HEAD")


class AssetEndpoint(Frozen):
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


class LogoEndpoint(Frozen):
    """Serves the logo of the client in the query. `load` returns it, or None."""

    load: Callable[[str], Awaitable[bytes | None]]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] not in _METHODS:
            await render_method_not_allowed(_METHODS).send(send)
            return
        await (await self._answer(scope)).send(send)

    async def _answer(self, scope: Scope) -> Rendered:
        try:
            client_id = parse_form(scope["query_string"]).parameters.get("client_id", "")
            async with asyncio.timeout(DEADLINE_SECONDS):
                logo = await self.load(client_id)
        except OAuthError as error:
            return render(error)
        except UNAVAILABLE as error:
            return render_unavailable(scope, error)
        media_type = None if logo is None else image_type(logo)
        if logo is None or media_type is None:
            return render(not_found("This client has no logo."))
        headers = (
            (b"content-type", media_type.encode()),
            (b"cache-control", b"private, max-age=300"),
            (b"cross-origin-resource-policy", b"same-origin"),
        )
        return Rendered(200, headers, logo)


def asset_endpoints(assets: Mapping[str, Asset]) -> dict[str, ASGIApp]:
    """Return the endpoints by path."""
    return {it.path: AssetEndpoint(it) for it in assets.values()}
