"""Dynamic registration (RFC 7591): who may register, the resulting clients, and limits."""

from typing import Any, Final

import httpx2
import pytest

from jeton.admin import resources
from jeton.admin.initial_access_tokens import create
from support.authorization_codes import add_resource, redeem, sign_in
from support.browsing import browser
from support.builders import CALLBACK
from support.in_process_server import ISSUER, App, Running, StartServer

REGISTER: Final = "/oauth/register"
PHOTOS: Final = "https://photos.example"
PUBLIC: Final = {"redirect_uris": [CALLBACK], "token_endpoint_auth_method": "none"}


@pytest.fixture
async def open_server(start: StartServer) -> Running:
    """A server at which every client may register, with one open resource."""
    node = await start(REGISTRATION__DYNAMIC="open")
    add_resource(node, PHOTOS, "read", "share", open=True)
    return node


async def register(node: Running, document: Any, token: str | None = None, path: str = REGISTER) -> httpx2.Response:
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    return await node.http.post(path, json=document, headers=headers)


def initial_access_token(node: Running, max_uses: int = 1, seconds: int = 60) -> str:
    with node.database.write() as connection:
        _, token = create(connection, node.clock.now(), max_uses=max_uses, seconds=seconds, name=None)
    return token


@pytest.mark.requirement("DR02", "DR18")
async def test_registration_is_off_and_not_announced_by_default(jeton: Running) -> None:
    for path in (REGISTER, "/register", f"{REGISTER}/dcr_x"):
        assert (await jeton.http.post(path, json=PUBLIC)).status_code == 404
    assert "registration_endpoint" not in (await jeton.http.get("/.well-known/oauth-authorization-server")).json()
    assert "register" not in (await jeton.http.get("/openapi.json")).text


@pytest.mark.requirement("DR02", "DR18", "MC04", "MC13")
@pytest.mark.parametrize("kind", ["token", "open"])
async def test_enabled_registration_is_announced_with_the_grants_it_allows(start: StartServer, kind: str) -> None:
    node = await start(REGISTRATION__DYNAMIC=kind)

    metadata = (await node.http.get("/.well-known/oauth-authorization-server")).json()

    assert metadata["registration_endpoint"] == ISSUER + REGISTER
    assert metadata["authorization_endpoint"] == ISSUER + "/oauth/authorize"
    assert {"authorization_code", "refresh_token"} <= set(metadata["grant_types_supported"])
    assert "none" in metadata["token_endpoint_auth_methods_supported"]
    assert (await node.http.get("/register")).status_code == (await node.http.get(REGISTER)).status_code == 405


