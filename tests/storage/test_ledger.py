"""The ledger: many requests in one transaction, decided in order; a failure affects only its own caller."""

import asyncio
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import pytest

from jeton.frozen import replace
from jeton.oauth.decisions import Deny, End, EndSessions, Issue
from jeton.oauth.self_service import change_password, end_own_sessions
from jeton.oauth.sessions import RevokedAccessToken
from jeton.storage.database import StorageUnavailableError
from jeton.storage.families import load_families
from jeton.storage.family_lists import list_families
from jeton.storage.ledger.ledger import Entry, Facts, Ledger
from jeton.storage.ledger.lock_requests import LockClient, LockFamily, LockSessionsOf, LockSessionsOverLimit, LockUser
from jeton.storage.revoked_statuses import load_revoked_indexes
from jeton.storage.users import load_users
from support.in_process_server import START, ManualClock
from support.ledger_fixtures import CLIENT, USER, LedgerHarness, family, login_entry


async def test_entries_that_arrive_together_are_one_transaction(harness: LedgerHarness) -> None:
    new = [f"new {number}" for number in range(50)]
    decisions = await asyncio.gather(
        *map(harness.rotate, "abc"), *(harness.ledger.enter(login_entry(family(sid))) for sid in new)
    )

    assert [it.reason for it in decisions] == ["rotated"] * 3 + ["opened"] * 50
    assert harness.commits == 1
    with harness.database.read() as connection:
        assert load_families(connection, new).keys() == set(new)


async def test_an_entry_sees_what_an_earlier_one_of_its_transaction_writes(harness: LedgerHarness) -> None:
    decisions = await asyncio.gather(*map(harness.rotate, "aaaaa"))

    assert [it.family.generation for it in decisions if it.family] == [1, 2, 3, 4, 5]
    assert (harness.commits, harness.generations("a")) == (1, [5])


async def test_facts_lack_what_does_not_exist(harness: LedgerHarness) -> None:
    facts: list[Facts] = []

    def decide(found: Facts) -> End:
        facts.append(found)
        return End("nothing")

    locks = (LockFamily("unknown"), LockUser("unknown"))
    await asyncio.gather(*(harness.ledger.enter(Entry(decide, (lock,))) for lock in locks))

    assert [(it.family, it.user) for it in facts] == [(None, None)] * 2


UNWRITABLE: Any = SimpleNamespace(reason="", writes=(object(),))


def fail(_: Facts) -> End:
    raise LookupError("a defect")


@pytest.mark.parametrize(
    ("entry", "error"),
    [
        pytest.param(Entry(fail, (LockFamily("b"),)), LookupError, id="a defect"),
        pytest.param(Entry(lambda _: UNWRITABLE), KeyError, id="a write that nothing stores"),
        pytest.param(login_entry(family("new", client_id="deleted")), StorageUnavailableError, id="client deleted"),
        pytest.param(login_entry(family("new", sub="deleted")), StorageUnavailableError, id="user deleted"),
    ],
)
async def test_an_error_is_raised_to_the_caller_of_its_entry_only(
    harness: LedgerHarness, entry: Entry[Issue], error: type[Exception]
) -> None:
    _, failed, _ = await asyncio.gather(
        harness.rotate("a"), harness.ledger.enter(entry), harness.rotate("a"), return_exceptions=True
    )

    assert isinstance(failed, error)
    assert harness.generations() == [2, 0, 0]


async def test_text_that_the_database_cannot_store_fails_its_own_request_only(
    postgresql_harness: LedgerHarness,
) -> None:
    entry = login_entry(family("new", last_user_agent="\0"))
    _, failed = await asyncio.gather(
        postgresql_harness.rotate("a"), postgresql_harness.ledger.enter(entry), return_exceptions=True
    )

    assert isinstance(failed, Exception)
    assert postgresql_harness.generations("a") == [1]


async def test_a_caller_that_is_cancelled_before_its_transaction_changes_nothing(harness: LedgerHarness) -> None:
    staying, leaving = harness.rotate("a"), harness.rotate("b")
    await asyncio.sleep(0)
    leaving.cancel()
    await staying

    assert (harness.decided, harness.generations("b")) == (["a"], [0])


async def test_an_access_token_that_is_revoked_twice_stays_revoked(harness: LedgerHarness) -> None:
    ended = Entry(lambda facts: End("ended", token=RevokedAccessToken("jti", facts.now + 60)))

    await asyncio.gather(harness.ledger.enter(ended), harness.ledger.enter(ended))

    assert (await harness.ledger.enter(ended)).reason == "ended"


# Logins, changes of password and ends of sessions that arrive together.

CHANGE: Entry[EndSessions | Deny] = Entry(
    lambda facts: change_password(USER, facts.user, facts.sessions, "new hash", facts.now, keep=None),
    (LockSessionsOf("u_1"),),
)
END_ALL: Entry[EndSessions] = Entry(
    lambda facts: end_own_sessions(facts.sessions, facts.now, keep="b"), (LockSessionsOf("u_1"),)
)


