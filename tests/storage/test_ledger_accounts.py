"""The ledger: logins, changes of password and ends of sessions that come together end as if in a row."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from jeton.oauth.decisions import Deny, EndSessions, Issue
from jeton.oauth.self_service import change_password, end_own_sessions
from jeton.storage.families import list_families, load_families
from jeton.storage.ledger import Entry, Ledger
from jeton.storage.lock_requests import LockClient, LockSessionsOf, LockSessionsOverLimit
from jeton.storage.revoked_statuses import load_revoked_indexes
from jeton.storage.users import load_users
from support.in_process_server import START, ManualClock
from support.ledger_fixtures import CLIENT, USER, Bench, family, opened

CHANGE: Entry[EndSessions | Deny] = Entry(
    lambda facts: change_password(USER, facts.user, facts.sessions, "new hash", facts.now, keep=None),
    (LockSessionsOf("u_1"),),
)
END_ALL: Entry[EndSessions] = Entry(
    lambda facts: end_own_sessions(facts.sessions, facts.now, keep="b"), (LockSessionsOf("u_1"),)
)


def login(sid: str) -> Entry[Issue]:
    """As the password grant enters one."""
    new = family(sid, status_index=len(sid), access_expires_at=START + 60)
    return Entry(
        lambda facts: Issue(
            CLIENT,
            new.scope,
            (),
            facts.now,
            "logged_in",
            facts.user,
            new,
            "raised hash",
            ended=tuple(it.revoked("too_many_sessions", facts.now) for it in facts.sessions),
        ),
        (LockSessionsOverLimit("u_1"), LockClient("web")),
    )


@pytest.fixture
async def two_at_most(bench: Bench) -> AsyncIterator[Ledger]:
    """A ledger that lets a user have two sessions."""
    ledger = Ledger(bench.database, ManualClock(), sessions_per_user=2)
    yield ledger
    ledger.close()


@pytest.mark.requirement("I09", "O16")
async def test_a_raised_hash_of_the_old_password_never_comes_after_the_new_one(bench: Bench) -> None:
    await asyncio.gather(bench.ledger.enter(login("new")), bench.ledger.enter(CHANGE))

    assert bench.commits == 1
    with bench.database.read() as connection:
        user = load_users(connection, ["u_1"])["u_1"]
    assert user == replace(USER, password_hash="new hash", password_version=2)


@pytest.mark.requirement("I09", "O03", "O16", "Q04")
async def test_a_session_opened_just_before_all_end_has_ended_and_is_listed(bench: Bench) -> None:
    _, ended = await asyncio.gather(bench.ledger.enter(login("new")), bench.ledger.enter(END_ALL))

    assert {it.sid for it in ended.families} == {"a", "c", "new"}
    with bench.database.read() as connection:
        assert [it.sid for it in list_families(connection, START)] == ["b"]
        assert load_families(connection, ["new"])["new"].revoke_reason == "ended_by_user"
        assert load_revoked_indexes(connection, START) == [len("new")]


@pytest.mark.requirement("O16")
async def test_a_second_change_of_the_same_password_is_refused(bench: Bench) -> None:
    first, second = await asyncio.gather(bench.ledger.enter(CHANGE), bench.ledger.enter(CHANGE))

    assert isinstance(first, EndSessions)
    assert isinstance(second, Deny)
    assert bench.commits == 1


@pytest.mark.requirement("O16")
async def test_of_more_logins_at_once_than_there_is_room_for_the_last_ones_stay(
    bench: Bench, two_at_most: Ledger
) -> None:
    await asyncio.gather(*(two_at_most.enter(login(f"new {number}")) for number in range(5)))

    assert bench.commits == 1
    with bench.database.read() as connection:
        assert {it.sid for it in list_families(connection, START)} == {"new 3", "new 4"}


@pytest.mark.requirement("O16")
async def test_a_session_that_is_refreshed_and_must_make_room_at_once_ends(bench: Bench, two_at_most: Ledger) -> None:
    refreshed, _ = await asyncio.gather(two_at_most.enter(bench.turned("a")), two_at_most.enter(login("new")))

    assert refreshed.reason == "turned"
    with bench.database.read() as connection:
        after = load_families(connection, ["a", "b", "c", "new"])
    assert (after["a"].generation, after["a"].revoke_reason) == (1, "too_many_sessions")
    assert [sid for sid, it in sorted(after.items()) if it.revoked_at is None] == ["c", "new"]


async def test_an_entry_that_is_no_login_makes_nobody_leave(bench: Bench, two_at_most: Ledger) -> None:
    await two_at_most.enter(opened(family("new")))

    with bench.database.read() as connection:
        assert len(list_families(connection, START)) == 4