@pytest.mark.both_databases
async def test_many_clients_lose_a_closed_resource_a_few_at_a_time(
    start: StartServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jeton.background.current_ceiling._CLIENTS_AT_ONCE", 2)
    monkeypatch.setattr("jeton.background.current_ceiling._MAX_SECONDS", 0)
    node = await start(REGISTRATION__DYNAMIC="open")
    add_resource(node, PHOTOS, "read", open=True)
    for number in range(5):
        await register(node, PUBLIC | {"client_name": str(number)})
    with node.database.write() as connection:
        resources.change(connection, PHOTOS, {"open": False})
    node.shared_state.refresh()

    left = []
    for _ in range(4):
        node.shared_state.apply_ceiling()
        left.append(sum(PHOTOS in it.resources for it in node.clients()))

    assert left == [3, 1, 0, 0]


async def test_client_of_a_request_that_began_before_a_resource_was_closed_loses_it(start: StartServer) -> None:
    node = await start(REGISTRATION__DYNAMIC="open")
    add_resource(node, PHOTOS, "read", open=True)
    await register(node, PUBLIC)
    (before,) = node.clients()
    with node.database.write() as connection:
        resources.change(connection, PHOTOS, {"open": False})
    node.shared_state.refresh()
    node.shared_state.apply_ceiling()
    await node.server.parts.storage.registrations.insert_shared(before)
    assert "read" in node.clients()[0].scope

    node.clock.advance(30)
    node.shared_state.apply_ceiling()

    assert "read" not in node.clients()[0].scope


@pytest.mark.requirement("DR03", "DR04", "DR12", "MC18", "NA03")
async def test_public_registrations_with_the_same_metadata_share_one_client(open_server: Running) -> None:
    first = await register(open_server, PUBLIC | {"client_name": "Photos", "software_id": "1"})
    again = await register(open_server, {"client_name": "Photos", **PUBLIC, "logo_uri": CALLBACK}, path="/register")
    other = await register(open_server, PUBLIC | {"client_name": "Photo"})
    # MCP clients register like this: no authentication method, and any free port.
    ports = [await register(open_server, {"redirect_uris": [f"http://localhost:{it}/cb"]}) for it in (3334, 50123)]

    assert (first.status_code, first.headers["cache-control"]) == (201, "no-store")
    assert first.json() == again.json()
    assert first.json().items() >= (PUBLIC | {"client_id_issued_at": open_server.clock.now()}).items()
    assert {"read", "share"} <= set(first.json()["scope"].split())
    assert other.json()["client_id"] != first.json()["client_id"]
    assert ports[0].json() | {"redirect_uris": ["http://localhost:50123/cb"]} == ports[1].json()
    assert (ports[0].json()["token_endpoint_auth_method"], ports[0].json()["application_type"]) == ("none", "native")
    assert [it.registration for it in open_server.clients()] == ["dynamic"] * 3


@pytest.mark.requirement("DR12")
async def test_shared_client_gets_what_could_not_be_requested_before(open_server: Running) -> None:
    first = await register(open_server, PUBLIC)
    add_resource(open_server, "https://mail.example", "mail", open=True)

    again = await register(open_server, PUBLIC)

    assert set(again.json()["scope"].split()) == set(first.json()["scope"].split()) | {"mail"}
    assert again.json()["client_id"] == first.json()["client_id"]


@pytest.mark.requirement("DR03", "DR14")
async def test_confidential_client_gets_credentials_of_its_own_once(open_server: Running) -> None:
    answers = [(await register(open_server, {"redirect_uris": [CALLBACK]})).json() for _ in range(2)]

    for answer in answers:
        assert answer["client_secret"].startswith("jcs_")
        assert answer["client_secret_expires_at"] == 0
        assert answer["registration_client_uri"] == f"{ISSUER}{REGISTER}/{answer['client_id']}"
    assert len({answer[name] for answer in answers for name in ("client_id", "client_secret")}) == 4
    kept = repr([(it.secret_digest, it.registration_token_digest) for it in open_server.clients()])
    assert not [it for answer in answers for it in answer.values() if isinstance(it, str) and it in kept]


@pytest.mark.requirement("DR01", "DR09")
@pytest.mark.parametrize(
    ("content", "headers", "status", "error"),
    [
        pytest.param(b"{}", {}, 400, "invalid_redirect_uri", id="nothing"),
        pytest.param(b'{"redirect_uris":[],"redirect_uris":[]}', {}, 400, "invalid_client_metadata", id="twice"),
        pytest.param(b"{", {}, 400, "invalid_client_metadata", id="not JSON"),
        pytest.param(b'{"a":' + b"[" * 9 + b"]" * 9 + b"}", {}, 400, "invalid_client_metadata", id="deep"),
        pytest.param(b" " * 32769, {}, 413, "invalid_request", id="large"),
        pytest.param(b"{}", {"Content-Type": "application/x-www-form-urlencoded"}, 415, "invalid_request", id="form"),
        pytest.param(b"{}", {"Content-Type": ""}, 415, "invalid_request", id="no type"),
        pytest.param(b"{}", {"Content-Encoding": "gzip"}, 415, "invalid_request", id="compressed"),
    ],
)
async def test_malformed_requests_are_refused_and_write_nothing(
    open_server: Running, content: bytes, headers: dict[str, str], status: int, error: str
) -> None:
    headers = {"Content-Type": "application/json; charset=utf-8", **headers}

    answer = await open_server.http.post(REGISTER, content=content, headers=headers)

    assert (answer.status_code, answer.json()["error"]) == (status, error)
    assert open_server.clients() == []
    assert (await open_server.http.post(REGISTER + "?a=b", json=PUBLIC)).status_code == 400


@pytest.mark.requirement("DR02")
async def test_with_token_each_registration_spends_one_use(start: StartServer) -> None:
    node = await start(REGISTRATION__DYNAMIC="token")
    token = initial_access_token(node, max_uses=2)

    of_a_page = await node.http.post(REGISTER, json=PUBLIC, headers={"Origin": "https://inspector.example"})
    assert "access-control-allow-origin" not in of_a_page.headers
    for bad in (None, "jia_" + "x" * 43):
        refused = await register(node, PUBLIC, bad)
        assert (refused.status_code, refused.json().get("error")) == (401, None if bad is None else "invalid_token")
        assert refused.headers["www-authenticate"].startswith("Bearer")
    assert (await register(node, {"redirect_uris": []}, token)).status_code == 400
    answers = [await register(node, PUBLIC, token) for _ in range(3)]

    assert [it.status_code for it in answers] == [201, 201, 401]
    assert len({it.json()["client_id"] for it in answers[:2]}) == 2, "a client that was let in has an id of its own"
    assert all("registration_access_token" in it.json() for it in answers[:2])
    assert [it.last_used_at for it in node.clients()] == [None, None], "and is never deleted because it is not used"


@pytest.mark.requirement("DR02")
async def test_registration_token_expires(start: StartServer) -> None:
    node = await start(REGISTRATION__DYNAMIC="token")
    token = initial_access_token(node, seconds=60)
    node.clock.advance(60)

    assert (await register(node, PUBLIC, token)).status_code == 401
    node.purge.delete_expired_batch()
    assert (await register(node, PUBLIC, token)).status_code == 401


@pytest.mark.requirement("DR02", "DR12")
async def test_only_new_clients_are_limited_by_address_and_altogether(start: StartServer) -> None:
    node = await start(
        REGISTRATION__DYNAMIC="open", LIMITS__REGISTRATIONS_PER_ADDRESS="2", LIMITS__TOKEN_FAILURES_PER_ADDRESS="2"
    )
    for name in ("a", "b"):
        assert (await register(node, PUBLIC | {"client_name": name})).status_code == 201
    for document in (PUBLIC | {"client_name": "c"}, {"redirect_uris": [CALLBACK]}):
        refused = await register(node, document)
        assert (refused.status_code, int(refused.headers["retry-after"]) > 0) == (429, True)
    assert (await register(node, PUBLIC | {"client_name": "a"})).status_code == 201, "it is there already"
    assert (await register(node, PUBLIC, initial_access_token(node))).status_code == 201, "it was let in"
    assert len(node.clients()) == 3
    statuses = [(await register(node, PUBLIC, f"jia_{'x' * 43}")).status_code for _ in range(3)]
    assert statuses == [401, 401, 429], "tokens are not to be guessed either"


@pytest.mark.requirement("DR02", "DR12")
async def test_new_clients_of_all_addresses_together_are_limited(start: StartServer) -> None:
    node = await start(REGISTRATION__DYNAMIC="open", LIMITS__REGISTRATIONS="1")

    assert [(await register(node, PUBLIC | {"client_name": it})).status_code for it in "ab"] == [201, 429]


@pytest.mark.requirement("DR02", "DR12")
async def test_disabled_client_cannot_register_again(open_server: Running) -> None:
    client_id = (await register(open_server, PUBLIC)).json()["client_id"]
    open_server.set_client(client_id, disabled=True)

    answer = await register(open_server, PUBLIC)

    assert (answer.status_code, answer.json()["error"]) == (403, "access_denied")


@pytest.mark.requirement("DR02", "MC04")
async def test_pages_of_every_origin_may_use_open_registration(open_server: Running) -> None:
    """Browser-based MCP clients do; no administrator can know their origins."""
    page = {"Origin": "https://inspector.example"}
    preflight = {**page, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type"}

    for path in (REGISTER, "/register", "/oauth/token"):
        allowed = await open_server.http.options(path, headers=preflight)
        told = [allowed.headers[f"access-control-allow-{it}"] for it in ("origin", "headers")]
        assert told == ["*", "content-type"]
    registered = await open_server.http.post(REGISTER, json=PUBLIC, headers=page)
    form = {"grant_type": "authorization_code", "code": "x", "client_id": registered.json()["client_id"]}
    redeemed = await open_server.http.post("/oauth/token", data=form, headers=page)
    for answer in (registered, redeemed):
        assert answer.headers["access-control-allow-origin"] == page["Origin"]
        assert "access-control-allow-credentials" not in answer.headers
    managed = await open_server.http.get(f"{REGISTER}/dcr_x", headers=page)
    assert "access-control-allow-origin" not in managed.headers


@pytest.mark.both_databases
@pytest.mark.requirement("DR12", "DR13", "MC04", "RI06")
async def test_registered_client_signs_users_in_and_its_use_is_recorded(open_server: Running) -> None:
    node = open_server
    node.add_user()
    await register(node, PUBLIC | {"grant_types": ["authorization_code", "refresh_token"]})
    app = App(node.clients()[0])
    node.clock.advance(10)
    async with browser(node) as it:
        await it.sign_in_to(app, resource=PHOTOS, scope="read admin")
        assert it.path == "/consent"
        await it.decide()
        tokens = (await redeem(node, app, it.answer["code"])).json()
    assert tokens["scope"] == "read"
    assert node.clients()[0].last_used_at == node.clock.now()

    node.clock.advance(86400)
    await node.refreshed(app, tokens["refresh_token"])
    assert node.clients()[0].last_used_at == node.clock.now()


@pytest.mark.requirement("DR12")
async def test_clients_that_are_not_used_are_deleted_and_come_back_by_registering(open_server: Running) -> None:
    client_id = (await register(open_server, PUBLIC)).json()["client_id"]
    open_server.clock.advance(7 * 86400)

    assert open_server.purge.delete_expired_batch() > 0
    assert open_server.clients() == []
    assert (await register(open_server, PUBLIC)).json()["client_id"] == client_id


@pytest.mark.both_databases
@pytest.mark.requirement("DR12")
async def test_clients_with_a_session_that_lives_are_kept_and_so_are_disabled_ones(start: StartServer) -> None:
    node = await start(
        REGISTRATION__DYNAMIC="open", REGISTRATION__NEVER_USED_SECONDS="60", REGISTRATION__UNUSED_SECONDS="60"
    )
    for name in ("used", "disabled", "neither"):
        await register(node, PUBLIC | {"client_name": name, "grant_types": ["authorization_code", "refresh_token"]})
    by_name = {it.name: App(it) for it in node.clients()}
    node.set_client(by_name["disabled"].client_id, disabled=True)
    alice = sign_in(node)
    node.clock.advance(1)
    await alice.redeemed(by_name["used"], await alice.code(by_name["used"], scope=frozenset({"profile"})))

    node.clock.advance(14 * 86400 - 1)
    node.purge.delete_expired()
    assert {it.name for it in node.clients()} == {"used", "disabled"}
    node.clock.advance(1)
    node.purge.delete_expired()
    assert {it.name for it in node.clients()} == {"disabled"}
