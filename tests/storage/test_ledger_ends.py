"""Rows that one entry of a transaction ends are not seen by its later entries."""

import asyncio
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest
from sqlalchemy import insert

from jeton.frozen import asdict
from jeton.oauth.authorization_codes import AuthorizationCode
from jeton.oauth.browser_sessions import BrowserSession
from jeton.oauth.consents import Consent
from jeton.oauth.self_service import change_profile
from jeton.oauth.writes import (
    DeleteBrowserSession,
    DeleteBrowserSessionsOf,
    DeleteConsent,
    InsertAuthorizationCode,
    SaveConsent,
    SaveFamily,
    Write,
)
from jeton.storage.authorization_codes import UnredeemedCodes
from jeton.storage.consents import load_consents, save_consents
from jeton.storage.ledger.ledger import Entry, Facts
from jeton.storage.ledger.lock_requests import LockBrowserSession, LockConsent, LockNewCode, LockUser
from jeton.storage.tables import browser_sessions
from jeton.storage.users import load_users
from support.in_process_server import START
from support.ledger_fixtures import LedgerHarness, family

KEY = ("u_1", "web")
CONSENT = Consent(*KEY, {"https://api.example": frozenset({"read"})}, START, START)
AGAIN = Consent(*KEY, {"": frozenset({"write"})}, START + 1, START + 1)
SESSION = BrowserSession("browser", "u_1", b"digest", START, ("pwd",), START, START, START + 60, START + 60)
LOCKS = (LockUser("u_1"), LockBrowserSession("browser"), LockConsent(*KEY))


@dataclass(frozen=True, slots=True)
class Decided:
    """A decision that writes, or the rows that it was given."""

    reason: str
    writes: tuple[Write, ...] = ()
    seen: Any = None


def writing(*writes: Write) -> Entry[Decided]:
    return Entry(lambda _: Decided("written", writes), LOCKS)


def seeing(kind: type[Any], key: Any) -> Entry[Decided]:
    return Entry(lambda facts: Decided("seen", seen=facts.rows.of(kind).get(key)), LOCKS)


@pytest.fixture(autouse=True)
def _stored(harness: LedgerHarness) -> None:
    with harness.database.write() as connection:
        connection.execute(insert(browser_sessions).values(**asdict(SESSION)))
        save_consents(connection, [CONSENT])
    harness.commits = 0


@pytest.mark.requirement("CO10", "LO08")
@pytest.mark.parametrize(
    ("end", "kind", "key", "before", "after"),
    [
        pytest.param(DeleteConsent(*KEY), Consent, KEY, CONSENT, None, id="consent"),
        *(
            pytest.param(end, BrowserSession, "browser", SESSION, after, id=name)
            for name, end, after in [
                ("browser session", DeleteBrowserSession("browser", START), None),
                ("all of the user", DeleteBrowserSessionsOf("u_1", START), None),
                ("all but this one", DeleteBrowserSessionsOf("u_1", START, "browser"), SESSION),
                ("all of another user", DeleteBrowserSessionsOf("another", START), SESSION),
            ]
        ),
    ],
)
async def test_a_later_entry_of_the_transaction_does_not_see_what_an_earlier_one_ended(
    harness: LedgerHarness, end: Write, kind: type[Any], key: Any, before: Any, after: Any
) -> None:
    entries = [seeing(kind, key), writing(end), seeing(kind, key)]

    decisions = await asyncio.gather(*map(harness.ledger.enter, entries))

    assert harness.commits == 1
    assert [it.seen for it in decisions] == [before, None, after]


@pytest.mark.requirement("CN02")
@pytest.mark.parametrize(
    ("writes", "stored"),
    [
        pytest.param([DeleteConsent(*KEY), SaveConsent(AGAIN)], AGAIN, id="withdrawn, then given"),
        pytest.param([SaveConsent(AGAIN), DeleteConsent(*KEY)], None, id="given, then withdrawn"),
        pytest.param([SaveConsent(AGAIN), SaveConsent(CONSENT)], CONSENT, id="given twice"),
    ],
)
async def test_last_decision_about_a_consent_applies(
    harness: LedgerHarness, writes: list[Write], stored: Consent | None
) -> None:
    await asyncio.gather(*(harness.ledger.enter(writing(it)) for it in writes))

    assert harness.commits == 1
    with harness.database.read() as connection:
        assert load_consents(connection, {KEY}).get(KEY) == stored


async def test_changes_of_one_profile_in_the_same_transaction_all_count(harness: LedgerHarness) -> None:
    def changing(**claims: str) -> Entry[Any]:
        return Entry(lambda facts: change_profile(facts.user, claims, facts.now), (LockUser("u_1"),))

    await asyncio.gather(
        *map(harness.ledger.enter, [changing(name="Alice"), changing(locale="de"), changing(name="Al")])
    )

    assert harness.commits == 1
    with harness.database.read() as connection:
        stored = load_users(connection, {"u_1"})["u_1"]
    assert (stored.profile, stored.updated_at) == ({"name": "Al", "locale": "de"}, START)


async def test_codes_of_the_same_transaction_count_for_the_limit(harness: LedgerHarness) -> None:
    def decide(number: int, facts: Facts) -> Decided:
        new = family(f"new {number}", code_expires_at=START + 60)
        code = AuthorizationCode(new.sid, START + 60, None, None)
        seen = facts.rows.of(UnredeemedCodes).get("u_1", UnredeemedCodes(0)).count
        return Decided("issued", (SaveFamily(new), InsertAuthorizationCode(code)), seen)

    entries = [Entry(partial(decide, it), (LockNewCode("u_1"),)) for it in range(3)]

    decisions = await asyncio.gather(*map(harness.ledger.enter, entries))

    assert [it.seen for it in decisions] == [0, 1, 2]
