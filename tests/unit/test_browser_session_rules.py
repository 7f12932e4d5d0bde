"""Begin, continuation and end of browser sessions, and what ends with them."""

from typing import Any

import pytest

from jeton.frozen import replace
from jeton.oauth.browser_session_rules import (
    BrowserSessionLifetimes,
    browser_sessions_over_limit,
    end_browser_sessions,
    sign_in,
)
from jeton.oauth.browser_sessions import BrowserSession
from jeton.oauth.clients import Client
from jeton.oauth.sessions import Family, Source
from jeton.oauth.users import User
from jeton.oauth.writes import DeleteBrowserSession, SaveFamily
from support.builders import NOW, READ, client, family, user

ALICE = user()
LIFETIMES = BrowserSessionLifetimes(100, 1000)
OLD = BrowserSession("old", "u_1", b"old digest", 500, ("pwd",), 500, 900, NOW + 100, NOW + 500)
FAMILY = family("one", scope=READ, generation=1, browser_session_id="old", absolute_expires_at=NOW + 101)
CLIENT = client()


def begin(current: BrowserSession | None, user: User = ALICE) -> BrowserSession:
    return sign_in(user, current, "new", b"new digest", ("pwd",), LIFETIMES, Source("192.0.2.1", "browser"), NOW)


@pytest.mark.requirement("SE01", "SE02", "SE08")
def test_session_begins_with_idle_and_absolute_expiry() -> None:
    session = begin(None)
    assert (session.browser_session_id, session.secret_digest) == ("new", b"new digest")
    assert (session.idle_expires_at, session.absolute_expires_at) == (NOW + 100, NOW + 1000)
    assert (session.auth_time, session.amr, session.ip) == (NOW, ("pwd",), "192.0.2.1")


@pytest.mark.requirement("SE01")
def test_session_continues_for_the_same_user_only_with_a_new_secret_and_new_expiry() -> None:
    session = begin(OLD)
    assert (session.browser_session_id, session.created_at) == ("old", 500)
    assert (session.secret_digest, session.auth_time) == (b"new digest", NOW)
    assert (session.idle_expires_at, session.absolute_expires_at) == (NOW + 100, NOW + 1000)
    assert begin(OLD, replace(ALICE, sub="u_2")).browser_session_id == "new"


@pytest.mark.requirement("CO10", "LO08")
@pytest.mark.parametrize(
    ("family", "client", "ends"),
    [
        (FAMILY, CLIENT, True),
        (FAMILY._replace(scope=frozenset({"offline_access"})), CLIENT, False),
        (FAMILY, replace(CLIENT, refresh_token="always"), False),
        (FAMILY, replace(CLIENT, refresh_token="offline_access"), True),
        (FAMILY._replace(browser_session_id="another"), CLIENT, False),
        (FAMILY._replace(browser_session_id=None), CLIENT, False),
        (FAMILY._replace(revoked_at=1), CLIENT, False),
        (FAMILY._replace(generation=0, code_expires_at=NOW + 60, scope=frozenset({"offline_access"})), CLIENT, True),
    ],
    ids=["usual", "offline", "always", "rule offline", "another browser", "no browser", "ended before", "code"],
)
def test_sessions_that_end_with_a_browser_session(family: Family, client: Client, ends: bool) -> None:
    decision = end_browser_sessions("signed_out", (OLD,), [family], [client], NOW)
    saved = [it.family.sid for it in decision.writes if isinstance(it, SaveFamily)]
    assert saved == (["one"] if ends else [])
    assert DeleteBrowserSession("old", NOW) in decision.writes


def used(name: str, at: int, **fields: Any) -> BrowserSession:
    return replace(OLD, browser_session_id=name, used_at=at, **fields)


@pytest.mark.requirement("SE09")
@pytest.mark.parametrize(
    ("others", "limit", "ended"),
    [
        pytest.param([used("a", 5)], 2, [], id="within the limit"),
        pytest.param([used("a", 5), used("b", 3)], 2, ["b"], id="least recently used"),
        pytest.param([used("b", 3), used("a", 3)], 2, ["a"], id="used at the same time"),
        pytest.param([used("a", 5), used("b", 3), used("c", 4)], 1, ["b", "c", "a"], id="all others"),
        pytest.param([used("a", 5), used("b", 3, idle_expires_at=NOW)], 2, [], id="expired ones do not count"),
        pytest.param([used("a", 5), used("new", 3)], 2, [], id="the one that goes on counts once"),
        pytest.param([used("a", 5), used("b", 3)], 0, [], id="no limit"),
    ],
)
def test_least_recently_used_sessions_over_the_limit_expire(
    others: list[BrowserSession], limit: int, ended: list[str]
) -> None:
    expired = browser_sessions_over_limit(begin(None), others, limit, NOW)

    assert [it.browser_session_id for it in expired] == ended
