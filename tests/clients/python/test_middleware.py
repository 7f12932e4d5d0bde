"""ASGI middleware and FastAPI dependency: accepted requests, and the responses to others."""

from typing import Annotated, Any

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocket, WebSocketDisconnect

from clients.python.vectors import AUDIENCE, START, read, resource_of
from jeton_client import (
    AccessToken,
    BearerMiddleware,
    ClientError,
    DPoP,
    DPoPNonces,
    InvalidProofError,
    InvalidTokenError,
    MemoryUsedProofs,
    ProtectedResource,
    VerificationUnavailableError,
)
from jeton_client.dpop_proof import ProvenRequest
from vectors.dpop_proofs import proof

CASES = [pytest.param(case["given"], case["expect"], id=case["name"]) for case in read("middleware")]
PROOFS = {case["name"]: case for case in read("dpop_proofs")}
BOUND = {"jkt": PROOFS["valid"]["thumbprint"]}
CLAIMS: dict[str, dict[str, Any]] = {"good": {}, "bound": {"cnf": BOUND}, "twice": {"cnf": {**BOUND, "x5t#S256": "x"}}}


class Verifier:
    """A verifier that accepts `good`, `bound` to the key of the proofs, and `twice`, and is unavailable for `away`."""

    async def verify(self, token: str) -> AccessToken:
        if token == "away":
            raise VerificationUnavailableError("no keys", 2.5)
        if token not in CLAIMS:
            raise InvalidTokenError("signature")
        return AccessToken("u_1", "web", 0, frozenset({"read"}), claims=CLAIMS[token])


async def show(request: Request) -> JSONResponse:
    return JSONResponse({"sub": request.scope["access_token"].subject})


