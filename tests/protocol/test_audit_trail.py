"""The audit trail: each change is recorded in its transaction, with who, where, and how it ended (ADR 0037)."""

from collections.abc import Awaitable, Callable

import pytest
from sqlalchemy import select

from jeton.admin.errors import NotFoundError
from jeton.admin.users import delete, disable
from jeton.oauth.audit_events import AuditRecord
from jeton.storage.tables import audit_records
from support.audit_trail import verified_records
from support.authorization_codes import add_app, redeem
from support.browsing import browser
from support.in_process_server import App, Running, StartServer

NEW_PASSWORD = "a much better battery horse"


def recorded(node: Running) -> list[AuditRecord]:
    """Return all records, which must verify."""
    return verified_records(node.database.url.render_as_string(hide_password=False))


def told(node: Running, skip: int = 0) -> list[tuple[str, str, str, str]]:
    return [(it.event, it.reason, it.actor, it.outcome) for it in recorded(node)[skip:]]


def ok(event: str, reason: str, actor: str) -> tuple[str, str, str, str]:
    return event, reason, actor, "success"


REFRESHED = ok("token_refreshed", "rotated", "client")
Steps = Callable[[Running, App, str], Awaitable[object]]


async def replay(node: Running, app: App, token: str) -> None:
    await node.refreshed(app, token)
    await node.refresh(app, token)
    await node.refresh(app, token)


async def retry(node: Running, app: App, token: str) -> None:
    await node.refresh(app, token, "key")
    await node.refresh(app, token, "key")


async def revoke_twice(node: Running, app: App, token: str) -> None:
    await node.revoke(app, token)
    await node.revoke(app, token)


async def revoke_access_token(node: Running, app: App, token: str) -> None:
    await node.revoke(app, (await node.refreshed(app, token))["access_token"])


@pytest.mark.requirement("AU01", "AU03")
@pytest.mark.parametrize(
    ("steps", "events"),
    [
        pytest.param(lambda node, app, token: node.refresh(app, token), [REFRESHED], id="refresh"),
        pytest.param(retry, [REFRESHED, ok("token_retried", "retried", "client")], id="retry"),
        pytest.param(
            replay,
            [
                REFRESHED,
                ("token_reused", "refresh_token_reused", "client", "failure"),
                ok("session_ended", "refresh_token_reused", "server"),
            ],
            id="replay, and what comes after it",
        ),
        pytest.param(
            revoke_twice,
            [ok("token_revoked", "family_revoked", "client"), ok("session_ended", "revoked_by_client", "client")],
            id="revocation, once",
        ),
        pytest.param(
            revoke_access_token,
            [REFRESHED, ok("token_revoked", "access_token_revoked", "client")],
            id="revocation of an access token",
        ),
        pytest.param(lambda node, app, token: node.refresh(app, token[:-4] + "AAAA"), [], id="forged token"),
        pytest.param(lambda node, app, _: node.token(app, grant_type="client_credentials"), [], id="client"),
    ],
)
@pytest.mark.both_databases
async def test_events_of_a_session_are_recorded(
    jeton: Running, steps: Steps, events: list[tuple[str, str, str, str]]
) -> None:
    user, app = jeton.add_user(), jeton.add_client()
    token = (await jeton.log_in(app))["refresh_token"]
    begun = [ok("signed_in", "logged_in", "user"), ok("token_issued", "logged_in", "client")]
    await steps(jeton, app, token)
    assert told(jeton) == [*begun, *events]
    for record in recorded(jeton):
        assert (record.sub, record.client_id, record.created_at) == (user.sub, app.client_id, jeton.clock.now())
        assert record.sid is not None or record.reason == "access_token_revoked"


