"""Refresh rotation, refusals: every check, and their order (RFC 6749 section 6)."""

from dataclasses import dataclass, field, replace
from itertools import combinations
from typing import Any

import pytest

from jeton.oauth.clients import Client, Lifetimes
from jeton.oauth.decisions import Deny, Issue
from jeton.oauth.errors import ErrorCode
from jeton.oauth.refresh_rotation import RefreshRequest, decide
from jeton.oauth.sessions import Family, Source
from jeton.oauth.users import User

NOW = 1_000_000
GENERATION = 5

CLIENT = Client("web", False, 0, grant_types=frozenset({"refresh_token"}), scope=frozenset({"read", "write"}))
USER = User("u_1", "alice", None, (), False, 0, 1)
FAMILY = Family(
    sid="session",
    client_id="web",
    sub="u_1",
    scope=frozenset({"read", "write"}),
    audience=("https://api.example",),
    auth_time=NOW - 500,
    amr=("pwd",),
    created_at=NOW - 500,
    rotated_at=NOW - 50,
    idle_expires_at=NOW + 100,
    absolute_expires_at=NOW + 1000,
    master_key_id="0" * 8,
    secret=b"secret",
    generation=GENERATION,
)
LIFETIMES = Lifetimes(
    access_seconds=600, refresh_idle_seconds=150, refresh_absolute_seconds=1500, retry_grace_seconds=0
)
GRACE = replace(LIFETIMES, retry_grace_seconds=300)


@dataclass(frozen=True)
class Fault:
    """What is wrong with a request, and what alone may come of it. `rank`: its place in the order of checks."""

    name: str
    rank: int
    code: ErrorCode
    reason: str
    revokes: bool = False
    family: dict[str, Any] = field(default_factory=dict)
    client: dict[str, Any] = field(default_factory=dict)
    request: dict[str, Any] = field(default_factory=dict)
    more: dict[str, Any] = field(default_factory=dict)


GRANT, SCOPE, UNAUTHORIZED = ErrorCode.INVALID_GRANT, ErrorCode.INVALID_SCOPE, ErrorCode.UNAUTHORIZED_CLIENT
BACK: dict[str, Any] = {"generation": GENERATION - 1}
STRICT, ELSEWHERE = {"session_binding": "strict"}, Source("192.0.2.1", "another agent")
FAULTS = [
    Fault("no family", 0, GRANT, "refresh_token_unknown", more={"family": None}),
    Fault("forged", 0, GRANT, "refresh_token_unknown", more={"genuine": False}),
    Fault("master key missing", 0, ErrorCode.TEMPORARILY_UNAVAILABLE, "master_key_missing", more={"genuine": None}),
    Fault("other client", 1, GRANT, "refresh_token_of_other_client", client={"client_id": "other"}),
    Fault("revoked", 2, GRANT, "family_revoked", family={"revoked_at": NOW - 10, "revoke_reason": "earlier"}),
    Fault("parent replayed", 3, GRANT, "refresh_token_reused", revokes=True, request=BACK),
    Fault("first one replayed", 3, GRANT, "refresh_token_reused", revokes=True, request={"generation": 0}),
    Fault("idle too long", 4, GRANT, "refresh_token_expired", family={"idle_expires_at": NOW}),
    Fault("absolutely expired", 4, GRANT, "refresh_token_expired", family={"absolute_expires_at": NOW}),
    Fault("user gone", 5, GRANT, "user_disabled", more={"user": None}),
    Fault("user disabled", 5, GRANT, "user_disabled", more={"user": replace(USER, disabled=True)}),
    Fault("client disabled", 6, ErrorCode.INVALID_CLIENT, "client_disabled", client={"disabled": True}),
    Fault("grant taken away", 7, UNAUTHORIZED, "grant_type_not_given_to_client", client={"grant_types": frozenset()}),
    Fault("moved", 8, GRANT, "session_moved", revokes=True, client=STRICT, request={"source": ELSEWHERE}),
    Fault("scope too wide", 9, SCOPE, "scope_exceeds_grant", request={"scope": frozenset({"read", "admin"})}),
    Fault("scope taken away", 9, SCOPE, "scope_exceeds_grant", client={"scope": frozenset({"other"})}),
]


