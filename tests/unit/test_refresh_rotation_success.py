"""Refresh rotation, success: the next generation, scope, lifetimes, and a database that lost commits."""

from dataclasses import replace

import pytest

from jeton.oauth.clients import Client, Lifetimes
from jeton.oauth.decisions import Deny, Issue
from jeton.oauth.errors import ErrorCode
from jeton.oauth.refresh_rotation import RefreshRequest, decide
from jeton.oauth.sessions import Family, Source
from jeton.oauth.users import User

NOW = 1_000_000
READ, WRITE, BOTH = frozenset({"read"}), frozenset({"write"}), frozenset({"read", "write"})
NONE: frozenset[str] = frozenset()

CLIENT = Client("web", False, 0, grant_types=frozenset({"refresh_token"}), scope=BOTH)
USER = User("u_1", "alice", None, ("admin",), False, 0, 1)
FAMILY = Family(
    sid="session",
    client_id="web",
    sub="u_1",
    scope=BOTH,
    audience=("https://api.example",),
    auth_time=NOW - 500,
    amr=("pwd",),
    created_at=NOW - 500,
    rotated_at=NOW - 50,
    idle_expires_at=NOW + 100,
    absolute_expires_at=NOW + 1000,
    master_key_id="0" * 8,
    secret=b"secret",
    generation=5,
    idempotency_digest=b"earlier",
    asked_scope=READ,
    retries=3,
    created_ip="192.0.2.1",
    created_user_agent="first",
)
LIFETIMES = Lifetimes(
    access_seconds=600, refresh_idle_seconds=150, refresh_absolute_seconds=1500, retry_grace_seconds=0
)


def grant(
    family: Family = FAMILY,
    client: Client = CLIENT,
    request: RefreshRequest | None = None,
    lifetimes: Lifetimes = LIFETIMES,
) -> Issue:
    request = RefreshRequest(family.generation) if request is None else request
    decision = decide(family, USER, client, request, genuine=True, lifetimes=lifetimes, now=NOW)
    assert isinstance(decision, Issue), decision
    return decision


def rotated(family: Family = FAMILY, request: RefreshRequest | None = None, lifetimes: Lifetimes = LIFETIMES) -> Family:
    after = grant(family, request=request, lifetimes=lifetimes).family
    assert after is not None
    return after


@pytest.mark.requirement("I08")
def test_rotation_advances_one_generation_and_clears_the_previous_request() -> None:
    source = Source("198.51.100.7", "second")

    after = rotated(request=RefreshRequest(5, None, b"key", source))

    assert after == replace(
        FAMILY,
        generation=6,
        access_expires_at=NOW + 600,
        rotated_at=NOW,
        idle_expires_at=NOW + 150,
        idempotency_digest=b"key",
        asked_scope=None,
        retries=0,
        last_ip="198.51.100.7",
        last_user_agent="second",
    )


def test_session_records_the_latest_access_token_expiry() -> None:
    """Lifetimes may be shortened: what was issued before lives on."""
    assert rotated().access_expires_at == NOW + 600
    assert rotated(replace(FAMILY, access_expires_at=NOW + 900)).access_expires_at == NOW + 900
    assert rotated(replace(FAMILY, absolute_expires_at=NOW + 70)).access_expires_at == NOW + 70


@pytest.mark.requirement("G03", "G04", "I07")
def test_issued_tokens_have_the_family_s_audience() -> None:
    issue = grant()

    assert (issue.client, issue.user, issue.audience) == (CLIENT, USER, FAMILY.audience)
    assert (issue.issued_at, issue.rehashed_password) == (NOW, None)


@pytest.mark.requirement("I10", "O02")
@pytest.mark.parametrize(
    ("absolute", "expected"),
    [
        pytest.param(NOW + 1000, NOW + 150, id="moves on"),
        pytest.param(NOW + 150, NOW + 150, id="meets the absolute end"),
        pytest.param(NOW + 149, NOW + 149, id="never beyond the absolute end"),
    ],
)
def test_idle_end_extends_up_to_the_absolute_end(absolute: int, expected: int) -> None:
    after = rotated(replace(FAMILY, absolute_expires_at=absolute))

    assert after.idle_expires_at == expected


@pytest.mark.requirement("O02")
def test_the_absolute_end_never_moves() -> None:
    after = rotated(lifetimes=replace(LIFETIMES, refresh_absolute_seconds=10**6))

    assert after.absolute_expires_at == FAMILY.absolute_expires_at