@pytest.mark.requirement("AU01")
async def test_events_in_a_browser_are_recorded(jeton: Running) -> None:
    alice = jeton.add_user("alice", email="alice@example.com")
    app = add_app(jeton, refresh_token="always")
    async with browser(jeton) as visitor:
        code = await visitor.allow(app)
        await redeem(jeton, app, code)
        await redeem(jeton, app, code)
        await visitor.submit_on("/me", "/me/apps/end")
        await visitor.submit_on("/me/profile", "/me/profile", name="Alice")
        await visitor.change_password(NEW_PASSWORD)
        await visitor.submit_on("/me", "/sign-out")
    assert told(jeton) == [
        ok("signed_in", "browser_signed_in", "user"),
        ok("code_issued", "code_issued", "user"),
        ok("consent_given", "consent_given", "user"),
        ok("code_redeemed", "code_redeemed", "client"),
        ("code_replayed", "code_reused", "client", "failure"),
        ok("session_ended", "code_reused", "server"),
        ok("consent_withdrawn", "consent_withdrawn", "user"),
        ok("profile_changed", "profile_changed", "user"),
        ok("password_changed", "password_changed", "user"),
        ok("signed_out", "signed_out", "user"),
    ]
    withdrawn = recorded(jeton)[6]
    assert (withdrawn.sub, withdrawn.client_id, withdrawn.sid) == (alice.sub, app.client_id, None)
    of_the_app = recorded(jeton)[1:6]
    assert {(it.sid, it.client_id) for it in of_the_app} == {(of_the_app[0].sid, app.client_id)}


@pytest.mark.requirement("AU01")
async def test_browser_session_that_ends_for_another_is_recorded(start: StartServer) -> None:
    jeton = await start(LIMITS__SESSIONS_PER_USER="1")
    alice, bob = jeton.add_user("alice"), jeton.add_user("bob")
    app = add_app(jeton)
    async with browser(jeton) as first, browser(jeton) as second:
        await first.open_account("alice")
        await second.open_account("alice")
        await second.authorize(app, prompt="login")
        await second.sign_in("bob")
    ends = [ok("signed_out", "too_many_sessions", "server"), ok("signed_out", "replaced_by_other_user", "user")]
    begun = ok("signed_in", "browser_signed_in", "user")
    assert told(jeton) == [begun, begun, ends[0], begun, ends[1]]
    assert [it.sub for it in recorded(jeton)] == [*[alice.sub] * 3, bob.sub, alice.sub]
    first_in, second_in, first_out, _, second_out = (it.sid for it in recorded(jeton))
    assert (first_out, second_out) == (first_in, second_in)


@pytest.mark.both_databases
async def test_a_person_can_be_erased_without_breaking_the_chain(jeton: Running) -> None:
    alice, app = jeton.add_user(), jeton.add_client()
    bob = jeton.add_user("bob")
    for username in ("alice", "bob"):
        await jeton.log_in(app, username)
    with jeton.database.write() as connection:
        delete(connection, jeton.clock.now(), "alice")
    found = recorded(jeton)
    assert [(it.event, it.sub) for it in found if it.sub == alice.sub] == [("user_deleted", alice.sub)]
    assert {it.sub for it in found if it.event == "signed_in"} == {None, bob.sub}
    for record in found:
        if record.sub is None:
            assert (record.salt, record.address, record.user_agent) == (None, None, None)


async def test_nothing_is_recorded_without_a_retention(start: StartServer) -> None:
    jeton = await start(AUDIT__RETENTION_SECONDS="0")
    jeton.add_user()
    await jeton.log_in(jeton.add_client())
    with jeton.database.read() as connection:
        assert connection.execute(select(audit_records)).all() == []


@pytest.mark.both_databases
async def test_a_refused_change_of_the_database_leaves_no_record_and_no_gap(jeton: Running, app: App) -> None:
    await jeton.log_in(app)
    with pytest.raises(NotFoundError), jeton.database.write() as connection:
        delete(connection, jeton.clock.now(), disable(connection, jeton.clock.now(), "alice")[0].sub)
    with jeton.database.write() as connection:
        disable(connection, jeton.clock.now(), "alice")
    assert [it.event for it in recorded(jeton) if it.actor == "server"] == ["user_disabled", "session_ended"]
