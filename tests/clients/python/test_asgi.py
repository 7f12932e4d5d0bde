"""ASGI middleware and FastAPI dependency: who is let in, and how the others are answered (RFC 6750 section 3)."""

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

from jeton_client import AccessToken, BearerMiddleware, ClientError, InvalidTokenError, VerificationUnavailableError
from jeton_client.fastapi import Bearer

REALM = 'Bearer realm="orders"'
INVALID = f'{REALM}, error="invalid_token", error_description="The access token is not valid here."'


class Verifier:
    """Knows one good token."""

    async def verify(self, token: str) -> AccessToken:
        match token:
            case "good":
                return AccessToken("u_1", "web", 0, frozenset({"read"}))
            case "bound":
                return AccessToken("u_1", "web", 0, frozenset({"read"}), claims={"cnf": {"jkt": "x"}})
            case "away":
                raise VerificationUnavailableError("no keys", 2)
            case _:
                raise InvalidTokenError("signature")


async def show(request: Request) -> JSONResponse:
    return JSONResponse({"sub": request.scope["access_token"].subject})


async def talk(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.send_text(websocket.scope["access_token"].subject)
    await websocket.close()


def plain(**options: Any) -> Any:
    app = Starlette(routes=[Route("/read", show), WebSocketRoute("/talk", talk)])
    return BearerMiddleware(app, Verifier(), realm="orders", **options)


def fast(**options: Any) -> Any:
    app = FastAPI()
    bearer = Bearer(Verifier(), realm="orders", **options)

    @app.get("/read")
    async def read(token: Annotated[AccessToken, Depends(bearer)]) -> dict[str, str]:
        return {"sub": token.subject}

    @app.get("/write")
    async def write(token: Annotated[AccessToken, Depends(bearer.requiring("write"))]) -> dict[str, str]:
        return {"sub": token.subject}

    return app


both = pytest.mark.parametrize("make", [plain, fast], ids=["ASGI", "FastAPI"])


@both
def test_a_good_token_is_let_in(make: Any) -> None:
    with TestClient(make()) as client:
        response = client.get("/read", headers={"Authorization": "Bearer good"})

    assert (response.status_code, response.json()) == (200, {"sub": "u_1"})


@both
@pytest.mark.parametrize(
    ("headers", "status", "challenge"),
    [
        ([], 401, REALM),
        ([("Authorization", "Basic dTpw")], 401, REALM),
        ([("Authorization", "Bearer bad")], 401, INVALID),
        ([("Authorization", "Bearer bound")], 401, INVALID),
        ([("Authorization", "Bearer")], 400, None),
        ([("Authorization", "Bearer good"), ("Authorization", "Bearer good")], 400, None),
        ([("Authorization", "Bearer away")], 503, None),
    ],
    ids=["no token", "Basic", "a bad token", "bound to a key", "malformed", "two", "away"],
)
def test_others_are_answered(make: Any, headers: list[tuple[str, str]], status: int, challenge: str | None) -> None:
    with TestClient(make()) as client:
        response = client.get("/read", headers=httpx2.Headers(headers))

    assert response.status_code == status
    if challenge is not None:
        assert response.headers["WWW-Authenticate"] == challenge
    assert response.headers.get("retry-after") == ("2" if status == 503 else None)


@both
def test_a_token_in_the_address_is_not_looked_at(make: Any) -> None:
    with TestClient(make()) as client:
        assert client.get("/read?access_token=good").status_code == 401


@pytest.mark.parametrize(("make", "path"), [(lambda: plain(scope=["write"]), "/read"), (fast, "/write")])
def test_too_little_scope_is_forbidden_and_the_scope_named(make: Any, path: str) -> None:
    with TestClient(make()) as client:
        response = client.get(path, headers={"Authorization": "Bearer good"})

    assert response.status_code == 403
    assert response.headers["WWW-Authenticate"].endswith('scope="write"')


@both
def test_why_is_reported_to_the_log_and_to_nobody_else(make: Any) -> None:
    reported: list[ClientError] = []
    with TestClient(make(report=reported.append)) as client:
        response = client.get("/read", headers={"Authorization": "Bearer bad"})

    assert [str(why) for why in reported] == ["signature"]
    assert "signature" not in response.text + str(response.headers)


def test_a_websocket_without_a_good_token_is_closed_before_it_opens() -> None:
    with TestClient(plain()) as client:
        with pytest.raises(WebSocketDisconnect) as closed, client.websocket_connect("/talk"):
            pass
        assert closed.value.code == 1008

        with client.websocket_connect("/talk", headers={"Authorization": "Bearer good"}) as websocket:
            assert websocket.receive_text() == "u_1"


def test_the_lifespan_is_the_applications() -> None:
    begun: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        begun.append(scope["type"])
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})

    with TestClient(BearerMiddleware(app, Verifier())):
        assert begun == ["lifespan"]


def test_openapi_says_that_a_token_is_needed() -> None:
    document = fast().openapi()

    assert document["components"]["securitySchemes"] == {
        "Bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
    }
    assert document["paths"]["/read"]["get"]["security"] == [{"Bearer": []}]


GOOD = b"Bearer good"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ([(b"authorization", GOOD)], 200),
        ([[b"Authorization", GOOD]], 200),
        ([("AUTHORIZATION", "Bearer good")], 200),
        ([(bytearray(b"authorization"), memoryview(GOOD))], 200),
        (iter([(b"authorization", GOOD)]), 200),
        ((), 401),
        (None, 401),
        ([(b"authorization", GOOD), ("Authorization", "Bearer good")], 400),
        ([(b"authorization", b"Bearer \xff")], 400),
        ([("authorization", "Bearer \ud800")], 400),
    ],
    ids=["ASGI", "lists, capitals", "text", "buffers", "an iterator", "none", "null", "two", "bytes", "no text"],
)
async def test_headers_are_found_in_whatever_shape_an_adapter_gives_them(headers: Any, status: int) -> None:
    seen: list[Any] = []

    async def app(scope: Any, _: Any, send: Any) -> None:
        seen.extend(scope["headers"])
        await send({"type": "http.response.start", "status": 200})

    async def send(message: Any) -> None:
        seen.append(message.get("status"))

    scope = {"type": "http"} if headers is None else {"type": "http", "headers": headers}
    await BearerMiddleware(app, Verifier())(scope, None, send)  # type: ignore[arg-type]

    assert status in seen
    assert (len(seen) == 2) or status != 200, "the application sees the header as well"
