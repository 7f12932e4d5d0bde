"""Refresh rotation, session binding: another network or user agent is ignored, logged, or ends the session."""

from dataclasses import replace

import pytest

from jeton.oauth.clients import SESSION_BINDINGS, Client, Lifetimes
from jeton.oauth.decisions import Deny, Issue
from jeton.oauth.errors import ErrorCode
from jeton.oauth.refresh_rotation import RefreshRequest, decide
from jeton.oauth.sessions import Family, Source
from jeton.oauth.users import User

NOW = 1000
HOME = Source("192.0.2.1", "Orders/1.0")
CLIENT = Client("app", True, 0, grant_types=frozenset({"refresh_token"}))
USER = User("u_1", "alice", None, (), False, 0, 1)
LIFETIMES = Lifetimes(600, 1000, 1000, 0)
FAMILY = Family(
    sid="session",
    client_id="app",
    sub="u_1",
    scope=frozenset(),
    audience=(),
    auth_time=0,
    amr=(),
    created_at=0,
    rotated_at=NOW - 10,
    idle_expires_at=NOW + 100,
    absolute_expires_at=NOW + 100,
    master_key_id="",
    secret=b"",
    generation=3,
    idempotency_digest=b"key",
    last_ip=HOME.ip,
    last_user_agent=HOME.user_agent,
    moves=4,
)
FROM = {
    "another IPv4 address": (HOME, Source("192.0.2.2", HOME.user_agent), True),
    "another /64": (Source("2001:db8:1:2::3"), Source("2001:db8:1:3::3"), True),
    "another device": (HOME, Source(HOME.ip, "Orders/1.1"), True),
    "no user agent": (HOME, Source(HOME.ip), True),
    "no address": (HOME, Source(None, HOME.user_agent), True),
    "where it was": (HOME, HOME, False),
    "its own /64": (Source("2001:db8:1:2::3"), Source("2001:db8:1:2:ffff::1"), False),
    "its address, written otherwise": (HOME, Source("::ffff:192.0.2.1", HOME.user_agent), False),
    "where there never was an address": (Source(), Source(), False),
}


def refresh(binding: str, before: Source, now_from: Source, generation: int = 3) -> Issue | Deny:
    family = replace(FAMILY, last_ip=before.ip, last_user_agent=before.user_agent)
    client = replace(CLIENT, session_binding=binding)
    request = RefreshRequest(generation, None, b"key", now_from)
    return decide(family, USER, client, request, genuine=True, lifetimes=LIFETIMES, now=NOW)


@pytest.mark.parametrize(("before", "now_from", "moved"), FROM.values(), ids=FROM.keys())
def test_binding_notice_counts_each_move_and_allows_it(before: Source, now_from: Source, moved: bool) -> None:
    decision = refresh("notice", before, now_from)

    assert isinstance(decision, Issue)
    assert decision.family is not None
    assert (decision.moved, decision.family.moves) == (moved, 5 if moved else 4)
    assert (decision.family.last_ip, decision.family.last_user_agent) == (now_from.ip, now_from.user_agent)


@pytest.mark.parametrize(("before", "now_from", "moved"), FROM.values(), ids=FROM.keys())
def test_binding_strict_revokes_a_session_that_moves(before: Source, now_from: Source, moved: bool) -> None:
    decision = refresh("strict", before, now_from)

    if not moved:
        assert isinstance(decision, Issue)
        return
    assert isinstance(decision, Deny)
    assert (decision.code, decision.reason) == (ErrorCode.INVALID_GRANT, "session_moved")
    assert decision.family is not None
    assert (decision.family.revoked_at, decision.family.revoke_reason) == (NOW, "session_moved")
    assert (decision.family.last_ip, decision.family.last_user_agent) == (before.ip, before.user_agent)


@pytest.mark.parametrize(("before", "now_from", "moved"), FROM.values(), ids=FROM.keys())
def test_binding_off_ignores_the_source(before: Source, now_from: Source, moved: bool) -> None:
    decision = refresh(CLIENT.session_binding, before, now_from)

    assert isinstance(decision, Issue)
    assert decision.family is not None
    assert (decision.moved, decision.family.moves) == (False, 4)


@pytest.mark.parametrize("binding", SESSION_BINDINGS)
def test_repetition_from_another_source_is_a_move(binding: str) -> None:
    """The answer is what a thief on the way would be after; a phone that lost it may have changed its network."""
    decision = refresh(binding, HOME, Source("198.51.100.7", HOME.user_agent), generation=2)

    if binding == "strict":
        assert isinstance(decision, Deny)
        assert decision.reason == "session_moved"
        return
    assert isinstance(decision, Issue)
    assert decision.family is not None
    noticed = binding == "notice"
    assert (decision.reason, decision.moved, decision.family.moves) == ("retried", noticed, 5 if noticed else 4)
    assert decision.family.last_ip == ("198.51.100.7" if noticed else HOME.ip)


def test_replay_from_any_source_is_a_replay() -> None:
    decision = refresh("strict", HOME, Source("198.51.100.7"), generation=1)

    assert isinstance(decision, Deny)
    assert decision.reason == "refresh_token_reused"
