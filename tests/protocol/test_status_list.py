"""Token Status Lists (draft-ietf-oauth-status-list): what is in them, and how they are served.

That the tokens of ended sessions are listed is tested with the ways to end them, in test_what_ends_what.py.
"""

from typing import Any
from unittest.mock import Mock

import pytest
from sqlalchemy import update

from jeton.admin import clients, sessions
from jeton.oauth.token_status_list import STATUSES_PER_LIST
from jeton.rules.key_lifecycle import KeyState
from jeton.storage.database import StorageUnavailableError
from jeton.storage.status_index_allocator import load_next_status_index
from jeton.storage.tables import families, status_counter
from support.in_process_server import ISSUER, START, App, Running, StartServer
from support.responses import outcome
from support.signing_keys import by_state, signer_of, stored_keys
from support.status_lists import is_listed, reference, status_list
from support.stored_sessions import sid_of

PATH = "/oauth/status/0"
URI = ISSUER + PATH


@pytest.mark.requirement("C06", "D10", "Q04")
async def test_tokens_of_one_session_share_an_index_and_are_never_listed_alone(jeton: Running, app: App) -> None:
    first, second = await jeton.log_in(app), await jeton.log_in(app)
    later = await jeton.refreshed(app, first["refresh_token"])

    assert reference(later["access_token"]) == reference(first["access_token"])
    assert reference(second["access_token"]) != reference(first["access_token"])
    assert "status" not in await jeton.introspect(app, first["access_token"])
    await jeton.revoke(app, first["access_token"])
    jeton.shared_state.refresh()
    assert not await is_listed(jeton, later["access_token"])


@pytest.mark.both_databases
@pytest.mark.requirement("Q04")
async def test_session_is_listed_until_the_last_of_its_tokens_and_clock_skew_are_over(jeton: Running, app: App) -> None:
    first = await jeton.log_in(app)
    jeton.clock.advance(300)
    jeton.purge.delete_expired()
    last = await jeton.refreshed(app, first["refresh_token"])
    await jeton.revoke(app, last["refresh_token"])

    jeton.clock.advance(600 + 60 - 1)
    jeton.shared_state.refresh()
    assert await is_listed(jeton, last["access_token"])
    assert jeton.purge.delete_expired() == 0

    jeton.clock.advance(1)
    jeton.shared_state.refresh()
    assert not await is_listed(jeton, last["access_token"])
    # The session is deleted together with its status.
    assert jeton.purge.delete_expired() == 2


