"""Token Status Lists (draft-ietf-oauth-status-list): what has ended is seen by services that ask nobody per request."""

from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest

from jeton.oauth.token_status_list import STATUSES_PER_LIST
from jeton.storage.tables import families, invalid_statuses, status_counter
from support.cli_functions import (
    command,
    configured_for,
    delete_client,
    delete_user,
    disable_user,
    revoke_all_sessions,
    set_password,
)
from support.in_process_server import ISSUER, START, App, Running
from support.status_lists import is_listed, reference, status_list

Start = Callable[..., Awaitable[Running]]
End = Callable[[Running, App, dict[str, Any]], Awaitable[Any]]
NONE = {"sid": None, "username": None, "client_id": None, "everything": False}


@pytest.fixture
def commands(database_url: str, jeton: Running, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Commands act on this test's database, at this test's time."""
    monkeypatch.setattr("jeton.cli.options.Clock", lambda: jeton.clock)
    with configured_for(database_url):
        yield


@pytest.fixture
def app(jeton: Running) -> App:
    jeton.add_user()
    return jeton.add_client()


async def _replay(jeton: Running, app: App, tokens: dict[str, Any]) -> None:
    await jeton.refreshed(app, tokens["refresh_token"])
    assert (await jeton.refresh(app, tokens["refresh_token"])).status_code == 400


async def _revoke_session(_jeton: Running, _app: App, tokens: dict[str, Any]) -> None:
    sid = (await _jeton.introspect(_app, tokens["access_token"]))["sid"]
    await command("session", "revoke", **(NONE | {"sid": sid}))


WAYS_TO_END = {
    "refresh token revoked": lambda jeton, app, tokens: jeton.revoke(app, tokens["refresh_token"]),
    "refresh token replayed": _replay,
    "session revoked": _revoke_session,
    "user's sessions revoked": lambda *_: command("session", "revoke", **(NONE | {"username": "alice"})),
    "client's sessions revoked": lambda *_: command("session", "revoke", **(NONE | {"client_id": "web"})),
    "all sessions revoked": lambda *_: revoke_all_sessions(),
    "password changed": lambda *_: set_password("alice"),
    "user disabled": lambda *_: disable_user("alice"),
    "user deleted": lambda *_: delete_user("alice"),
    "client disabled": lambda *_: command("client", "disable", client_id="web"),
    "client deleted": lambda *_: delete_client("web"),
}


@pytest.mark.requirement("Q04", "Q05")
@pytest.mark.parametrize("end", WAYS_TO_END.values(), ids=WAYS_TO_END.keys())
@pytest.mark.usefixtures("commands")
async def test_however_a_session_ends_its_tokens_are_listed_and_no_others(jeton: Running, app: App, end: End) -> None:
    bob, other = jeton.add_user("bob"), jeton.add_client("other")
    alive = (await jeton.log_in(other, bob.username))["access_token"]
    tokens = await jeton.log_in(app)
    assert not await is_listed(jeton, tokens["access_token"])

    await end(jeton, app, tokens)
    jeton.maintenance.refresh()

    assert await is_listed(jeton, tokens["access_token"])
    if end is not WAYS_TO_END["all sessions revoked"]:
        assert not await is_listed(jeton, alive)


@pytest.mark.requirement("Q04")
async def test_tokens_of_one_session_share_a_place_and_sessions_do_not(jeton: Running, app: App) -> None:
    first, second = await jeton.log_in(app), await jeton.log_in(app)
    later = await jeton.refreshed(app, first["refresh_token"])

    assert reference(later["access_token"]) == reference(first["access_token"])
    assert reference(second["access_token"]) != reference(first["access_token"])


@pytest.mark.requirement("Q04")
async def test_a_session_is_listed_until_the_last_of_its_tokens_and_clock_skew_are_over(
    jeton: Running, app: App
) -> None:
    first = await jeton.log_in(app)
    jeton.clock.advance(300)
    jeton.maintenance.purge_expired()
    last = await jeton.refreshed(app, first["refresh_token"])
    await jeton.revoke(app, last["refresh_token"])

    jeton.clock.advance(600 + 60 - 1)
    jeton.maintenance.refresh()
    assert await is_listed(jeton, last["access_token"])
    assert jeton.maintenance.purge_expired() == 0

    jeton.clock.advance(1)
    jeton.maintenance.refresh()
    assert not await is_listed(jeton, last["access_token"])
    # The session goes with its status.
    assert jeton.maintenance.purge_expired() == 2


@pytest.mark.requirement("Q04")
async def test_a_session_whose_tokens_have_all_expired_is_never_listed(jeton: Running, app: App) -> None:
    tokens = await jeton.log_in(app)
    jeton.clock.advance(660)

    await jeton.revoke(app, tokens["refresh_token"])

    with jeton.database.read() as connection:
        assert connection.execute(invalid_statuses.select()).all() == []


@pytest.mark.requirement("Q04")
@pytest.mark.usefixtures("commands")
async def test_what_rested_with_its_client_goes_on_with_it_and_what_ended_meanwhile_does_not(
    jeton: Running, app: App
) -> None:
    resting, ended = await jeton.log_in(app), await jeton.log_in(app)
    own = (await jeton.token(app, None, grant_type="client_credentials")).json()["access_token"]
    sid = (await jeton.introspect(app, ended["access_token"]))["sid"]

    await command("client", "disable", client_id="web")
    jeton.maintenance.refresh()
    assert [await is_listed(jeton, it) for it in (resting["access_token"], own)] == [True, True]

    await command("session", "revoke", **(NONE | {"sid": sid}))
    await command("client", "enable", client_id="web")
    jeton.maintenance.refresh()
    listed = [await is_listed(jeton, it) for it in (resting["access_token"], own, ended["access_token"])]
    assert listed == [False, False, True]


@pytest.mark.requirement("Q04")
@pytest.mark.parametrize("how", ["disable", "delete"])
@pytest.mark.usefixtures("commands")
async def test_a_refused_client_s_own_tokens_are_listed(jeton: Running, app: App, how: str) -> None:
    own = (await jeton.token(app, None, grant_type="client_credentials")).json()["access_token"]
    others = (await jeton.token(jeton.add_client("other"), None, grant_type="client_credentials")).json()

    await command("client", how, client_id="web")
    jeton.maintenance.refresh()

    assert await is_listed(jeton, own)
    assert not await is_listed(jeton, others["access_token"])


@pytest.mark.usefixtures("commands")
async def test_a_client_added_by_command_has_a_place_of_its_own(jeton: Running, app: App) -> None:
    registration = dict.fromkeys(
        (
            *("scope", "default_scope", "audience", "auth_methods", "claims", "origins", "grant_types"),
            *("redirect_uris", "post_logout_redirect_uris", "resources"),
        ),
        (),
    )
    single = dict.fromkeys(
        (
            *("introspect", "retry_grace_seconds", "access_seconds", "refresh_idle_seconds"),
            *("refresh_absolute_seconds", "session_binding", "name", "logo", "application_type", "first_party"),
            *("require_pkce", "refresh_token", "backchannel_logout_uri", "backchannel_logout_session_required"),
            "id_token_alg",
        )
    )
    arguments = {**registration, **single}
    await command("client", "add", client_id="added", public=True, **arguments)

    added = await jeton.lookups.client("added")
    assert added is not None
    assert added.status_index is not None
    assert added.status_index != app.client.status_index


@pytest.mark.requirement("C06")
async def test_one_access_token_revoked_is_not_listed_since_its_place_is_its_session_s(
    jeton: Running, app: App
) -> None:
    tokens = await jeton.log_in(app)

    await jeton.revoke(app, tokens["access_token"])
    jeton.maintenance.refresh()

    assert not await is_listed(jeton, tokens["access_token"])


# How lists are served.


@pytest.mark.requirement("Q03", "Q05")
async def test_a_list_is_served_to_anybody_with_its_type_and_for_its_ttl(jeton: Running, app: App) -> None:
    response = await jeton.http.get("/oauth/status/0")

    assert response.headers["content-type"] == "application/statuslist+jwt"
    assert response.headers["cache-control"] == "public, max-age=2"
    assert response.headers["access-control-allow-origin"] == "*"
    claims = await status_list(jeton, f"{ISSUER}/oauth/status/0")
    assert (claims["iat"], claims["exp"], claims["ttl"]) == (START, START + 300, 2)
    assert claims["status_list"].keys() == {"bits", "lst"}


@pytest.mark.requirement("Q05")
async def test_who_has_the_list_is_told_so_until_it_changes(jeton: Running, app: App) -> None:
    tokens = await jeton.log_in(app)
    etag = (await jeton.http.get("/oauth/status/0")).headers["etag"]
    jeton.clock.advance(10)
    jeton.maintenance.refresh()

    unchanged = await jeton.http.get("/oauth/status/0", headers={"If-None-Match": etag})
    await jeton.revoke(app, tokens["refresh_token"])
    jeton.maintenance.refresh()
    changed = await jeton.http.get("/oauth/status/0", headers={"If-None-Match": etag})

    assert (unchanged.status_code, unchanged.content) == (304, b"")
    assert unchanged.headers["cache-control"] == "public, max-age=2"
    assert (changed.status_code, changed.headers["etag"] == etag) == (200, False)


@pytest.mark.requirement("Q05")
async def test_a_list_is_signed_once_however_often_it_is_asked_for(
    jeton: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    signer = jeton.keyring.signer
    sign, signed = signer.sign, []

    def counted(claims: dict[str, Any], typ: str) -> str:
        signed.append(typ)
        return sign(claims, typ)

    monkeypatch.setattr(signer, "sign", counted)
    answers = {(await jeton.http.get("/oauth/status/0")).content for _ in range(5)}
    jeton.maintenance.refresh()
    answers.add((await jeton.http.get("/oauth/status/0")).content)

    assert (len(answers), signed) == (1, ["statuslist+jwt"])


@pytest.mark.requirement("Q03")
async def test_a_list_is_signed_anew_when_half_its_time_is_over(jeton: Running) -> None:
    uri = f"{ISSUER}/oauth/status/0"
    await status_list(jeton, uri)

    for seconds, issued_at in [(149, START), (1, START + 150)]:
        jeton.clock.advance(seconds)
        jeton.maintenance.refresh()
        assert (await status_list(jeton, uri))["iat"] == issued_at


@pytest.mark.requirement("Q03")
async def test_a_server_that_does_not_hear_its_database_does_not_make_a_list_look_fresh(jeton: Running) -> None:
    uri = f"{ISSUER}/oauth/status/0"
    await status_list(jeton, uri)

    jeton.clock.advance(1000)

    assert (await status_list(jeton, uri))["exp"] == START + 300


@pytest.mark.requirement("Q05")
@pytest.mark.parametrize("number", ["2", "99999999999999999999", "-1", "00", "+0", "\u0660", "0x0", "a", "0/", "0.jwt"])
async def test_there_is_no_other_list_and_no_other_spelling_of_one(jeton: Running, number: str) -> None:
    response = await jeton.http.get(f"/oauth/status/{number}")

    assert response.status_code == 404
    assert response.json()["error"] == "invalid_request"


async def test_the_list_after_the_newest_is_there_before_a_session_is_in_it(jeton: Running, app: App) -> None:
    """Another server may have opened that session since our last look."""
    with jeton.database.write() as connection:
        connection.execute(status_counter.update().values(next_index=STATUSES_PER_LIST))
    await jeton.log_in(app)
    tokens = await jeton.log_in(app)

    assert reference(tokens["access_token"])["uri"] == f"{ISSUER}/oauth/status/1"
    assert not await is_listed(jeton, tokens["access_token"])
    await jeton.revoke(app, tokens["refresh_token"])
    jeton.maintenance.refresh()
    assert await is_listed(jeton, tokens["access_token"])


@pytest.mark.requirement("Q05")
async def test_all_lists_are_named_at_the_address_in_the_metadata(jeton: Running) -> None:
    metadata = (await jeton.http.get("/.well-known/oauth-authorization-server")).json()

    address = metadata["status_list_aggregation_endpoint"].removeprefix(ISSUER)

    assert (await jeton.http.get(address)).json() == {
        "status_lists": [f"{ISSUER}/oauth/status/0", f"{ISSUER}/oauth/status/1"]
    }


async def test_an_issuer_s_path_is_part_of_the_address_of_its_lists(start: Start) -> None:
    issuer = "https://id.example/realms/main"
    jeton = await start(SERVER__ISSUER=issuer)

    named = (await jeton.http.get("/realms/main/oauth/status")).json()["status_lists"]

    assert named[0] == f"{issuer}/oauth/status/0"
    assert (await jeton.http.get("/realms/main/oauth/status/0")).status_code == 200


# Several servers, several keys, and none of it.


@pytest.mark.requirement("Q04")
async def test_what_ends_at_one_server_is_in_the_list_of_another_after_its_next_look(start: Start) -> None:
    first, second = await start(), await start()
    first.add_user()
    app = first.add_client()
    tokens = await first.log_in(app)

    await first.revoke(app, tokens["refresh_token"])
    assert not await is_listed(second, tokens["access_token"])
    second.maintenance.refresh()

    assert await is_listed(second, tokens["access_token"])


async def test_two_servers_never_give_two_sessions_one_place(start: Start) -> None:
    nodes = [await start(), await start()]
    nodes[0].add_user()
    app = nodes[0].add_client()

    for _ in range(3):
        for node in nodes:
            await node.log_in(app)

    with nodes[0].database.read() as connection:
        taken = connection.scalars(families.select().with_only_columns(families.c.status_index)).all()
    assert len(set(taken)) == 6
    assert app.client.status_index not in taken


@pytest.mark.requirement("Q03")
@pytest.mark.usefixtures("commands")
async def test_after_a_rotation_of_keys_the_list_is_signed_by_the_new_one(jeton: Running, app: App) -> None:
    tokens = await jeton.log_in(app)
    await status_list(jeton, reference(tokens["access_token"])["uri"])
    before = jeton.keyring.signer.kid

    await command("keys", "rotate", force=True)
    jeton.maintenance.refresh()

    assert jeton.keyring.signer.kid != before
    await jeton.revoke(app, tokens["refresh_token"])
    jeton.maintenance.refresh()
    assert await is_listed(jeton, tokens["access_token"])


async def test_the_ttl_is_a_setting(start: Start) -> None:
    jeton = await start(TOKENS__STATUS_TTL_SECONDS="1")

    assert (await status_list(jeton, f"{ISSUER}/oauth/status/0"))["ttl"] == 1
    assert (await jeton.http.get("/oauth/status/0")).headers["cache-control"] == "public, max-age=1"


async def test_switched_off_there_are_no_lists_and_no_token_names_one(start: Start) -> None:
    jeton = await start(TOKENS__STATUS_LIST="false")
    jeton.add_user()
    access_token = (await jeton.log_in(jeton.add_client()))["access_token"]

    with pytest.raises(KeyError, match="status"):
        reference(access_token)
    assert (
        "status_list_aggregation_endpoint"
        not in (await jeton.http.get("/.well-known/oauth-authorization-server")).json()
    )
    assert [(await jeton.http.get(it)).status_code for it in ("/oauth/status", "/oauth/status/0")] == [404, 404]


@pytest.mark.requirement("D10")
async def test_introspection_does_not_speak_of_it(jeton: Running, app: App) -> None:
    access_token = (await jeton.log_in(app))["access_token"]

    assert "status" not in await jeton.introspect(app, access_token)
