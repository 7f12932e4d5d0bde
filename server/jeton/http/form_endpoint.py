"""A form endpoint as an ASGI application: limits, headers, body, endpoint, answer. Always an answer, never a guess."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import structlog
from starlette.types import Receive, Scope, Send

from jeton.crypto.passwords import HashingBusyError
from jeton.crypto.private_key import KeyStoreError
from jeton.endpoints.exchange import Answer, FormRequest
from jeton.endpoints.upkeep import Upkeep
from jeton.grants.services import Services
from jeton.http.answers import Header, Rendered, render_content, render_error
from jeton.http.cors import allow_origin, answer_preflight
from jeton.http.form import MOST_BYTES, check_media_type, parse_form
from jeton.oauth.errors import ErrorCode, OAuthError
from jeton.oauth.model import Client, Source
from jeton.storage.database import StorageUnavailableError
from jeton.storage.gather import GatheringBusyError

DEADLINE_SECONDS: Final = 5
_MOST_USER_AGENT: Final = 256
_IDEMPOTENCY_KEY: Final = re.compile(r"[\x20-\x7E]{1,255}")
_SINGLE: Final = frozenset({b"authorization", b"idempotency-key", b"content-type", b"origin"})
_AWAY: Final = (StorageUnavailableError, KeyStoreError, GatheringBusyError, HashingBusyError, TimeoutError)

log = structlog.get_logger("jeton.http")

Endpoint = Callable[[FormRequest, Services], Awaitable[Answer]]


class _Refused(Exception):
    """Refused before the endpoint is asked, with a status of HTTP's own."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status
        self.error = OAuthError(ErrorCode.INVALID_REQUEST, sentence)


@dataclass(frozen=True, slots=True)
class FormEndpoint:
    """`endpoint` behind HTTP; with `cross_origin`, for pages of registered origins too."""

    endpoint: Endpoint
    services: Services
    upkeep: Upkeep
    headers: Sequence[Header] = field(repr=False)
    cross_origin: bool = field(default=False, kw_only=True)

    @property
    def methods(self) -> list[str]:
        return ["POST", "OPTIONS"] if self.cross_origin else ["POST"]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = _headers(scope)
        origin = headers.get(b"origin")
        if scope["method"] == "OPTIONS":
            await answer_preflight(origin, self.upkeep.announced.origins).send(send)
            return
        rendered, origins = await self._answer(scope, headers, receive)
        await rendered.send(send, *self.headers, *self._cross_origin(origin, origins))

    async def _answer(
        self, scope: Scope, headers: Mapping[bytes, str], receive: Receive
    ) -> tuple[Rendered, frozenset[str]]:
        """The response, and the origins whose pages may read it: the client's, once it is known."""
        origins = self.upkeep.announced.origins
        try:
            async with asyncio.timeout(DEADLINE_SECONDS):
                request = await _read(scope, headers, receive)
                answer = await self.endpoint(request, self.services)
        except _Refused as refused:
            return render_error(refused.error, refused.status), origins
        except OAuthError as error:
            return _refuse(scope, error), origins
        except _AWAY as error:
            log.error("temporarily_unavailable", path=scope["path"], reason=type(error).__name__, detail=str(error))
            return render_error(OAuthError(ErrorCode.TEMPORARILY_UNAVAILABLE, type(error).__name__)), origins
        except Exception:
            log.exception("server_error", path=scope["path"])
            return render_error(OAuthError(ErrorCode.SERVER_ERROR, "unexpected")), origins
        if answer.client is not None:
            origins = answer.client.origins
        if isinstance(answer.content, OAuthError):
            return _refuse(scope, answer.content, answer.client), origins
        return render_content(answer.content), origins

    def _cross_origin(self, origin: str | None, origins: frozenset[str]) -> tuple[Header, ...]:
        return allow_origin(origin, origins) if self.cross_origin else ()


def _refuse(scope: Scope, error: OAuthError, client: Client | None = None) -> Rendered:
    """The refusal, and one line in the log that says why."""
    client_id = client.client_id if client else None
    ip = scope["client"][0] if scope.get("client") else None
    about = {"path": scope["path"], "error": error.code, "client_id": client_id, "ip": ip, **error.about}
    log.warning("request_refused", reason=error.reason, **about)
    return render_error(error)


def _headers(scope: Scope) -> dict[bytes, str]:
    """Header fields by lower-case name. One that must be single and is not is kept as `repeated`."""
    headers: dict[bytes, str] = {}
    for name, value in scope["headers"]:
        if name in headers and name in _SINGLE:
            headers[b"repeated"] = name.decode("latin-1")
        headers[name] = value.decode("latin-1")
    return headers


async def _read(scope: Scope, headers: Mapping[bytes, str], receive: Receive) -> FormRequest:
    if scope["query_string"]:
        raise OAuthError(ErrorCode.INVALID_REQUEST, "Parameters belong into the body, never into the URI.")
    if b"repeated" in headers:
        raise OAuthError(ErrorCode.INVALID_REQUEST, "A header field that must be single is sent more than once.")
    check_media_type(headers.get(b"content-type"))
    if headers.get(b"content-encoding", "identity").lower() != "identity":
        raise _Refused(415, "The body must not be compressed.")
    idempotency_key = headers.get(b"idempotency-key")
    if idempotency_key is not None and not _IDEMPOTENCY_KEY.fullmatch(idempotency_key):
        raise OAuthError(ErrorCode.INVALID_REQUEST, "Idempotency-Key must be 1 to 255 printable ASCII characters.")
    parameters = parse_form(await _body(headers, receive))
    user_agent = headers.get(b"user-agent")
    return FormRequest(
        parameters,
        headers.get(b"authorization"),
        idempotency_key,
        Source(scope["client"][0] if scope.get("client") else None, user_agent and user_agent[:_MOST_USER_AGENT]),
    )


async def _body(headers: Mapping[bytes, str], receive: Receive) -> bytes:
    """The whole body, never more of it in memory than is allowed."""
    declared = headers.get(b"content-length", "0")
    if not declared.isdecimal() or int(declared) > MOST_BYTES:
        raise _Refused(413, f"The body must not exceed {MOST_BYTES} bytes.")
    chunks, size, more = [], 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise _Refused(400, "The request ended before its body did.")
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > MOST_BYTES:
            raise _Refused(413, f"The body must not exceed {MOST_BYTES} bytes.")
        chunks.append(chunk)
        more = message.get("more_body", False)
    return b"".join(chunks)
