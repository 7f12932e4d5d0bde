"""httpx2 authentication: sends the session's access token; after a 401 renews it once and repeats the request once."""

from collections.abc import AsyncGenerator, Generator, Iterable

import httpx2

from jeton_client.addresses import origin_of
from jeton_client.token_session import AsyncTokenSession, TokenSession


class BearerAuth(httpx2.Auth):
    """`httpx2.Client(auth=BearerAuth(session, origins=["https://api.example"]))`; AsyncClient takes AsyncTokenSession.

    A request to any other origin raises ValueError, so that tokens are sent only to these origins.
    A request whose body is a stream is not repeated, because the body cannot be sent twice.
    """

    def __init__(self, session: TokenSession | AsyncTokenSession, origins: Iterable[str]) -> None:
        self._session = session
        self._origins = frozenset(origin_of(origin) for origin in origins)

    def sync_auth_flow(self, request: httpx2.Request) -> Generator[httpx2.Request, httpx2.Response, None]:
        if not isinstance(self._session, TokenSession):
            raise TypeError("httpx2.Client requires TokenSession; use httpx2.AsyncClient with AsyncTokenSession")
        is_repeatable = self._check(request)
        token = self._session.access_token()
        response = yield _with(request, token)
        if response.status_code == 401 and is_repeatable:
            yield _with(request, self._session.renew(token))

    async def async_auth_flow(self, request: httpx2.Request) -> AsyncGenerator[httpx2.Request, httpx2.Response]:
        if not isinstance(self._session, AsyncTokenSession):
            raise TypeError("httpx2.AsyncClient requires AsyncTokenSession; use httpx2.Client with TokenSession")
        is_repeatable = self._check(request)
        token = await self._session.access_token()
        response = yield _with(request, token)
        if response.status_code == 401 and is_repeatable:
            yield _with(request, await self._session.renew(token))

    def _check(self, request: httpx2.Request) -> bool:
        """Return whether the request can be repeated. Raise ValueError if its origin is not listed."""
        if f"{request.url.scheme}://{request.url.netloc.decode()}" not in self._origins:
            raise ValueError(f"no token is sent to {request.url.host}: add its origin to `origins` to allow it")
        return isinstance(request.stream, httpx2.ByteStream)


def _with(request: httpx2.Request, token: str) -> httpx2.Request:
    request.headers["Authorization"] = f"Bearer {token}"
    return request
