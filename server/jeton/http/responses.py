"""Rendering of answers and refusals: one function per kind, one place for their headers (RFC 6749 section 5)."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec
from starlette.responses import Response
from starlette.types import Send

from jeton.endpoints.cookies import set_cookie
from jeton.endpoints.messages import Answer, Document, Empty, ForwardedToken, Json, NotModified
from jeton.frozen import Frozen
from jeton.oauth.errors import Challenge, OAuthError, malformed_request

Header = tuple[bytes, bytes]

_NO_STORE: Final[Header] = (b"cache-control", b"no-store")
_JSON_HEADERS: Final[Sequence[Header]] = (
    (b"content-type", b"application/json"),
    _NO_STORE,
    (b"pragma", b"no-cache"),
)
_BASIC_CHALLENGE: Final[Header] = (b"www-authenticate", b'Basic realm="jeton", charset="UTF-8"')


class Rendered(Frozen):
    """A response, ready to send."""

    status: int
    headers: Sequence[Header]
    body: bytes = b""

    def with_headers(self, *headers: Header) -> "Rendered":
        return Rendered(self.status, (*self.headers, *headers), self.body)

    async def send(self, send: Send, *more: Header) -> None:
        headers = [*self.headers, *more]
        if self.status not in (204, 304):
            headers.append((b"content-length", b"%d" % len(self.body)))
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": self.body})

    def for_starlette(self, more: Mapping[str, str] | None = None) -> Response:
        """Return the response as Starlette's, with these headers added."""
        headers = {name.decode(): value.decode() for name, value in self.headers}
        return Response(self.body, self.status, {**headers, **(more or {})})


def render(answer: Answer | OAuthError) -> Rendered:
    """Return the response to an answer or a refusal."""
    return _RENDERERS[type(answer)](answer)


def render_method_not_allowed(methods: Iterable[str]) -> Rendered:
    """Return the 405 of a path that offers these methods only (RFC 9110 section 15.5.6)."""
    rendered = render(malformed_request("This path does not offer that method.", 405))
    return rendered.with_headers((b"allow", ", ".join(methods).encode()))


def _render_json(answer: Json) -> Rendered:
    body = msgspec.json.encode(answer.content)
    if not answer.cookies:
        return Rendered(answer.status, _JSON_HEADERS, body)
    cookies = [(b"set-cookie", set_cookie(it).encode()) for it in answer.cookies]
    return Rendered(answer.status, (*_JSON_HEADERS, *cookies), body)


def _render_empty(answer: Empty) -> Rendered:
    return Rendered(answer.status, ())


def _render_forwarded_token(answer: ForwardedToken) -> Rendered:
    """Proxies copy the header field to the request that they forward."""
    token = answer.access_token
    return Rendered(204, (_NO_STORE, *(() if token is None else ((b"authorization", f"Bearer {token}".encode()),))))


def _render_document(answer: Document) -> Rendered:
    media_type = (b"content-type", answer.media_type.encode())
    return Rendered(200, (*_cache_headers(answer), media_type), answer.body)


def _render_not_modified(answer: NotModified) -> Rendered:
    return Rendered(304, _cache_headers(answer.document))


def _render_refusal(error: OAuthError) -> Rendered:
    challenge = error.challenge
    content = {"error": error.code.value, "error_description": error.description}
    if challenge is not None and not challenge.explained:
        content = {}
    headers = [*_JSON_HEADERS]
    if challenge is not None:
        headers += [_BASIC_CHALLENGE] if challenge.scheme == "Basic" else _token_challenges(challenge, content)
    if error.retry_after is not None:
        headers.append((b"retry-after", b"%d" % error.retry_after))
    return Rendered(error.status, headers, msgspec.json.encode(content))


_RENDERERS: Final[Mapping[type, Callable[[Any], Rendered]]] = {
    Json: _render_json,
    Empty: _render_empty,
    ForwardedToken: _render_forwarded_token,
    Document: _render_document,
    NotModified: _render_not_modified,
    OAuthError: _render_refusal,
}


def _cache_headers(document: Document) -> tuple[Header, ...]:
    return (b"cache-control", b"public, max-age=%d" % document.max_age), (b"etag", document.etag.encode())


def _token_challenges(challenge: Challenge, content: Mapping[str, str]) -> list[Header]:
    """Return the challenges of RFC 6750 section 3 and RFC 9449 section 7.1: that of the used scheme explains more."""
    about = {**content, "scope": challenge.scope, "resource_metadata": challenge.resource_metadata}
    algorithms = {"Bearer": None, "DPoP": " ".join(challenge.dpop_algorithms)}
    offered = ("Bearer", "DPoP") if challenge.dpop_algorithms else ("Bearer",)
    return [
        _challenge(it, {**(about if it == challenge.scheme else {}), "algs": algorithms[it]})
        for it in sorted(offered, key=lambda scheme: scheme != challenge.scheme)
    ]


def _challenge(scheme: str, parameters: Mapping[str, str | None]) -> Header:
    """Return one challenge. Our sentences hold no quote and no backslash."""
    given = ", ".join(f'{it}="{text}"' for it, text in {"realm": "jeton", **parameters}.items() if text)
    return b"www-authenticate", f"{scheme} {given}".encode()
