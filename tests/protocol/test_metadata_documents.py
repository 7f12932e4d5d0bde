"""Unregistered clients, known by their metadata documents (draft-ietf-oauth-client-id-metadata-document)."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from structlog.testing import capture_logs

from jeton.oauth.clients import Client
from jeton.oauth.resources import Resource
from jeton.storage.resources import update_resource
from jeton.storage.tables import metadata
from support.authorization_codes import add_app, add_resource, redeem
from support.browsing import Browser, authorization_parameters, browser
from support.client_keys import ClientKeyPair
from support.in_process_server import ISSUER, App, Running, StartServer
from support.metadata_documents import CALLBACK, DOCUMENT, Web

API = "https://api.example"


def app_at(url: str) -> App:
    """Return a client with this URL as its client_id and without a row in the database."""
    return App(Client(url, True, 0))


APP = app_at(DOCUMENT)


@pytest.fixture
def web(monkeypatch: pytest.MonkeyPatch) -> Web:
    """The documents that servers of this test can fetch."""
    web = Web()
    monkeypatch.setattr("jeton.bootstrap.clients.OutboundClient", lambda **_: web)
    return web


@pytest.fixture
async def node(start: StartServer, web: Web) -> Running:
    """A server with one open resource and a user."""
    web.publish()
    return await started(start)


@pytest.fixture
async def visitor(node: Running) -> AsyncIterator[Browser]:
    async with browser(node) as it:
        yield it


async def started(start: StartServer, **settings: str) -> Running:
    node = await start(**settings)
    node.add_user("alice")
    add_resource(node, API, "read", "write", open=True)
    return node


async def visit(visitor: Browser, app: App = APP, **more: Any) -> None:
    await visitor.sign_in_to(app, **{"resource": API, **more})


async def allow(node: Running, visitor: Browser, app: App = APP, **more: Any) -> dict[str, Any]:
    """Return the tokens of a client to whose request the visitor consents."""
    await visit(visitor, app, **more)
    await visitor.decide()
    return await tokens_of(node, visitor, app)


async def tokens_of(node: Running, visitor: Browser, app: App = APP) -> dict[str, Any]:
    response = await redeem(node, app, visitor.answer["code"])
    assert response.status_code == 200, response.text
    return dict(response.json())


def rows(node: Running) -> dict[str, int]:
    """Return the number of rows by table, without the audit trail, which is bounded and written later."""
    return {it.name: node.count(it) for it in metadata.tables.values() if it.name != "audit_records"}


@pytest.mark.both_databases
@pytest.mark.requirement("CI05", "CI15", "RI06")
async def test_client_has_a_row_from_its_first_consent_on(node: Running, visitor: Browser) -> None:
    before = rows(node)
    await visit(visitor)
    assert visitor.path == "/consent"
    after = rows(node)
    assert {it for it in before if before[it] != after[it]} == {"browser_sessions", "throttle_buckets"}
    await visitor.decide()
    (client,) = node.clients()
    assert (client.client_id, client.registration, client.public) == (DOCUMENT, "metadata_document", True)
    assert (client.resources, client.last_used_at) == ((API,), node.clock.now())
    tokens = await tokens_of(node, visitor)
    assert tokens["scope"] == "read"
    assert (await node.refreshed(APP, tokens["refresh_token"]))["scope"] == "read"
    claims = await node.introspect(node.add_client("api", introspect=True, audience=(API,)), tokens["access_token"])
    assert (claims["client_id"], claims["aud"]) == (DOCUMENT, API)


@pytest.mark.requirement("OI24")
async def test_algorithm_of_id_tokens_that_is_not_offered_is_an_error_for_good(
    node: Running, visitor: Browser, web: Web
) -> None:
    """No key is made for a client that anyone may be."""
    web.publish(id_token_signed_response_alg="ES256")
    node.shared_state.refresh()

    page = await visitor.authorize(APP, resource=API, scope="openid")

    assert "error=invalid_request" in page.text


@pytest.mark.requirement("CI06")
@pytest.mark.parametrize(
    ("client_id", "words"),
    [
        (DOCUMENT + "?other", "could not be identified"),
        ("https://other.example/client.json", "could not be identified"),
        ("https://app.example", "not known to this server"),
        ("http://127.0.0.1:8000/client.json", "not known to this server"),
    ],
)
async def test_without_a_document_there_is_an_error_page_and_no_redirect(
    node: Running, visitor: Browser, web: Web, client_id: str, words: str
) -> None:
    web.responses[DOCUMENT + "?other"] = web.responses[DOCUMENT]
    with capture_logs() as lines:
        await visit(visitor, app_at(client_id))
    assert visitor.page.status_code == 400
    assert words in visitor.page.text
    assert "app.example" not in visitor.page.text
    assert client_id in {it.get("client_id") for it in lines} or words.startswith("not known")
    assert node.clients() == []


@pytest.mark.requirement("CI06")
async def test_document_that_becomes_unavailable_stops_the_request(node: Running, visitor: Browser, web: Web) -> None:
    await visit(visitor)
    web.remove()
    node.clock.advance(601)
    await visitor.decide()
    assert "could not be identified" in visitor.page.text
    assert node.clients() == []


@pytest.mark.requirement("CI09", "CI15")
async def test_fetches_are_limited_before_they_are_made(start: StartServer, web: Web) -> None:
    node = await start(LIMITS__METADATA_DOCUMENTS_PER_ADDRESS="3")
    before = rows(node)
    async with browser(node) as visitor:
        for number in range(6):
            for client_id in (f"app-{number}", f"https://{number}/../a", f"https://made-up.example/{number}"):
                await visit(visitor, app_at(client_id))
    assert visitor.page.status_code == 429
    assert int(visitor.page.headers["retry-after"]) == 1200
    assert len(web.requests) == 3
    assert rows(node) == before


@pytest.mark.requirement("CI10", "CI12", "MC09", "DR13")
async def test_consent_page_shows_the_host_first_and_that_the_app_is_not_checked(
    node: Running, visitor: Browser, web: Web
) -> None:
    web.publish(client_name="Your bank", logo_uri="https://app.example/logo.png")
    await visit(visitor)
    text = visitor.page.text
    assert text.index("<strong>app.example</strong>") < text.index("Your bank")
    assert "Nobody has checked this app" in text
    assert "logo" not in text
    assert "It runs on this device" not in text


@pytest.mark.requirement("CI16", "MC09", "NA04", "CN05")
async def test_app_on_the_device_needs_consent_each_time_and_is_marked(
    node: Running, visitor: Browser, web: Web
) -> None:
    web.publish(redirect_uris=["http://127.0.0.1/callback", "http://localhost/callback"])
    for port in (49152, 50001):
        for host in ("127.0.0.1", "localhost"):
            uri = f"http://{host}:{port}/callback"
            await visit(visitor, redirect_uri=uri)
            assert visitor.path == "/consent"
            assert "It runs on this device" in visitor.page.text
            await visitor.decide()
            assert visitor.page.headers["location"].startswith(f"{uri}?code=")


@pytest.mark.requirement("CN05", "CI10")
@pytest.mark.parametrize(
    ("lists", "words"),
    [
        ({"ASK": "app.example"}, "Nobody has checked this app"),
        ({"DENY": "app.example"}, "could not be identified"),
        ({"DENY": "*", "ALLOW": "app.example"}, "Allow access?"),
        ({"CLIENT_ID_METADATA_DOCUMENTS": "false"}, "not known to this server"),
    ],
)
async def test_domain_lists_deny_allow_or_require_a_warning(
    start: StartServer, web: Web, lists: dict[str, str], words: str
) -> None:
    web.publish()
    node = await started(start, **{f"REGISTRATION__{name}": value for name, value in lists.items()})
    async with browser(node) as visitor:
        await visit(visitor)
    assert words in visitor.page.text
    assert ("Nobody has checked" in visitor.page.text) is ("ASK" in lists)
    assert web.requests == ([] if "not" in words else [DOCUMENT])


@pytest.mark.requirement("CN03", "CN05", "CI11", "RR07")
@pytest.mark.parametrize(
    "change",
    [
        {"redirect_uris": [CALLBACK, "https://app.example/other"]},
        {"client_name": "Another app"},
        {"client_uri": "https://app.example/"},
    ],
)
async def test_changed_app_needs_a_new_consent(
    node: Running, visitor: Browser, web: Web, change: dict[str, Any]
) -> None:
    await allow(node, visitor)
    await visit(visitor, prompt="none")
    assert "code" in visitor.answer, "remembered"
    web.publish(**change)
    node.clock.advance(601)
    await visit(visitor)
    if "client_uri" not in change:
        assert visitor.path == "/consent"
        await visitor.decide()
        await visit(visitor)
    assert "code" in visitor.answer, "remembered as it is now"


@pytest.mark.requirement("CI11")
async def test_consent_page_of_an_app_that_has_changed_since_is_shown_again(
    node: Running, visitor: Browser, web: Web
) -> None:
    await visit(visitor)
    web.publish(client_name="Another app")
    node.clock.advance(601)
    await visitor.get(str(visitor.page.url))
    assert "Another app" in visitor.page.text
    web.publish()
    node.clock.advance(601)
    await visitor.decide()
    assert visitor.path == "/consent"
    assert "An app" in visitor.page.text
    assert node.clients() == []
    await visitor.decide()
    assert "code" in visitor.answer
    assert [it.name for it in node.clients()] == ["An app"]


@pytest.mark.requirement("RR06", "RR07")
@pytest.mark.parametrize("response_mode", ["query", "form_post"])
@pytest.mark.parametrize(
    ("wrong", "error"), [({"prompt": "none"}, "login_required"), ({"scope": "nonsense"}, "invalid_scope")]
)
async def test_error_reaches_an_unknown_client_only_after_the_person_continues(
    node: Running, visitor: Browser, wrong: dict[str, str], error: str, response_mode: str
) -> None:
    await visitor.authorize(APP, response_mode=response_mode, **wrong)
    assert visitor.page.status_code == 200
    assert error in visitor.page.text
    assert "app.example" in visitor.page.text
    assert "http-equiv" not in visitor.page.text
    assert "data-submit" not in visitor.page.text


@pytest.mark.requirement("RR06")
async def test_error_is_redirected_to_clients_that_an_administrator_knows(start: StartServer, web: Web) -> None:
    web.publish()
    node = await started(start, REGISTRATION__ALLOW="app.example")
    async with browser(node) as visitor:
        for app in (APP, add_app(node)):
            await visitor.authorize(app, prompt="none")
            assert visitor.answer["error"] == "login_required"


@pytest.mark.requirement("RI06", "MC17")
@pytest.mark.parametrize(
    ("parameters", "audience", "scope"),
    [
        ({"scope": "read admin openid email"}, [API, ISSUER], "openid read"),
        ({"scope": None}, API, "read write"),
        ({"scope": "read", "resource": None}, API, "read"),
    ],
)
async def test_unregistered_client_gets_only_open_scopes_and_resources(
    node: Running, visitor: Browser, parameters: dict[str, Any], audience: str | list[str], scope: str
) -> None:
    tokens = await allow(node, visitor, **parameters)
    assert sorted(tokens["scope"].split()) == scope.split()
    api = node.add_client("api", introspect=True, audience=(API,))
    assert (await node.introspect(api, tokens["access_token"]))["aud"] == audience


@pytest.mark.requirement("RI06")
async def test_token_without_a_resource_is_for_this_server_and_for_signing_in(start: StartServer, web: Web) -> None:
    web.publish()
    node = await started(start, TOKENS__DEFAULT_AUDIENCE="https://own.example")
    add_resource(node, "https://other.example", "read", open=True)
    async with browser(node) as visitor:
        await visitor.authorize(APP, scope="read")
        assert "invalid_scope" in visitor.page.text
        tokens = await allow(node, visitor, scope="openid profile read", resource=None)
    assert sorted(tokens["scope"].split()) == ["openid", "profile"]
    claims = await node.introspect(node.add_client("api", introspect=True, audience=(ISSUER,)), tokens["access_token"])
    assert claims["aud"] == ISSUER
    answer = await node.http.get("/oauth/userinfo", headers={"Authorization": f"Bearer {tokens['access_token']}"})
    assert answer.status_code == 200


@pytest.mark.requirement("CI10", "CI11")
@pytest.mark.parametrize("setting", [{"DENY": "app.example"}, {"CLIENT_ID_METADATA_DOCUMENTS": "false"}])
async def test_client_denied_later_loses_its_sessions_and_others_need_no_document(
    start: StartServer, node: Running, visitor: Browser, web: Web, setting: dict[str, str]
) -> None:
    tokens = await allow(node, visitor)
    other = await start(**{f"REGISTRATION__{name}": value for name, value in setting.items()})
    assert (await other.refresh(APP, tokens["refresh_token"])).json()["error"] == "invalid_client"
    web.remove()
    node.clock.advance(601)
    assert (await node.refresh(APP, tokens["refresh_token"])).status_code == 200


@pytest.mark.requirement("RI06")
@pytest.mark.both_databases
async def test_closing_a_resource_ends_sessions_there_and_takes_its_scopes(node: Running, visitor: Browser) -> None:
    tokens = await allow(node, visitor, scope="read")
    with node.database.write() as connection:
        update_resource(connection, Resource(API, "Notes", frozenset({"read", "write"})))
    node.shared_state.refresh()
    node.shared_state.apply_ceiling()
    (client,) = node.clients()
    assert (client.resources, "read" in client.scope, client.audience) == ((), False, (ISSUER,))
    refused = await node.refresh(APP, tokens["refresh_token"])
    assert refused.json()["error"] == "invalid_grant"


@pytest.mark.requirement("CI10")
async def test_disabled_client_is_refused_without_a_fetch(node: Running, visitor: Browser, web: Web) -> None:
    tokens = await allow(node, visitor)
    node.set_client(DOCUMENT, disabled=True)
    node.clock.advance(601)
    web.requests.clear()
    await visit(visitor)
    assert "not known to this server" in visitor.page.text
    assert (await node.refresh(APP, tokens["refresh_token"])).json()["error"] == "invalid_client"
    assert web.requests == []


@pytest.mark.requirement("CI14", "MC17")
async def test_metadata_say_what_every_client_may_use(start: StartServer, web: Web) -> None:
    node = await started(start)
    node.add_client(scope=frozenset({"openid", "email", "internal"}))
    found = (await node.http.get("/.well-known/oauth-authorization-server")).json()
    assert found["client_id_metadata_document_supported"] is True
    assert found["scopes_supported"] == ["openid", "profile", "email", "offline_access", "read", "write"]
    assert found["authorization_endpoint"] == ISSUER + "/oauth/authorize"
    other = await start(REGISTRATION__CLIENT_ID_METADATA_DOCUMENTS="false")
    closed = (await other.http.get("/.well-known/oauth-authorization-server")).json()
    assert "client_id_metadata_document_supported" not in closed


@pytest.mark.requirement("PA01", "CI01", "CI15")
async def test_request_may_be_pushed_before_there_is_a_row(node: Running, visitor: Browser) -> None:
    before, form = rows(node), authorization_parameters(APP)
    pushed = await node.post("/oauth/par", APP, None, **form)
    assert pushed.status_code == 201, pushed.text
    assert rows(node) == before

    await visitor.get("/oauth/authorize", client_id=DOCUMENT, request_uri=pushed.json()["request_uri"])
    await visitor.sign_in()
    await visitor.decide()

    assert (await tokens_of(node, visitor))["scope"] == "read"
    unknown = await node.post("/oauth/par", None, None, **form | {"client_id": "https://nowhere.example/client"})
    assert (unknown.status_code, unknown.json()["error"]) == (401, "invalid_client")


@pytest.mark.requirement("CI04", "CI11")
async def test_client_proves_itself_by_the_keys_of_its_document(node: Running, visitor: Browser, web: Web) -> None:
    key, later_key = ClientKeyPair(), ClientKeyPair(kid="key 2")
    web.publish(token_endpoint_auth_method="private_key_jwt", jwks=key.jwks)
    await visit(visitor)
    await visitor.decide()
    code = visitor.answer["code"]
    assert (await redeem(node, APP, code)).json()["error"] == "invalid_client"
    assertion = key.assertion(node, DOCUMENT)
    redeemed = await redeem(node, None, code, **assertion)
    assert redeemed.status_code == 200, redeemed.text

    web.publish(token_endpoint_auth_method="private_key_jwt", jwks=later_key.jwks)
    node.clock.advance(601)
    form = {"grant_type": "refresh_token", "refresh_token": redeemed.json()["refresh_token"]}
    removed = await node.token(None, None, **form, **key.assertion(node, DOCUMENT))
    assert removed.json()["error"] == "invalid_client"
    assert (await node.token(None, None, **form, **later_key.assertion(node, DOCUMENT))).status_code == 200
    await visit(visitor)
    assert visitor.path == "/consent", "its keys are not those that were allowed"

    web.remove()
    node.clock.advance(601)
    form |= {"refresh_token": "x"}
    unavailable = await node.token(None, None, **form, **later_key.assertion(node, DOCUMENT))
    assert (unavailable.status_code, unavailable.json()["error"]) == (503, "temporarily_unavailable")


@pytest.mark.parametrize("length", [128, 129, 512, 513])
async def test_client_id_may_be_longer_if_it_is_a_url(node: Running, visitor: Browser, web: Web, length: int) -> None:
    app = app_at(web.publish("https://app.example/".ljust(length, "a")))
    await visit(visitor, app)
    if length > 512:
        assert "not known to this server" in visitor.page.text
        return
    await visitor.decide()
    tokens = await tokens_of(node, visitor, app)
    assert (await node.refresh(app, tokens["refresh_token"])).status_code == 200
