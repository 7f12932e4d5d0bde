"""Public documents over HTTP: cacheable, and readable by pages of any origin."""

import hashlib
from collections.abc import Awaitable, Callable
from typing import Any, Final
from urllib.parse import parse_qs

import msgspec
from starlette.exceptions import HTTPException
from starlette.types import Receive, Scope, Send

from jeton.endpoints.messages import Document, NotModified
from jeton.frozen import Frozen
from jeton.http.cors import ANY_ORIGIN, answer_options, parse_preflight
from jeton.http.responses import Rendered, render, render_method_not_allowed
from jeton.oauth.errors import malformed_request

_METHODS: Final = ("GET", "HEAD", "OPTIONS")


def json_document(content: dict[str, Any], max_age: int) -> Document:
    """Return the document of this JSON object."""
    body = msgspec.json.encode(content)
    return Document(body, f'"{hashlib.sha256(body).hexdigest()[:32]}"', max_age)


class DocumentEndpoint(Frozen):
    """Serves the document that `current` returns, from memory."""

    current: Callable[[], Document]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = _answer_other_method(scope) or _render(self.current(), scope)
        await response.send(send)


class NumberedDocumentEndpoint(Frozen):
    """Serves the document that `find` returns for the `number` in the path, from memory; 404 if it returns None.

    501 to a request for a document as it was at another `time` (Token Status List section 8.4).
    """

    find: Callable[[str], Awaitable[Document | None]]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = _answer_other_method(scope)
        if response is None and "time" in parse_qs(scope["query_string"].decode("latin-1"), keep_blank_values=True):
            response = render(malformed_request("Only the present document is kept.", 501)).with_headers(*ANY_ORIGIN)
        if response is None:
            document = await self.find(scope["path_params"]["number"])
            if document is None:
                raise HTTPException(404)
            response = _render(document, scope)
        await response.send(send)


def _answer_other_method(scope: Scope) -> Rendered | None:
    """Return the response to other methods than GET and HEAD, or None for these."""
    if scope["method"] == "OPTIONS":
        return answer_options(parse_preflight(scope), _METHODS, None)
    if scope["method"] not in _METHODS:
        return render_method_not_allowed(_METHODS).with_headers(*ANY_ORIGIN)
    return None


def _render(document: Document, scope: Scope) -> Rendered:
    """Return the document, or 304 if the caller has it already (RFC 9110 section 13.1.2)."""
    known = _matches(scope, document.etag)
    return render(NotModified(document) if known else document).with_headers(*ANY_ORIGIN)


def _matches(scope: Scope, etag: str) -> bool:
    wanted = [value for name, value in scope["headers"] if name == b"if-none-match"]
    if not wanted:
        return False
    tags = {tag.strip().removeprefix("W/") for tag in b",".join(wanted).decode("latin-1").split(",")}
    return etag in tags or "*" in tags
