"""Refresh rotation, retries: which repetitions of a used refresh token are permitted (RFC 9700 section 4.14.2)."""

from dataclasses import replace

import pytest

from jeton.oauth.clients import Client, Lifetimes
from jeton.oauth.decisions import Deny, Issue
from jeton.oauth.errors import ErrorCode
from jeton.oauth.refresh_rotation import IDEMPOTENCY_SECONDS, MAX_GRACE_RETRIES, RefreshRequest, decide
from jeton.oauth.sessions import Family, Source
from jeton.oauth.users import User

LOGIN = 1_000_000
ROTATION = LOGIN + 1000
READ, BOTH = frozenset({"read"}), frozenset({"read", "write"})

CLIENT = Client("web", False, 0, grant_types=frozenset({"refresh_token"}), scope=BOTH)
USER = User("u_1", "alice", None, (), False, 0, 1)
STRICT = Lifetimes(access_seconds=600, refresh_idle_seconds=5000, refresh_absolute_seconds=9000, retry_grace_seconds=0)
GRACE = replace(STRICT, retry_grace_seconds=30)
BEFORE = Family(
    sid="session",
    client_id="web",
    sub="u_1",
    scope=BOTH,
    audience=("https://api.example",),
    auth_time=LOGIN,
    amr=("pwd",),
    created_at=LOGIN,
    rotated_at=LOGIN,
    idle_expires_at=LOGIN + 5000,
    absolute_expires_at=LOGIN + 9000,
    master_key_id="0" * 8,
    secret=b"secret",
    generation=5,
)
KEYED = RefreshRequest(5, None, b"key")
PLAIN = RefreshRequest(5)


def ask(
    family: Family, request: RefreshRequest, lifetimes: Lifetimes = STRICT, *, after: int = 0, client: Client = CLIENT
) -> Issue | Deny:
    """What becomes of a request so many seconds after the rotation."""
    now = ROTATION + after
    return decide(family, USER, client, request, genuine=True, lifetimes=lifetimes, now=now)


def grant(family: Family, request: RefreshRequest, lifetimes: Lifetimes = STRICT, *, after: int = 0) -> Family:
    decision = ask(family, request, lifetimes, after=after)
    assert isinstance(decision, Issue), decision
    assert decision.family is not None
    return decision.family


def is_replay(decision: Issue | Deny) -> bool:
    return (
        isinstance(decision, Deny)
        and (decision.code, decision.reason) == (ErrorCode.INVALID_GRANT, "refresh_token_reused")
        and decision.family is not None
        and decision.family.revoked_at is not None
    )


ROTATED_KEYED = grant(BEFORE, KEYED)
ROTATED_PLAIN = grant(BEFORE, PLAIN)


def test_without_key_and_grace_every_repetition_is_a_replay() -> None:
    assert is_replay(ask(ROTATED_PLAIN, PLAIN))


@pytest.mark.parametrize(
    ("after", "granted"),
    [(0, True), (1, True), (IDEMPOTENCY_SECONDS, True), (IDEMPOTENCY_SECONDS + 1, False)],
)
def test_same_idempotency_key_repeats_the_response_for_120_seconds(after: int, granted: bool) -> None:
    decision = ask(ROTATED_KEYED, KEYED, after=after)

    assert IDEMPOTENCY_SECONDS == 120
    assert isinstance(decision, Issue) is granted
    assert is_replay(decision) is not granted


def test_repetition_keeps_generation_and_time() -> None:
    decision = ask(ROTATED_KEYED, KEYED, after=60)

    assert isinstance(decision, Issue)
    assert (decision.reason, decision.issued_at, decision.scope) == ("retried", ROTATION, BOTH)
    assert decision.family == replace(ROTATED_KEYED, retries=1)


def test_a_repetition_from_another_address_changes_nothing_else() -> None:
    after = grant(ROTATED_KEYED, replace(KEYED, source=Source("203.0.113.9", "other")))

    assert (after.last_ip, after.last_user_agent) == (ROTATED_KEYED.last_ip, ROTATED_KEYED.last_user_agent)


def test_repetition_does_not_extend_the_120_seconds() -> None:
    family = grant(ROTATED_KEYED, KEYED, after=119)

    assert is_replay(ask(family, KEYED, after=121))


def test_repetition_does_not_extend_the_session() -> None:
    family = grant(ROTATED_KEYED, KEYED, after=119)

    assert family.idle_expires_at == ROTATED_KEYED.idle_expires_at


@pytest.mark.parametrize(
    "request_",
    [
        pytest.param(replace(KEYED, idempotency_digest=b"other"), id="another key"),
        pytest.param(PLAIN, id="no key"),
        pytest.param(replace(KEYED, scope=READ), id="narrower scope"),
        pytest.param(replace(KEYED, generation=4), id="an older generation"),
        pytest.param(replace(KEYED, generation=0), id="the first generation"),
    ],
)
def test_any_other_request_than_the_keyed_one_is_a_replay(request_: RefreshRequest) -> None:
    assert is_replay(ask(ROTATED_KEYED, request_))


def test_idempotency_key_is_useless_if_the_rotation_had_none() -> None:
    assert is_replay(ask(ROTATED_PLAIN, KEYED))