async def talk(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.send_text(websocket.scope["access_token"].subject)
    await websocket.close()


def asgi(scope: list[str], report: Any = None, resource: ProtectedResource | None = None) -> Any:
    app = Starlette(routes=[Route("/", show), WebSocketRoute("/talk", talk)])
    return BearerMiddleware(app, Verifier(), scope=scope, report=report, resource=resource)


def fastapi(
    scope: list[str], report: Any = None, resource: ProtectedResource | None = None, first: tuple[str, ...] = ()
) -> Any:
    # Every process of the suite collects these tests, and few run them: it takes half a second to import.
    from fastapi import Depends, FastAPI

    from jeton_client.fastapi import Bearer

    app = FastAPI()
    bearer = Bearer(Verifier(), scope=first, report=report, resource=resource).requiring(*scope)
    if resource is not None:
        app.add_api_route(resource.metadata_path, resource.metadata)

    @app.get("/")
    async def read(token: Annotated[AccessToken, Depends(bearer)]) -> dict[str, str]:
        return {"sub": token.subject}

    return app


@pytest.mark.parametrize("make", [asgi, fastapi])
@pytest.mark.parametrize(("given", "expect"), CASES)
@pytest.mark.requirement("DP01", "DP11", "PR03")
def test_requests_are_accepted_or_answered_with_a_challenge(make: Any, given: Any, expect: Any) -> None:
    reported: list[ClientError] = []
    resource = resource_of(given["resource"]) if "resource" in given else None
    with TestClient(make(given.get("scope", []), reported.append, resource)) as client:
        proofs = [("DPoP", PROOFS[name]["proofs"][0]) for name in given.get("proofs", ())]
        headers = httpx2.Headers([*(("Authorization", it) for it in given["authorization"]), *proofs])
        response = client.get("/" + given.get("query", ""), headers=headers)

    assert response.status_code == expect["status"]
    assert response.json() == {"sub": "u_1"} or expect["error"] in response.text
    assert response.headers.get("www-authenticate") == expect.get("challenge")
    assert response.headers.get("retry-after") == expect.get("retry_after")
    assert [type(why).__name__ for why in reported] == [expect[name] for name in ("reported",) if name in expect]
    assert not any(str(why) in response.text + str(response.headers) for why in reported)


def ask_with_proof(client: TestClient, **claims: Any) -> httpx2.Response:
    return client.get("/", headers={"Authorization": "DPoP bound", "DPoP": proof(**claims)})


@pytest.mark.parametrize("make", [asgi, fastapi])
@pytest.mark.requirement("DP05")
def test_a_proof_is_accepted_once_and_a_full_memory_is_no_reason_to_forget_one(make: Any) -> None:
    resource = ProtectedResource(AUDIENCE, [], dpop=DPoP(used_proofs=MemoryUsedProofs(2), clock=lambda: START))
    given: list[dict[str, Any]] = [
        *({"jti": "1"}, {"jti": "1"}, {"jti": "1", "iat": START - 1}, {"jti": "\ud800"}, {"jti": "2"}, {"jti": "1"}),
    ]
    with TestClient(make([], None, resource)) as client:
        answers = [ask_with_proof(client, **claims) for claims in given]

    assert [it.status_code for it in answers] == [200, 401, 401, 200, 503, 401]
    assert answers[4].headers["retry-after"] == "120"


@pytest.mark.requirement("DP05")
async def test_an_identifier_is_used_once_for_each_target() -> None:
    dpop = DPoP(clock=lambda: START)

    for path in ("a", "b"):
        request = ProvenRequest("GET", f"{AUDIENCE}/{path}", "bound", BOUND["jkt"])
        given = [proof(htu=request.url)]
        await dpop.check(given, request)
        with pytest.raises(InvalidProofError, match="used"):
            await dpop.check(given, request)


@pytest.mark.requirement("DP05")
async def test_used_proofs_are_forgotten_when_they_can_no_longer_be_valid() -> None:
    now = 0.0
    used = MemoryUsedProofs(2, monotonic=lambda: now)

    assert [await used.use(name, 120) for name in ("a", "b", "a")] == [True, True, False]
    with pytest.raises(VerificationUnavailableError):
        await used.use("c", 120)
    now = 119.9
    assert await used.use("a", 120) is False
    now = 120.0
    assert [await used.use(name, 120) for name in ("c", "a")] == [True, True]


@pytest.mark.parametrize("make", [asgi, fastapi])
@pytest.mark.requirement("DP14")
def test_a_nonce_is_demanded_and_each_response_has_the_next(make: Any) -> None:
    now = START
    nonces = DPoPNonces(bytes(16))
    resource = ProtectedResource(AUDIENCE, [], dpop=DPoP(nonces=nonces, clock=lambda: now))
    with TestClient(make([], None, resource)) as client:
        demanded = ask_with_proof(client)
        # The nonce limits the age of a proof: the clock of the client may be wrong.
        admitted = ask_with_proof(client, nonce=demanded.headers["dpop-nonce"], iat=1)
        others = [ask_with_proof(client, jti=it, nonce=nonces.current(START - 120)) for it in "ab"]

    assert [it.headers["dpop-nonce"] for it in others] == [nonces.current(START)] * 2
    assert {it.status_code for it in others} == {401}
    assert (demanded.status_code, 'error="use_dpop_nonce"' in demanded.headers["www-authenticate"]) == (401, True)
    assert demanded.headers["dpop-nonce"] == admitted.headers["dpop-nonce"] == nonces.current(START)
    assert admitted.status_code == 200


@pytest.mark.parametrize("make", [asgi, fastapi])
@pytest.mark.requirement("PR01", "PR05")
def test_metadata_are_served_without_a_token(make: Any) -> None:
    resource = ProtectedResource(f"{AUDIENCE}/mcp", ["https://as.example"], ["read"])
    with TestClient(make(["read"], None, resource)) as client:
        answer = client.get(resource.metadata_path)

        assert (answer.status_code, answer.json()) == (200, resource.metadata())
        assert answer.headers["content-type"] == "application/json"
        assert client.get("/").status_code == 401
        assert client.get("/.well-known/oauth-protected-resource").status_code in (401, 404)


def test_pages_of_any_origin_can_read_the_metadata() -> None:
    resource = ProtectedResource(f"{AUDIENCE}/mcp", [])
    with TestClient(asgi(["read"], None, resource)) as client:
        asked = {"Origin": "https://app.example", "Access-Control-Request-Method": "GET"}
        preflight = client.options(resource.metadata_path, headers=asked)
        others = [client.request(it, resource.metadata_path) for it in ("GET", "HEAD", "POST")]

    assert [preflight.status_code, *(it.status_code for it in others)] == [204, 200, 200, 405]
    assert {it.headers["access-control-allow-origin"] for it in (preflight, *others)} == {"*"}


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


def test_a_dependency_with_more_scope_requires_that_of_the_first_as_well() -> None:
    response = TestClient(fastapi(["read"], first=("orders",))).get("/", headers={"Authorization": "Bearer good"})

    assert response.status_code == 403
    assert 'scope="orders read"' in response.headers["www-authenticate"]


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
