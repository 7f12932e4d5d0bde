"""Management of a registration by its client (RFC 7592)."""

from typing import Any, Final

import httpx2
import pytest
from sqlalchemy import Connection, update

from jeton.oauth.clients import Client
from jeton.storage.clients import load_clients, lock_client
from jeton.storage.tables import clients
from support.authorization_codes import add_resource, redeem, sign_in
from support.browsing import browser
from support.builders import CALLBACK
from support.in_process_server import App, Running, StartServer

REGISTER: Final = "/oauth/register"
OTHER: Final = "https://app.example/other"
GRANTS: Final = ["authorization_code", "refresh_token"]
RESOURCE: Final = "https://photos.example"
METADATA: Final = {"redirect_uris": [CALLBACK], "grant_types": GRANTS, "client_name": "Photos", "scope": "read"}

Answer = dict[str, Any]


@pytest.fixture
async def node(start: StartServer) -> Running:
    node = await start(REGISTRATION__DYNAMIC="open", REGISTRATION__SCOPES="read write")
    add_resource(node, RESOURCE, open=True)
    return node


@pytest.fixture
async def registered(node: Running) -> Answer:
    answer = await node.http.post(REGISTER, json=METADATA)
    return dict(answer.json())


async def manage(
    node: Running, method: str, registered: Answer, document: Any = None, **changed: str
) -> httpx2.Response:
    """Send a request with the registration access token, or with another `token` or `client_id`."""
    client_id = changed.get("client_id", registered["client_id"])
    token = changed.get("token", registered["registration_access_token"])
    headers = {"Authorization": f"Bearer {token}"}
    body = {} if document is None else {"json": document}
    return await node.http.request(method, f"{REGISTER}/{client_id}", headers=headers, **body)


def stored(node: Running, registered: Answer) -> Client:
    client_id = registered["client_id"]
    with node.database.read() as connection:
        return load_clients(connection, [client_id])[client_id]


def without_secret(registered: Answer) -> Answer:
    return {name: it for name, it in registered.items() if not name.startswith("client_secret")}


@pytest.mark.requirement("DR14", "DR15")
async def test_client_reads_its_registration_without_its_secret(node: Running, registered: Answer) -> None:
    answer = await manage(node, "GET", registered)

    assert (answer.status_code, answer.json()) == (200, without_secret(registered))
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.requirement("DR15", "DR17")
async def test_update_replaces_everything(node: Running, registered: Answer) -> None:
    update = {
        "client_id": registered["client_id"],
        "client_secret": registered["client_secret"],
        "redirect_uris": [OTHER],
        "scope": "write admin",
        "token_endpoint_auth_method": "client_secret_post",
    }

    answer = await manage(node, "PUT", registered, update)

    assert answer.status_code == 200
    changed = {
        "redirect_uris": [OTHER],
        "grant_types": ["authorization_code"],
        "scope": "write",
        "token_endpoint_auth_method": "client_secret_post",
    }
    expected = {**without_secret(registered), **changed}
    del expected["client_name"]
    assert answer.json() == expected
    assert (await manage(node, "GET", registered)).json() == expected
    client = stored(node, registered)
    assert (client.name, client.redirect_uris, client.registration) == (None, frozenset({OTHER}), "dynamic")


@pytest.mark.requirement("DR15")
async def test_update_does_not_take_back_what_an_administrator_demands(node: Running, registered: Answer) -> None:
    node.set_client(registered["client_id"], require_dpop=True, require_par=True)

    answer = await manage(node, "PUT", registered, {**METADATA, "client_id": registered["client_id"]})

    demanded = answer.json()["dpop_bound_access_tokens"], answer.json()["require_pushed_authorization_requests"]
    client = stored(node, registered)
    assert (*demanded, client.require_dpop, client.require_par) == (True, True, True, True)


@pytest.mark.requirement("DR15", "DR09")
@pytest.mark.parametrize(
    ("members", "error"),
    [
        pytest.param({"client_id": None}, "invalid_client_metadata", id="no client_id"),
        pytest.param({"client_id": "dcr_other"}, "invalid_client_metadata", id="other client_id"),
        pytest.param({"client_secret": "jcs_other"}, "invalid_client_metadata", id="chosen secret"),
        pytest.param({"client_secret": 1}, "invalid_client_metadata", id="secret not a string"),
        pytest.param({"client_id_issued_at": 1}, "invalid_client_metadata", id="member of the server"),
        pytest.param({"token_endpoint_auth_method": "none"}, "invalid_client_metadata", id="public"),
        pytest.param({"redirect_uris": []}, "invalid_redirect_uri", id="nowhere to go"),
    ],
)
async def test_update_of_members_that_clients_cannot_choose_changes_nothing(
    node: Running, registered: Answer, members: Answer, error: str
) -> None:
    update = {**METADATA, "client_id": registered["client_id"], "client_name": "Other", **members}

    answer = await manage(node, "PUT", registered, update)

    assert (answer.status_code, answer.json()["error"]) == (400, error)
    assert (await manage(node, "GET", registered)).json() == without_secret(registered)