@pytest.mark.requirement("A42", "A43")
@pytest.mark.parametrize("asked", [None, READ, WRITE, BOTH], ids=["none", "read", "write", "both"])
def test_the_family_s_scope_is_never_narrowed(asked: frozenset[str] | None) -> None:
    after = rotated(request=RefreshRequest(5, asked))

    assert after.scope == BOTH


SCOPES = [
    pytest.param(BOTH, BOTH, None, BOTH, id="omitted: all of the grant"),
    pytest.param(BOTH, BOTH, READ, READ, id="narrowed"),
    pytest.param(BOTH, BOTH, BOTH, BOTH, id="the same"),
    pytest.param(READ, BOTH, READ, READ, id="client was given more since"),
    pytest.param(READ, BOTH, None, READ, id="omitted does not take what the client was given since"),
    pytest.param(BOTH, READ, None, READ, id="omitted: what the client still has"),
    pytest.param(BOTH, READ, READ, READ, id="asked for what is left"),
    pytest.param(NONE, BOTH, None, NONE, id="granted without scope"),
]


@pytest.mark.requirement("A42", "I07")
@pytest.mark.parametrize(("granted", "registered", "asked", "expected"), SCOPES)
def test_scope_is_the_granted_and_still_registered_one(
    granted: frozenset[str], registered: frozenset[str], asked: frozenset[str] | None, expected: frozenset[str]
) -> None:
    issue = grant(replace(FAMILY, scope=granted), replace(CLIENT, scope=registered), RefreshRequest(5, asked))

    assert issue.scope == expected


REFUSED_SCOPES = [
    pytest.param(READ, BOTH, BOTH, id="more than granted"),
    pytest.param(READ, BOTH, WRITE, id="registered, but not granted"),
    pytest.param(BOTH, READ, BOTH, id="granted, but no longer registered"),
    pytest.param(BOTH, READ, WRITE, id="only what was taken away"),
    pytest.param(BOTH, NONE, None, id="nothing is left, none asked"),
    pytest.param(NONE, BOTH, READ, id="granted without scope"),
]


@pytest.mark.requirement("A39", "A42", "I07")
@pytest.mark.parametrize(("granted", "registered", "asked"), REFUSED_SCOPES)
def test_excessive_scope_is_refused_and_consumes_nothing(
    granted: frozenset[str], registered: frozenset[str], asked: frozenset[str] | None
) -> None:
    family, client = replace(FAMILY, scope=granted), replace(CLIENT, scope=registered)

    decision = decide(family, USER, client, RefreshRequest(5, asked), genuine=True, lifetimes=LIFETIMES, now=NOW)

    assert decision == Deny(ErrorCode.INVALID_SCOPE, "scope_exceeds_grant")


@pytest.mark.requirement("I08")
@pytest.mark.parametrize("ahead", [1, 2, 1000])
def test_genuine_generation_ahead_of_the_stored_one_is_accepted(ahead: int) -> None:
    issue = grant(request=RefreshRequest(5 + ahead))

    assert issue.reason == "fast_forwarded"
    assert issue.family is not None
    assert issue.family.generation == 5 + ahead + 1


@pytest.mark.requirement("I08")
@pytest.mark.parametrize("generation", [5, 6, 7])
def test_after_fast_forward_earlier_generations_are_replays(generation: int) -> None:
    family = rotated(request=RefreshRequest(7))

    decision = decide(family, USER, CLIENT, RefreshRequest(generation), genuine=True, lifetimes=LIFETIMES, now=NOW)

    assert decision == Deny(
        ErrorCode.INVALID_GRANT, "refresh_token_reused", family.revoked("refresh_token_reused", NOW)
    )


@pytest.mark.requirement("I08", "O02", "O03")
@pytest.mark.parametrize(
    ("family", "user", "reason"),
    [
        pytest.param(FAMILY.revoked("by_user", NOW - 1), USER, "family_revoked", id="revoked"),
        pytest.param(replace(FAMILY, idle_expires_at=NOW), USER, "refresh_token_expired", id="expired"),
        pytest.param(FAMILY, replace(USER, disabled=True), "user_disabled", id="user disabled"),
    ],
)
def test_generation_ahead_does_not_bypass_other_checks(family: Family, user: User, reason: str) -> None:
    decision = decide(family, user, CLIENT, RefreshRequest(9), genuine=True, lifetimes=LIFETIMES, now=NOW)

    assert decision == Deny(ErrorCode.INVALID_GRANT, reason)