def refuse(*faults: Fault) -> Deny:
    """The refusal of a request with these faults; an AssertionError where it is granted."""
    family: dict[str, Any] = {}
    client: dict[str, Any] = {}
    request: dict[str, Any] = {"generation": GENERATION}
    more: dict[str, Any] = {"user": USER, "genuine": True}
    for fault in faults:
        family |= fault.family
        client |= fault.client
        request |= fault.request
        more |= fault.more
    presented = more.pop("family", replace(FAMILY, **family))
    user = more.pop("user")
    decision = decide(
        presented, user, replace(CLIENT, **client), RefreshRequest(**request), lifetimes=LIFETIMES, now=NOW, **more
    )
    assert isinstance(decision, Deny)
    return decision


def names(value: object) -> str | None:
    return value.name.replace(" ", "-") if isinstance(value, Fault) else None


@pytest.mark.requirement("A38", "A39", "A41", "A42", "I08")
@pytest.mark.parametrize("fault", FAULTS, ids=names)
def test_each_fault_has_its_own_reason(fault: Fault) -> None:
    denial = refuse(fault)

    assert (denial.code, denial.reason) == (fault.code, fault.reason)


@pytest.mark.requirement("A46", "I08", "O08")
@pytest.mark.parametrize("fault", FAULTS, ids=names)
def test_only_a_replay_and_a_forbidden_move_change_the_family(fault: Fault) -> None:
    denial = refuse(fault)

    assert (denial.family is not None) == fault.revokes


PAIRS = [(first, second) for first, second in combinations(FAULTS, 2) if first.rank != second.rank]


@pytest.mark.requirement("A41", "A46", "I08", "K04", "O08")
@pytest.mark.parametrize(("first", "second"), PAIRS, ids=names)
def test_earlier_check_decides_between_two_faults(first: Fault, second: Fault) -> None:
    denial = refuse(second, first)

    assert (denial.code, denial.reason, denial.family is not None) == (first.code, first.reason, first.revokes)


@pytest.mark.requirement("I08", "O08")
def test_replay_revokes_the_family_whatever_else_is_wrong() -> None:
    denial = refuse(*(fault for fault in FAULTS if fault.rank >= 3))

    assert denial.family is not None
    assert denial.family.revoked_at == NOW
    assert denial.family.revoke_reason == "refresh_token_reused"


@pytest.mark.requirement("I08")
@pytest.mark.parametrize("generation", range(GENERATION))
def test_every_used_generation_is_a_replay(generation: int) -> None:
    denial = refuse(Fault("spent", 3, GRANT, "", request={"generation": generation}))

    assert denial.family == FAMILY.revoked("refresh_token_reused", NOW)


@pytest.mark.requirement("I08")
def test_replay_in_a_revoked_family_changes_nothing() -> None:
    dead = refuse(Fault("replay", 3, GRANT, "", request=BACK)).family

    again = decide(dead, USER, CLIENT, RefreshRequest(**BACK), genuine=True, lifetimes=LIFETIMES, now=NOW + 60)

    assert again == Deny(GRANT, "family_revoked")


@pytest.mark.requirement("A46", "I08")
@pytest.mark.parametrize("generation", [0, GENERATION - 1, GENERATION, GENERATION + 1, 2**32 - 1])
def test_a_forged_generation_changes_nothing(generation: int) -> None:
    decision = decide(FAMILY, USER, CLIENT, RefreshRequest(generation), genuine=False, lifetimes=GRACE, now=NOW)

    assert decision == Deny(GRANT, "refresh_token_unknown", unknown_token=True)


@pytest.mark.requirement("I10", "O02")
@pytest.mark.parametrize(
    ("idle", "absolute", "granted"),
    [
        pytest.param(NOW + 1, NOW + 1, True, id="last second of both"),
        pytest.param(NOW, NOW + 1, False, id="idle end reached"),
        pytest.param(NOW - 1, NOW + 1, False, id="idle end passed"),
        pytest.param(NOW + 1, NOW, False, id="absolute end reached"),
        pytest.param(NOW + 1, NOW - 1, False, id="absolute end passed"),
    ],
)
def test_session_ends_at_the_exact_second(idle: int, absolute: int, granted: bool) -> None:
    family = replace(FAMILY, idle_expires_at=idle, absolute_expires_at=absolute)

    decision = decide(family, USER, CLIENT, RefreshRequest(GENERATION), genuine=True, lifetimes=LIFETIMES, now=NOW)

    assert isinstance(decision, Issue) is granted


def test_a_request_without_faults_is_granted() -> None:
    decision = decide(FAMILY, USER, CLIENT, RefreshRequest(GENERATION), genuine=True, lifetimes=LIFETIMES, now=NOW)

    assert isinstance(decision, Issue)
    assert decision.reason == "rotated"