def login(sid: str) -> Entry[Issue]:
    """Open a session as the password grant does, with an upgraded password hash."""
    new = family(sid, status_index=len(sid), access_expires_at=START + 60)

    def decide(facts: Facts) -> Issue:
        ended = tuple(it.revoked("too_many_sessions", facts.now) for it in facts.sessions)
        return Issue(CLIENT, new.scope, (), facts.now, "logged_in", facts.user, new, "upgraded hash", ended=ended)

    return Entry(decide, (LockSessionsOverLimit("u_1"), LockClient("web")))


def open_sids(harness: LedgerHarness) -> set[str]:
    with harness.database.read() as connection:
        return {it.sid for it in list_families(connection, START)}


@pytest.fixture
async def two_sessions_at_most(harness: LedgerHarness) -> AsyncIterator[Ledger]:
    ledger = Ledger(harness.database, ManualClock(), sessions_per_user=2)
    yield ledger
    ledger.close()


@pytest.mark.requirement("I09", "O16")
@pytest.mark.parametrize(
    ("entries", "after"),
    [
        pytest.param((login("new"),), {"password_hash": "upgraded hash"}, id="login"),
        pytest.param(
            (login("new"), CHANGE), {"password_hash": "new hash", "password_version": 2}, id="login and change"
        ),
    ],
)
async def test_a_hash_upgraded_by_a_login_is_stored_but_never_over_a_new_password(
    harness: LedgerHarness, entries: tuple[Entry[Issue], ...], after: dict[str, str | int]
) -> None:
    await asyncio.gather(*map(harness.ledger.enter, entries))

    assert harness.commits == 1
    with harness.database.read() as connection:
        assert load_users(connection, ["u_1"])["u_1"] == replace(USER, **after)


@pytest.mark.requirement("I09", "O03", "O16", "Q04")
async def test_a_session_opened_just_before_all_are_ended_is_ended_and_listed(harness: LedgerHarness) -> None:
    _, ended = await asyncio.gather(harness.ledger.enter(login("new")), harness.ledger.enter(END_ALL))

    assert {it.sid for it in ended.families} == {"a", "c", "new"}
    assert open_sids(harness) == {"b"}
    with harness.database.read() as connection:
        assert load_families(connection, ["new"])["new"].revoke_reason == "ended_by_user"
        assert load_revoked_indexes(connection, START) == [len("new")]


async def test_a_session_that_ended_in_the_same_transaction_is_not_listed(harness: LedgerHarness) -> None:
    count = Entry(lambda facts: End(str(len(facts.sessions))), (LockSessionsOf("u_1"),))

    _, counted = await asyncio.gather(harness.ledger.enter(END_ALL), harness.ledger.enter(count))

    assert counted.reason == "1"


@pytest.mark.requirement("O16")
async def test_a_second_change_of_the_same_password_is_refused(harness: LedgerHarness) -> None:
    first, second = await asyncio.gather(harness.ledger.enter(CHANGE), harness.ledger.enter(CHANGE))

    assert (type(first), type(second), harness.commits) == (EndSessions, Deny, 1)


@pytest.mark.requirement("O16")
async def test_of_more_logins_at_once_than_the_session_limit_the_last_ones_stay(
    harness: LedgerHarness, two_sessions_at_most: Ledger
) -> None:
    await asyncio.gather(*(two_sessions_at_most.enter(login(f"new {number}")) for number in range(5)))

    assert harness.commits == 1
    assert open_sids(harness) == {"new 3", "new 4"}


@pytest.mark.requirement("O16")
async def test_a_session_that_is_refreshed_and_has_to_make_room_at_once_ends(
    harness: LedgerHarness, two_sessions_at_most: Ledger
) -> None:
    enter = two_sessions_at_most.enter
    refreshed, _ = await asyncio.gather(enter(harness.rotation("a")), enter(login("new")))

    assert refreshed.reason == "rotated"
    with harness.database.read() as connection:
        ended = load_families(connection, ["a"])["a"]
    assert (ended.generation, ended.revoke_reason) == (1, "too_many_sessions")
    assert open_sids(harness) == {"c", "new"}


async def test_an_entry_that_is_no_login_is_given_no_session_to_end(
    harness: LedgerHarness, two_sessions_at_most: Ledger
) -> None:
    enter = two_sessions_at_most.enter
    count = Entry(lambda facts: End(str(len(facts.sessions))), (LockUser("u_1"),))

    opening = asyncio.gather(*(enter(login_entry(family(f"new {number}"))) for number in range(3)))
    _, counted = await asyncio.gather(opening, enter(count))

    assert (counted.reason, len(open_sids(harness))) == ("0", 6)
