"""Self-service rules (ASVS 7.4.3, 7.5.2): users end only their own sessions."""

from dataclasses import replace

import pytest

from jeton.oauth.decisions import Deny, End, EndSessions
from jeton.oauth.errors import ErrorCode
from jeton.oauth.self_service import change_password, end_own_session, end_own_sessions
from jeton.oauth.sessions import Family
from jeton.oauth.users import User
from jeton.oauth.writes import DeleteBrowserSessionsOf

NOW = 1000
ALICE = User("u_1", "alice", None, (), False, 0, 1, "old hash")
FAMILY = Family(
    sid="one",
    client_id="web",
    sub="u_1",
    scope=frozenset(),
    audience=(),
    auth_time=0,
    amr=(),
    created_at=0,
    rotated_at=0,
    idle_expires_at=NOW + 1,
    absolute_expires_at=NOW + 1,
    master_key_id="",
    secret=b"",
)
OTHER = replace(FAMILY, sid="two")
ENDED = replace(FAMILY, sid="three", revoked_at=1, revoke_reason="before")


def test_a_user_s_own_session_ends() -> None:
    ended = replace(FAMILY, revoked_at=NOW, revoke_reason="ended_by_user")

    assert end_own_session(FAMILY, "u_1", NOW) == End("session_ended", ended)


@pytest.mark.parametrize(
    ("family", "sub"), [(None, "u_1"), (FAMILY, "u_2"), (ENDED, "u_1")], ids=["none", "another's", "ended"]
)
def test_what_is_no_session_of_the_user_s_is_unknown(family: Family | None, sub: str) -> None:
    assert end_own_session(family, sub, NOW) == End("session_unknown")


@pytest.mark.parametrize(("keep", "ended"), [(None, ["one", "two"]), ("one", ["two"]), ("elsewhere", ["one", "two"])])
def test_all_sessions_end_but_for_the_one_to_keep_and_none_twice(keep: str | None, ended: list[str]) -> None:
    decision = end_own_sessions([FAMILY, OTHER, ENDED], NOW, keep=keep)

    assert [it.sid for it in decision.families] == ended
    assert {(it.revoked_at, it.revoke_reason) for it in decision.families} == {(NOW, "ended_by_user")}
    assert decision.user is None


def test_a_new_password_is_the_next_version_and_ends_sessions() -> None:
    decision = change_password(ALICE, ALICE, [FAMILY, OTHER], "new hash", NOW, keep="two")

    ended = replace(FAMILY, revoked_at=NOW, revoke_reason="password_changed")
    assert decision == EndSessions(
        "password_changed",
        (ended,),
        replace(ALICE, password_hash="new hash", password_version=2),
        DeleteBrowserSessionsOf(ALICE.sub),
    )


def test_a_new_password_keeps_the_browser_session_of_the_session_that_is_kept() -> None:
    kept = replace(OTHER, browser_session_id="browser")

    decision = change_password(ALICE, ALICE, [FAMILY, kept], "new hash", NOW, keep="two")

    assert isinstance(decision, EndSessions)
    assert decision.browsers == DeleteBrowserSessionsOf(ALICE.sub, "browser")


def test_a_new_password_that_ends_nothing_else_ends_codes_all_the_same() -> None:
    unredeemed = replace(OTHER, generation=0, code_expires_at=NOW + 60)

    decision = change_password(ALICE, ALICE, [FAMILY, unredeemed], "new hash", NOW, keep=None, keep_all=True)

    assert isinstance(decision, EndSessions)
    assert [it.sid for it in decision.families] == [unredeemed.sid]
    assert decision.browsers is None


def test_a_hash_that_was_raised_meanwhile_is_no_other_password() -> None:
    upgraded = replace(ALICE, password_hash="raised hash")

    assert isinstance(change_password(ALICE, upgraded, [], "new hash", NOW, keep=None), EndSessions)


@pytest.mark.parametrize(
    "user",
    [None, replace(ALICE, disabled=True), replace(ALICE, password_version=2)],
    ids=["gone", "disabled", "password changed"],
)
def test_who_is_not_as_when_the_old_password_was_checked_changes_nothing(user: User | None) -> None:
    decision = change_password(ALICE, user, [FAMILY], "new hash", NOW, keep=None)

    assert decision == Deny(ErrorCode.INVALID_GRANT, "user_disabled_or_changed", sub="u_1")
