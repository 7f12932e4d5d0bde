"""ASGI middleware and FastAPI dependency: which requests are admitted, and how the others are answered (RFC 6750)."""

from typing import Annotated, Any

import httpx2
import pytest
from fastapi import Depends, FastAPI
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocket, WebSocketDisconnect

from clients.python.vectors import read
from jeton_client import AccessToken, BearerMiddleware, ClientError, InvalidTokenError, VerificationUnavailableError
from jeton_client.fastapi import Bearer

CASES = [pytest.param(case["given"], case["expect"], id=case["name"]) for case in read("middleware")]


class Verifier:
    """Accepts `good` and, bound to a key, `bound`; cannot verify `away`."""

    async def verify(self, token: str) -> AccessToken:
        if token == "away":
            raise VerificationUnavailableError("no keys", 2.5)
        if token not in ("good", "bound"):
            raise InvalidTokenError("signature")
        return AccessToken("u_1", "web", 0, frozenset({"read"}), claims={"cnf": {}} if token == "bound" else {})


async def show(request: Request) -> JSONResponse:
    return JSONResponse({"sub": request.scope["access_token"].subject})


async def talk(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.send_text(websocket.scope["access_token"].subject)
    await websocket.close()


def asgi(scope: list[str], report: Any = None) -> Any:
    app = Starlette(routes=[Route("/", show), WebSocketRoute("/talk", talk)])
    return BearerMiddleware(app, Verifier(), scope=scope, report=report)


def fastapi(scope: list[str], report: Any = None) -> Any:
    app = FastAPI()
    bearer = Bearer(Verifier(), report=report).requiring(*scope)

    @app.get("/")
    async def read(token: Annotated[AccessToken, Depends(bearer)]) -> dict[str, str]:
        return {"sub": token.subject}

    return app


@pytest.mark.parametrize("make", [asgi, fastapi])
@pytest.mark.parametrize(("given", "expect"), CASES)
def test_requests_are_admitted_or_answered_with_a_challenge(make: Any, given: Any, expect: Any) -> None:
    reported: list[ClientError] = []
    with TestClient(make(given.get("scope", []), reported.append)) as client:
        headers = httpx2.Headers([("Authorization", it) for it in given["authorization"]])
        response = client.get("/" + given.get("query", ""), headers=headers)

    assert response.status_code == expect["status"]
    assert response.json() == {"sub": "u_1"} or expect["error"] in response.text
    assert response.headers.get("www-authenticate") == expect.get("challenge")
    assert response.headers.get("retry-after") == expect.get("retry_after")
    assert [type(why).__name__ for why in reported] == [expect[name] for name in ("reported",) if name in expect]
    assert not any(str(why) in response.text + str(response.headers) for why in reported)


def test_a_websocket_without_a_valid_token_is_closed_before_it_opens() -> None:
    with TestClient(asgi([])) as client:
        with pytest.raises(WebSocketDisconnect) as closed, client.websocket_connect("/talk"):
            pass
        assert (closed.value.code, closed.value.reason) == (1008, "unauthorized")

        with client.websocket_connect("/talk", headers={"Authorization": "Bearer good"}) as websocket:
            assert websocket.receive_text() == "u_1"


async def test_lifespan_events_need_no_token() -> None:
    seen: list[str] = []

    async def app(scope: Any, _: Any, __: Any) -> None:
        seen.append(scope["type"])

    await BearerMiddleware(app, Verifier())({"type": "lifespan"}, None, None)  # type: ignore[arg-type]

    assert seen == ["lifespan"]


def test_openapi_describes_the_token() -> None:
    document = fastapi([]).openapi()

    expected = {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
    assert document["components"]["securitySchemes"] == {"Bearer": expected}
    assert document["paths"]["/"]["get"]["security"] == [{"Bearer": []}]


GOOD = b"Bearer good"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        pytest.param([(b"authorization", GOOD)], 200, id="ASGI"),
        pytest.param([[b"Authorization", GOOD]], 200, id="lists, capitals"),
        pytest.param([("AUTHORIZATION", "Bearer good")], 200, id="text"),
        pytest.param([(bytearray(b"authorization"), memoryview(GOOD))], 200, id="buffers"),
        pytest.param(lambda: iter([(b"authorization", GOOD)]), 200, id="an iterator"),
        pytest.param((), 401, id="empty"),
        pytest.param(None, 401, id="missing"),
        pytest.param([(b"authorization", GOOD), ("Authorization", "Bearer good")], 400, id="two"),
        pytest.param([(b"authorization", b"Bearer \xff")], 400, id="bytes that are not UTF-8"),
        pytest.param([("authorization", "Bearer \ud800")], 400, id="a surrogate"),
    ],
)
async def test_the_header_is_found_in_every_shape_that_adapters_use(headers: Any, status: int) -> None:
    seen: list[Any] = []

    async def app(scope: Any, _: Any, send: Any) -> None:
        seen.extend(scope["headers"])
        await send({"type": "http.response.start", "status": 200})

    async def send(message: Any) -> None:
        seen.append(message.get("status"))

    given = headers() if callable(headers) else headers
    scope = {"type": "http"} if given is None else {"type": "http", "headers": given}
    await BearerMiddleware(app, Verifier())(scope, None, send)  # type: ignore[arg-type]

    assert status in seen
    assert len(seen) == 2 or status != 200, "the application sees the header as well"