@pytest.mark.requirement("DR08", "DR13", "DR15")
async def test_consent_page_warns_of_an_unchecked_app_and_returns_after_a_change(
    node: Running, registered: Answer
) -> None:
    node.add_user()
    app = App(stored(node, registered))
    async with browser(node) as it:
        await it.sign_in_to(app, resource=RESOURCE)
        assert "Nobody has checked this app." in it.page.text
        assert "app.example" in it.page.text
        await it.decide()
        await it.authorize(app, resource=RESOURCE)
        assert "code" in it.answer, "it is remembered"

        update = {**METADATA, "client_id": registered["client_id"], "redirect_uris": [CALLBACK, OTHER]}
        assert (await manage(node, "PUT", registered, update)).status_code == 200
        node.shared_state.refresh()
        await it.authorize(app, resource=RESOURCE)
        assert it.path == "/consent"


@pytest.mark.requirement("DR15")
async def test_consent_page_of_a_client_changed_just_now_is_not_accepted(node: Running, registered: Answer) -> None:
    node.add_user()
    async with browser(node) as it:
        await it.sign_in_to(App(stored(node, registered)))
        update = {**METADATA, "client_id": registered["client_id"], "client_name": "Other"}
        # The server has cached the client, and does not know of the change yet.
        assert (await manage(node, "PUT", registered, update)).status_code == 200
        await it.decide()
        assert it.answer["error"] == "consent_required"


@pytest.mark.both_databases
@pytest.mark.requirement("DR15", "DR16")
async def test_deletion_ends_the_client_its_tokens_and_its_sessions_at_once(node: Running, registered: Answer) -> None:
    app, alice = App(stored(node, registered), registered["client_secret"]), sign_in(node)
    resource_server = node.add_client("api", introspect=True)
    tokens, code = await alice.redeemed(app), await alice.code(app)

    answer = await manage(node, "DELETE", registered)

    assert (answer.status_code, answer.content) == (204, b"")
    assert (await node.introspect(resource_server, tokens["access_token"])) == {"active": False}
    for after in (await node.refresh(app, tokens["refresh_token"]), await redeem(node, app, code)):
        assert (after.status_code, after.json()["error"]) == (400, "invalid_grant")
    node.shared_state.refresh()
    assert (await node.refresh(app, tokens["refresh_token"])).json()["error"] == "invalid_client"
    assert (await manage(node, "GET", registered)).status_code == 401
    assert (await manage(node, "DELETE", registered)).status_code == 401


@pytest.mark.both_databases
@pytest.mark.requirement("DR12", "DR16", "A54")
async def test_wrong_tokens_and_unknown_clients_get_the_same_refusal(node: Running, registered: Answer) -> None:
    other = (await node.http.post(REGISTER, json=METADATA)).json()
    shared = (await node.http.post(REGISTER, json={**METADATA, "token_endpoint_auth_method": "none"})).json()
    node.add_client("web")
    assert "registration_access_token" not in shared

    refused = [
        await manage(node, method, registered, document, **wrong)
        for method, document in (("GET", None), ("PUT", METADATA), ("DELETE", None))
        for wrong in (
            {"token": other["registration_access_token"]},
            {"token": registered["client_secret"]},
            {"client_id": shared["client_id"]},
            {"client_id": "web"},
            {"client_id": "dcr_unknown"},
            {"client_id": "x" * 600},
            {"client_id": "dcr_%00"},
        )
    ]

    assert {(it.status_code, it.text, it.headers["www-authenticate"]) for it in refused} == {
        (401, refused[0].text, refused[0].headers["www-authenticate"])
    }
    assert (await node.http.get(f"{REGISTER}/{registered['client_id']}")).status_code == 401
    assert (await manage(node, "GET", registered)).status_code == 200


@pytest.mark.requirement("DR16")
@pytest.mark.parametrize("method", ["PUT", "DELETE"])
async def test_client_that_is_disabled_in_between_is_not_changed(
    node: Running, registered: Answer, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def disable_first(connection: Connection, client_id: str) -> Client | None:
        connection.execute(update(clients).values(disabled=True))
        return lock_client(connection, client_id)

    monkeypatch.setattr("jeton.storage.client_registrations.lock_client", disable_first)
    update_of_all = {**METADATA, "client_id": registered["client_id"], "client_name": "Other"}

    answer = await manage(node, method, registered, update_of_all if method == "PUT" else None)

    assert (answer.status_code, answer.json()["error"]) == (403, "access_denied")
    assert (await manage(node, "GET", registered)).json() == without_secret(registered)


@pytest.mark.requirement("DR16")
@pytest.mark.parametrize("method", ["POST", "PATCH", "OPTIONS"])
async def test_other_methods_are_refused(node: Running, registered: Answer, method: str) -> None:
    answer = await manage(node, method, registered)

    assert answer.status_code == 405
    assert set(answer.headers["allow"].split(", ")) == {"GET", "HEAD", "PUT", "DELETE"}