def test_a_narrowed_request_is_repeated_with_its_own_scope() -> None:
    narrowed = replace(KEYED, scope=READ)
    family = grant(BEFORE, narrowed)

    decision = ask(family, narrowed, after=5)

    assert isinstance(decision, Issue)
    assert decision.scope == READ
    assert is_replay(ask(family, KEYED, after=5))


@pytest.mark.parametrize(
    ("request_", "lifetimes"), [pytest.param(KEYED, STRICT, id="key"), pytest.param(PLAIN, GRACE, id="grace")]
)
def test_repetition_is_refused_once_the_successor_was_presented(request_: RefreshRequest, lifetimes: Lifetimes) -> None:
    family = grant(grant(BEFORE, request_), replace(request_, generation=6), after=1)

    assert is_replay(ask(family, request_, lifetimes, after=2))


@pytest.mark.parametrize(
    ("request_", "lifetimes"), [pytest.param(KEYED, STRICT, id="key"), pytest.param(PLAIN, GRACE, id="grace")]
)
def test_repetition_is_refused_after_revocation(request_: RefreshRequest, lifetimes: Lifetimes) -> None:
    family = grant(BEFORE, request_).revoked("revoked_by_client", ROTATION + 1)

    assert ask(family, request_, lifetimes, after=2) == Deny(ErrorCode.INVALID_GRANT, "family_revoked")


@pytest.mark.parametrize(
    ("request_", "lifetimes"), [pytest.param(KEYED, STRICT, id="key"), pytest.param(PLAIN, GRACE, id="grace")]
)
@pytest.mark.requirement("A46")
def test_repetition_is_refused_for_another_client(request_: RefreshRequest, lifetimes: Lifetimes) -> None:
    other = replace(CLIENT, client_id="other")

    decision = ask(grant(BEFORE, request_), request_, lifetimes, client=other)

    assert decision == Deny(ErrorCode.INVALID_GRANT, "refresh_token_of_other_client")


@pytest.mark.parametrize(
    ("request_", "lifetimes"), [pytest.param(KEYED, STRICT, id="key"), pytest.param(PLAIN, GRACE, id="grace")]
)
@pytest.mark.requirement("O02")
def test_permitted_repetition_in_an_expired_session_is_refused_without_revocation(
    request_: RefreshRequest, lifetimes: Lifetimes
) -> None:
    family = replace(grant(BEFORE, request_), absolute_expires_at=ROTATION + 10)

    assert ask(family, request_, lifetimes, after=10) == Deny(ErrorCode.INVALID_GRANT, "refresh_token_expired")


def test_permitted_repetition_is_refused_without_revocation_if_its_scope_was_removed() -> None:
    decision = ask(ROTATED_KEYED, KEYED, client=replace(CLIENT, scope=frozenset()))

    assert decision == Deny(ErrorCode.INVALID_SCOPE, "scope_exceeds_grant")


@pytest.mark.parametrize(("after", "granted"), [(0, True), (29, True), (30, False), (31, False)])
def test_grace_period_permits_the_direct_parent_after_the_rotation(after: int, granted: bool) -> None:
    decision = ask(ROTATED_PLAIN, PLAIN, GRACE, after=after)

    assert isinstance(decision, Issue) is granted
    assert is_replay(decision) is not granted


def test_repetition_does_not_extend_the_grace_period() -> None:
    family = grant(ROTATED_PLAIN, PLAIN, GRACE, after=29)

    assert is_replay(ask(family, PLAIN, GRACE, after=30))


def test_grace_period_ends_after_max_retries() -> None:
    family = ROTATED_PLAIN
    for _ in range(MAX_GRACE_RETRIES):
        family = grant(family, PLAIN, GRACE, after=1)

    assert MAX_GRACE_RETRIES <= 5
    assert is_replay(ask(family, PLAIN, GRACE, after=1))


def test_each_rotation_has_its_own_retries() -> None:
    family = replace(ROTATED_PLAIN, retries=MAX_GRACE_RETRIES)

    after = grant(family, RefreshRequest(6), GRACE)

    assert after.retries == 0
    assert grant(after, RefreshRequest(6), GRACE, after=1).generation == 7


@pytest.mark.parametrize(
    "request_",
    [
        pytest.param(replace(PLAIN, scope=READ), id="another scope"),
        pytest.param(replace(PLAIN, generation=4), id="the grandparent"),
        pytest.param(replace(PLAIN, generation=0), id="the first generation"),
    ],
)
def test_grace_is_for_the_direct_parent_and_the_same_request_only(request_: RefreshRequest) -> None:
    assert is_replay(ask(ROTATED_PLAIN, request_, GRACE, after=1))


@pytest.mark.parametrize("ahead", [29, 30, 86400])
def test_clock_put_back_does_not_extend_the_grace_period(ahead: int) -> None:
    assert is_replay(ask(ROTATED_PLAIN, PLAIN, GRACE, after=-ahead)) is (ahead >= GRACE.retry_grace_seconds)
    assert isinstance(ask(ROTATED_KEYED, KEYED, STRICT, after=-ahead), Issue)
