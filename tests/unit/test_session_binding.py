"""Refresh rotation, session binding: another network or user agent is ignored, logged, or ends the session."""

import pytest

from jeton.oauth.decisions import Deny, Issue
from jeton.oauth.errors import ErrorCode
from jeton.oauth.refresh_rotation import RefreshRequest, decide
from jeton.oauth.sessions import Source
from support.builders import NOW, client, family, lifetimes, user

HOME = Source("192.0.2.1", "Orders/1.0")
ELSEWHERE = Source("198.51.100.7", "Orders/1.0")
FAMILY = family(generation=3, idempotency_digest=b"key", moves=4)
MOVES = [
    pytest.param(HOME, Source("192.0.2.2", HOME.user_agent), True, id="another IPv4 address"),
    pytest.param(Source("2001:db8:1:2::3"), Source("2001:db8:1:3::3"), True, id="another /64"),
    pytest.param(HOME, Source(HOME.ip, "Orders/1.1"), True, id="another user agent"),
    pytest.param(HOME, Source(HOME.ip), True, id="no user agent"),
    pytest.param(HOME, Source(None, HOME.user_agent), True, id="no address"),
    pytest.param(HOME, HOME, False, id="the same source"),
    pytest.param(Source("2001:db8:1:2::3"), Source("2001:db8:1:2:ffff::1"), False, id="the same /64"),
    pytest.param(HOME, Source("::ffff:192.0.2.1", HOME.user_agent), False, id="another notation"),
    pytest.param(Source(), Source(), False, id="never an address"),
]


def refresh(binding: str, before: Source, source: Source, generation: int = 3) -> Issue | Deny:
    stored = FAMILY._replace(last_ip=before.ip, last_user_agent=before.user_agent)
    request = RefreshRequest(generation, None, b"key", source)
    by = client(session_binding=binding)
    return decide(stored, user(), by, request, genuine=True, lifetimes=lifetimes(), now=NOW)


@pytest.mark.parametrize(("before", "source", "moved"), MOVES)
def test_move_is_ignored_counted_or_ends_the_session(before: Source, source: Source, moved: bool) -> None:
    for binding, counted in [(client().session_binding, False), ("notice", moved)]:
        decision = refresh(binding, before, source)

        assert isinstance(decision, Issue)
        assert decision.family is not None
        assert (decision.moved, decision.family.moves) == (counted, 4 + counted)
        assert (decision.family.last_ip, decision.family.last_user_agent) == (source.ip, source.user_agent)

    decision = refresh("strict", before, source)
    if moved:
        stored = FAMILY._replace(last_ip=before.ip, last_user_agent=before.user_agent)
        assert decision == Deny(ErrorCode.INVALID_GRANT, "session_moved", stored.revoked("session_moved", NOW))
    else:
        assert isinstance(decision, Issue)


def test_permitted_repetition_from_another_source_is_a_move() -> None:
    """An attacker in the network path wants the response; a phone that lost it may have changed its network."""
    for binding, noticed in (("off", False), ("notice", True)):
        decision = refresh(binding, HOME, ELSEWHERE, generation=2)
        assert isinstance(decision, Issue)
        assert decision.family is not None
        assert (decision.reason, decision.moved, decision.family.moves) == ("retried", noticed, 4 + noticed)
        assert decision.family.last_ip == (ELSEWHERE.ip if noticed else HOME.ip)
    for generation, reason in ((2, "session_moved"), (1, "refresh_token_reused")):
        refused = refresh("strict", HOME, ELSEWHERE, generation)
        assert isinstance(refused, Deny)
        assert refused.reason == reason
