"""Refresh rotation: the order of the checks, and what a granted refresh changes (RFC 6749 section 6)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

import pytest

from jeton.frozen import replace
from jeton.oauth.decisions import Deny, Issue
from jeton.oauth.errors import ErrorCode
from jeton.oauth.refresh_rotation import RefreshRequest, decide
from jeton.oauth.resources import Resource
from jeton.oauth.sessions import Family, Source
from support.builders import NOW, READ, READ_WRITE, client, family, lifetimes, user, with_fields

WRITE, NO_SCOPE = frozenset({"write"}), frozenset[str]()
FAMILY = family(rotated_at=NOW - 50, generation=5, idempotency_digest=b"earlier", asked_scope=READ, retries=3)
CLIENT, USER, LIFETIMES = client(), user(), lifetimes(access_seconds=600, refresh_idle_seconds=150)
GRANT = ErrorCode.INVALID_GRANT


@dataclass(frozen=True)
class Fault:
    """A fault: the facts that it changes, its place in the order of checks (`rank`), and the expected refusal."""

    name: str
    rank: int
    denial: Deny
    facts: dict[str, Any] = field(default_factory=dict)


def denied(reason: str, code: ErrorCode = GRANT, **more: Any) -> Deny:
    return Deny(code, reason, **more)


UNKNOWN, REUSED = denied("refresh_token_unknown", unknown_token=True), denied("refresh_token_reused")
EXPIRED, DISABLED = denied("refresh_token_expired"), denied("user_disabled")
EXCEEDS = denied("scope_exceeds_grant", ErrorCode.INVALID_SCOPE)
NOT_GRANTED = denied("resource_exceeds_grant", ErrorCode.INVALID_TARGET)
MASTER_KEY = denied("master_key_missing", ErrorCode.TEMPORARILY_UNAVAILABLE)
TOO_SOON = denied("refreshed_too_soon", ErrorCode.TEMPORARILY_UNAVAILABLE, retry_after=10)
NOT_GIVEN = denied("grant_type_not_given_to_client", ErrorCode.UNAUTHORIZED_CLIENT)
OTHER_KEY = denied("refresh_token_bound_to_other_key")
PROOF = denied("proof_required_of_client", ErrorCode.INVALID_DPOP_PROOF)
MOVED = {"client.session_binding": "strict", "request.source": Source("192.0.2.1", "another agent")}
FAULTS = [
    Fault("no family", 0, UNKNOWN, {"family": None}),
    Fault("no family, no master key", 0, UNKNOWN, {"family": None, "genuine": None}),
    Fault("forged", 0, UNKNOWN, {"genuine": False}),
    Fault("master key missing", 0, MASTER_KEY, {"genuine": None}),
    Fault("other client", 1, denied("refresh_token_of_other_client"), {"client.client_id": "other"}),
    Fault("bound to a key, none presented", 1, OTHER_KEY, {"family.dpop_jkt": "key"}),
    Fault("bound to another certificate", 1, OTHER_KEY, {"family.certificate_thumbprint": "certificate"}),
    Fault("revoked", 2, denied("family_revoked"), {"family.revoked_at": NOW - 10}),
    Fault("parent replayed", 3, REUSED, {"request.generation": 4}),
    Fault("grandparent replayed", 3, REUSED, {"request.generation": 3}),
    Fault("first one replayed", 3, REUSED, {"request.generation": 0}),
    Fault("idle too long", 4, EXPIRED, {"family.idle_expires_at": NOW}),
    Fault("absolutely expired", 4, EXPIRED, {"family.absolute_expires_at": NOW}),
    Fault("idle end long passed", 4, EXPIRED, {"family.idle_expires_at": NOW - 50}),
    Fault("absolute end long passed", 4, EXPIRED, {"family.absolute_expires_at": NOW - 50}),
    Fault("user gone", 5, DISABLED, {"user": None}),
    Fault("user disabled", 5, DISABLED, {"user.disabled": True}),
    Fault("client disabled", 6, denied("client_disabled", ErrorCode.INVALID_CLIENT), {"client.disabled": True}),
    Fault("proof required of the client", 6, PROOF, {"client.require_dpop": True}),
    Fault("grant taken away", 7, NOT_GIVEN, {"client.grant_types": frozenset()}),
    Fault("moved", 8, denied("session_moved"), MOVED),
    Fault("resource not granted", 9, NOT_GRANTED, {"request.resources": (Resource("https://other.example", "other"),)}),
    Fault("scope too wide", 10, EXCEEDS, {"request.scope": frozenset({"read", "admin"})}),
    Fault("scope taken away", 10, EXCEEDS, {"client.scope": frozenset({"other"})}),
    Fault("too soon", 11, TOO_SOON, {"lifetimes.refresh_spacing_seconds": 60}),
]
REVOKING = {"refresh_token_reused", "session_moved"}


def refresh(facts: Mapping[str, Any]) -> Issue | Deny:
    """Return the decision about a valid request in which these facts are changed; a whole part has precedence."""
    parts: dict[str, Any] = {"family": FAMILY, "user": USER, "client": CLIENT, "request": RefreshRequest(5)}
    parts |= {"lifetimes": LIFETIMES, "genuine": True, "now": NOW}
    for name, value in sorted(facts.items(), key=lambda it: "." not in it[0]):
        part, _, member = name.partition(".")
        parts[part] = with_fields(parts[part], **{member: value}) if member else value
    return decide(**parts)


def granted(facts: Mapping[str, Any]) -> tuple[Issue, Family]:
    """Refresh, which must succeed. Return the decision and the new family."""
    decision = refresh(facts)
    assert isinstance(decision, Issue)
    assert decision.family is not None
    return decision, decision.family


@pytest.mark.requirement("A38", "A39", "A41", "A42", "A46", "I08", "O08")
@pytest.mark.parametrize("fault", FAULTS, ids=lambda it: it.name)
def test_each_fault_has_its_reason_and_only_replay_and_move_revoke_the_family(fault: Fault) -> None:
    revoked = FAMILY.revoked(fault.denial.reason, NOW) if fault.denial.reason in REVOKING else None

    assert refresh(fault.facts) == replace(fault.denial, family=revoked)


@pytest.mark.requirement("A41", "A46", "I08", "K04", "O08")
def test_earlier_check_decides_between_two_faults() -> None:
    pairs = [pair for pair in combinations(FAULTS, 2) if pair[0].rank != pair[1].rank]
    decisions = [(first, second, refresh(second.facts | first.facts)) for first, second in pairs]

    assert [
        (first.name, second.name)
        for first, second, decision in decisions
        if replace(decision, family=None) != first.denial
        or (decision.family is not None) != (first.denial.reason in REVOKING)
    ] == []


def test_two_refreshes_have_the_minimum_interval() -> None:
    def after(seconds: int) -> Issue | Deny:
        return refresh({"family.rotated_at": NOW - seconds, "lifetimes.refresh_spacing_seconds": 60})

    for seconds in (0, 59):
        assert after(seconds) == replace(TOO_SOON, retry_after=60 - seconds)
    for seconds in (60, 61, -1):  # the clock may be set back
        assert isinstance(after(seconds), Issue)


@pytest.mark.requirement("G03", "G04", "I07", "I08")
def test_rotation_advances_one_generation_and_clears_the_previous_request() -> None:
    after = FAMILY._replace(
        generation=6,
        access_expires_at=NOW + 600,
        rotated_at=NOW,
        idle_expires_at=NOW + 150,
        idempotency_digest=b"key",
        asked_scope=None,
        asked_resource=(FAMILY.audience[0],),
        retries=0,
        last_ip="198.51.100.7",
        last_user_agent="second",
    )

    resources = (Resource(FAMILY.audience[0], "API"),)
    request = RefreshRequest(5, None, b"key", Source("198.51.100.7", "second"), resources)

    assert refresh({"request": request}) == Issue(CLIENT, READ_WRITE, FAMILY.audience[:1], NOW, "rotated", USER, after)


@pytest.mark.requirement("I10", "O02")
@pytest.mark.parametrize(
    ("facts", "access_end", "idle_end", "absolute_end"),
    [
        pytest.param({}, 600, 150, 1000, id="own lifetimes"),
        pytest.param({"family.access_expires_at": NOW + 900}, 900, 150, 1000, id="an earlier token lives longer"),
        pytest.param({"family.absolute_expires_at": NOW + 150}, 150, 150, 150, id="idle end meets the absolute end"),
        pytest.param({"family.absolute_expires_at": NOW + 70}, 70, 70, 70, id="nothing outlives the session"),
        pytest.param(
            {"family.absolute_expires_at": NOW + 1, "family.idle_expires_at": NOW + 1}, 1, 1, 1, id="last second"
        ),
    ],
)
def test_idle_end_and_access_tokens_extend_up_to_the_absolute_end_which_never_moves(
    facts: dict[str, Any], access_end: int, idle_end: int, absolute_end: int
) -> None:
    _, after = granted(facts | {"lifetimes.refresh_absolute_seconds": 10**6})

    ends = (after.access_expires_at, after.idle_expires_at, after.absolute_expires_at)
    assert ends == (NOW + access_end, NOW + idle_end, NOW + absolute_end)


@pytest.mark.requirement("A39", "A42", "A43", "I07")
@pytest.mark.parametrize(
    ("of_family", "registered", "asked", "expected"),
    [
        pytest.param(READ_WRITE, READ_WRITE, None, READ_WRITE, id="omitted: all of the grant"),
        pytest.param(READ_WRITE, READ_WRITE, READ, READ, id="narrowed"),
        pytest.param(READ_WRITE, READ_WRITE, READ_WRITE, READ_WRITE, id="the same"),
        pytest.param(READ, READ_WRITE, READ, READ, id="client was given more since"),
        pytest.param(READ, READ_WRITE, None, READ, id="omitted: not what the client was given since"),
        pytest.param(READ_WRITE, READ, None, READ, id="omitted: what the client still has"),
        pytest.param(READ_WRITE, READ, READ, READ, id="asked for what is left"),
        pytest.param(NO_SCOPE, READ_WRITE, None, NO_SCOPE, id="granted without scope"),
        pytest.param(READ, READ_WRITE, READ_WRITE, None, id="more than granted"),
        pytest.param(READ, READ_WRITE, WRITE, None, id="registered, but not granted"),
        pytest.param(READ_WRITE, READ, READ_WRITE, None, id="granted, but no longer registered"),
        pytest.param(READ_WRITE, READ, WRITE, None, id="only what was taken away"),
        pytest.param(READ_WRITE, NO_SCOPE, None, None, id="nothing is left, none asked"),
        pytest.param(NO_SCOPE, READ_WRITE, READ, None, id="asked, but granted without scope"),
    ],
)
def test_scope_is_within_grant_and_registration_and_the_grant_is_never_narrowed(
    of_family: frozenset[str], registered: frozenset[str], asked: frozenset[str] | None, expected: frozenset[str] | None
) -> None:
    facts = {"family.scope": of_family, "client.scope": registered, "request.scope": asked}

    if expected is None:
        assert refresh(facts) == EXCEEDS
    else:
        decision, after = granted(facts)
        assert (decision.scope, after.scope, after.asked_scope) == (expected, of_family, asked)


@pytest.mark.requirement("I08")
@pytest.mark.parametrize("ahead", [1, 2, 1000])
def test_genuine_generation_ahead_of_the_stored_one_is_accepted_and_uses_up_all_before(ahead: int) -> None:
    decision, after = granted({"request.generation": 5 + ahead})

    assert (decision.reason, after.generation) == ("fast_forwarded", 6 + ahead)
    for generation in (5, 4 + ahead, 5 + ahead):
        replay = refresh({"family": after, "request.generation": generation})
        assert replay == replace(REUSED, family=after.revoked("refresh_token_reused", NOW))


@pytest.mark.requirement("I08", "O02", "O03")
@pytest.mark.parametrize(
    "fault", [it for it in FAULTS if it.rank != 3 and it.name != "no family"], ids=lambda it: it.name
)
def test_generation_ahead_does_not_bypass_other_checks(fault: Fault) -> None:
    decision = refresh(fault.facts | {"request.generation": 9})

    assert replace(decision, family=None) == fault.denial