async def test_statuses_that_cannot_be_read_keep_no_server_from_its_keys(
    jeton: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There may be more of them than can be read in time."""
    jeton.rotation.rotate_now()
    failing = Mock(side_effect=StorageUnavailableError("canceling statement due to statement timeout"))
    monkeypatch.setattr("jeton.background.shared_state.load_revoked_indexes", failing)

    with pytest.raises(StorageUnavailableError):
        jeton.shared_state.refresh()

    assert jeton.keyring.signer.kid == by_state(stored_keys(jeton))[KeyState.ACTIVE]


@pytest.mark.both_databases
async def test_every_session_and_client_has_an_index_of_its_own(start: StartServer) -> None:
    nodes = [await start(), await start()]
    nodes[0].add_user()
    app = nodes[0].add_client()
    with nodes[0].database.write() as connection:
        added, _ = clients.register(connection, START, "added", {"public": True})

    for node in nodes * 3:
        await node.log_in(app)

    with nodes[0].database.read() as connection:
        taken = connection.scalars(families.select().with_only_columns(families.c.status_index)).all()
    assert len({*taken, app.client.status_index, added.status_index} - {None}) == 8


@pytest.mark.both_databases
async def test_indexes_whose_allocation_the_database_has_lost_are_allocated_again(jeton: Running, app: App) -> None:
    """After an asynchronous fail-over, another process would otherwise get the same indexes."""
    with jeton.database.read() as connection:
        before = load_next_status_index(connection)
    await jeton.log_in(app)
    with jeton.database.write() as connection:
        allocated = load_next_status_index(connection)
        connection.execute(update(status_counter).values(next_index=before))

    jeton.shared_state.refresh()

    with jeton.database.read() as connection:
        assert load_next_status_index(connection) == allocated > before


@pytest.mark.requirement("Q04")
async def test_tokens_of_a_disabled_client_are_listed_until_it_is_enabled_or_they_end(jeton: Running, app: App) -> None:
    own = (await jeton.token(app, grant_type="client_credentials")).json()
    here, there = await jeton.log_in(app), await jeton.log_in(app)
    with jeton.database.write() as connection:
        clients.disable(connection, START, app.client_id)
    jeton.shared_state.refresh()
    assert [await is_listed(jeton, it["access_token"]) for it in (own, here, there)] == [True, True, True]
    with jeton.database.write() as connection:
        sessions.revoke(connection, START, sid_of(there["refresh_token"]))
        clients.enable(connection, app.client_id)
    jeton.shared_state.refresh()

    assert [await is_listed(jeton, it["access_token"]) for it in (own, here, there)] == [False, False, True]
    assert await jeton.refreshed(app, here["refresh_token"])


@pytest.mark.requirement("Q04")
async def test_own_tokens_of_a_deleted_client_are_listed(jeton: Running, app: App) -> None:
    others = jeton.add_client("other")
    tokens = [(await jeton.token(it, grant_type="client_credentials")).json()["access_token"] for it in (app, others)]

    with jeton.database.write() as connection:
        clients.delete(connection, START, app.client_id)
    jeton.shared_state.refresh()

    assert [await is_listed(jeton, it) for it in tokens] == [True, False]


# How lists are served.


@pytest.mark.requirement("Q03", "Q05")
@pytest.mark.parametrize(("settings", "ttl"), [({}, 2), ({"TOKENS__STATUS_TTL_SECONDS": "1"}, 1)])
async def test_list_is_served_without_authentication_with_its_type_and_ttl(
    start: StartServer, settings: dict[str, str], ttl: int
) -> None:
    jeton = await start(**settings)
    response = await jeton.http.get(PATH)

    assert response.headers["content-type"] == "application/statuslist+jwt"
    assert response.headers["cache-control"] == f"public, max-age={ttl}"
    assert response.headers["access-control-allow-origin"] == "*"
    claims = await status_list(jeton, URI)
    assert (claims["iat"], claims["exp"], claims["ttl"]) == (START, START + 300, ttl)
    assert claims["status_list"].keys() == {"bits", "lst"}


@pytest.mark.requirement("Q05")
async def test_list_of_another_time_is_not_answered_by_the_present_one(shared_jeton: Running) -> None:
    response = await shared_jeton.http.get(PATH, params={"time": str(START - 1000)})

    assert (*outcome(response), response.headers["access-control-allow-origin"]) == (501, "invalid_request", "*")
    for other in ("time", "\u00e9"):
        assert (await shared_jeton.http.get(PATH, params={"x": other})).status_code == 200


@pytest.mark.requirement("Q05")
async def test_known_list_is_answered_304_until_it_changes(jeton: Running, app: App) -> None:
    tokens = await jeton.log_in(app)
    known = {"If-None-Match": (await jeton.http.get(PATH)).headers["etag"]}
    jeton.clock.advance(10)
    jeton.shared_state.refresh()

    unchanged = await jeton.http.get(PATH, headers=known)
    await jeton.revoke(app, tokens["refresh_token"])
    jeton.shared_state.refresh()
    changed = await jeton.http.get(PATH, headers=known)

    assert (unchanged.status_code, unchanged.content) == (304, b"")
    assert unchanged.headers["cache-control"] == "public, max-age=2"
    assert (changed.status_code, changed.headers["etag"] == known["If-None-Match"]) == (200, False)


@pytest.mark.requirement("Q03", "Q05")
async def test_list_is_signed_once_by_each_key(jeton: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    signer = jeton.keyring.signer
    sign, signed = signer.sign, []

    def counted(claims: dict[str, Any], typ: str) -> str:
        signed.append(typ)
        return sign(claims, typ)

    monkeypatch.setattr(signer, "sign", counted)
    answers = {(await jeton.http.get(PATH)).content for _ in range(5)}
    jeton.shared_state.refresh()
    answers.add((await jeton.http.get(PATH)).content)

    assert (len(answers), signed) == (1, ["statuslist+jwt"])
    jeton.rotation.rotate_now()
    jeton.shared_state.refresh()
    assert signer_of((await jeton.http.get(PATH)).text) == jeton.keyring.signer.kid != signer.kid
    await status_list(jeton, URI)


@pytest.mark.requirement("Q03")
@pytest.mark.parametrize(
    ("seconds", "refreshed", "issued_after"),
    [
        pytest.param(149, True, 0, id="young enough"),
        pytest.param(150, True, 150, id="half of its life is over"),
        pytest.param(1000, False, 0, id="a server without its database does not make it look fresh"),
    ],
)
async def test_list_is_signed_again_after_half_its_lifetime_unless_the_database_is_away(
    jeton: Running, seconds: int, refreshed: bool, issued_after: int
) -> None:
    await status_list(jeton, URI)
    jeton.clock.advance(seconds)
    if refreshed:
        jeton.shared_state.refresh()

    claims = await status_list(jeton, URI)

    assert (claims["iat"], claims["exp"]) == (START + issued_after, START + issued_after + 300)


@pytest.mark.requirement("Q05")
@pytest.mark.parametrize("number", ["2", "99999999999999999999", "-1", "00", "+0", "\u0660", "0x0", "a", "0/", "0.jwt"])
async def test_other_lists_and_spellings_of_their_numbers_are_not_found(shared_jeton: Running, number: str) -> None:
    response = await shared_jeton.http.get(f"/oauth/status/{number}")

    assert (response.status_code, response.json()["error"]) == (404, "invalid_request")


async def test_list_after_the_newest_exists_before_a_session_is_in_it(jeton: Running, app: App) -> None:
    """Another server may have opened that session since the last refresh of this one."""
    with jeton.database.write() as connection:
        connection.execute(status_counter.update().values(next_index=STATUSES_PER_LIST))
    await jeton.log_in(app)
    tokens = await jeton.log_in(app)

    assert reference(tokens["access_token"])["uri"] == f"{ISSUER}/oauth/status/1"
    assert not await is_listed(jeton, tokens["access_token"])
    await jeton.revoke(app, tokens["refresh_token"])
    jeton.shared_state.refresh()
    assert await is_listed(jeton, tokens["access_token"])


@pytest.mark.requirement("Q05")
@pytest.mark.parametrize("issuer", [ISSUER, "https://id.example/realms/main"])
async def test_all_lists_are_named_at_the_address_in_the_metadata(start: StartServer, issuer: str) -> None:
    jeton = await start(SERVER__ISSUER=issuer)
    metadata = (await jeton.http.get("/.well-known/oauth-authorization-server")).json()
    assert metadata["status_list_aggregation_endpoint"] == f"{issuer}/oauth/status"

    named = (await jeton.http.get(metadata["status_list_aggregation_endpoint"])).json()

    assert named == {"status_lists": [f"{issuer}/oauth/status/0", f"{issuer}/oauth/status/1"]}
    assert [(await jeton.http.get(it)).status_code for it in named["status_lists"]] == [200, 200]


async def test_without_status_lists_no_list_is_served_and_no_token_refers_to_one(start: StartServer) -> None:
    jeton = await start(TOKENS__STATUS_LIST="false")
    jeton.add_user()
    access_token = (await jeton.log_in(jeton.add_client()))["access_token"]
    metadata = (await jeton.http.get("/.well-known/oauth-authorization-server")).json()

    with pytest.raises(KeyError, match="status"):
        reference(access_token)
    assert "status_list_aggregation_endpoint" not in metadata
    assert [(await jeton.http.get(it)).status_code for it in ("/oauth/status", PATH)] == [404, 404]
