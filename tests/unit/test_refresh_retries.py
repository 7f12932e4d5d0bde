"""Refresh rotation, retries: which repetitions of a used refresh token are permitted (RFC 9700 section 4.14.2)."""

from typing import Any

import pytest

from jeton.frozen import replace
from jeton.oauth.clients import Client, Lifetimes
from jeton.oauth.decisions import Deny, Issue
from jeton.oauth.errors import ErrorCode
from jeton.oauth.refresh_rotation import IDEMPOTENCY_SECONDS, MAX_GRACE_RETRIES, RefreshRequest, decide
from jeton.oauth.resources import Resource
from jeton.oauth.sessions import Family, Source
from support.builders import API, NOW, READ, READ_WRITE, client, family, lifetimes, user

CLIENT = client()
STRICT = lifetimes(refresh_idle_seconds=5000, refresh_absolute_seconds=9000)
GRACE = replace(STRICT, retry_grace_seconds=30)
BEFORE = family(now=NOW - 1000, idle_expires_at=NOW + 5000, absolute_expires_at=NOW + 8000, generation=5)
PLAIN, KEYED = RefreshRequest(5), RefreshRequest(5, None, b"key")
MODES = pytest.mark.parametrize(
    ("request_", "lifetimes"), [pytest.param(KEYED, STRICT, id="key"), pytest.param(PLAIN, GRACE, id="grace")]
)


def refresh(
    stored: Family, request: RefreshRequest, limits: Lifetimes = STRICT, *, after: int = 0, by: Client = CLIENT
) -> Issue | Deny:
    """Return the decision about a request this number of seconds after the rotation."""
    return decide(stored, user(), by, request, genuine=True, lifetimes=limits, now=NOW + after)


def granted(stored: Family, request: RefreshRequest, limits: Lifetimes = STRICT, *, after: int = 0) -> Family:
    decision = refresh(stored, request, limits, after=after)
    assert isinstance(decision, Issue), decision
    assert decision.family is not None
    return decision.family


def is_replay(stored: Family, request: RefreshRequest, limits: Lifetimes = STRICT, *, after: int = 0) -> bool:
    decision = refresh(stored, request, limits, after=after)
    revoked = stored.revoked("refresh_token_reused", NOW + after)
    refused = decision == Deny(ErrorCode.INVALID_GRANT, "refresh_token_reused", revoked)
    assert refused or isinstance(decision, Issue), decision
    return refused


ROTATED_KEYED, ROTATED_PLAIN = granted(BEFORE, KEYED), granted(BEFORE, PLAIN)


@pytest.mark.parametrize(
    ("stored", "request_", "limits", "after", "replay"),
    [
        pytest.param(ROTATED_PLAIN, PLAIN, STRICT, 0, True, id="no key, no grace period"),
        pytest.param(ROTATED_PLAIN, KEYED, STRICT, 0, True, id="key, but the rotation had none"),
        *(
            pytest.param(ROTATED_KEYED, KEYED, STRICT, it, it > 300, id=f"key: {it} s")
            for it in (0, 1, 300, 301, -86400)
        ),
        pytest.param(ROTATED_KEYED, KEYED, GRACE, 60, False, id="key: after the grace period"),
        pytest.param(ROTATED_KEYED, replace(KEYED, idempotency_digest=b"other"), STRICT, 0, True, id="another key"),
        pytest.param(ROTATED_KEYED, PLAIN, STRICT, 0, True, id="no key, but the rotation had one"),
        pytest.param(ROTATED_KEYED, replace(KEYED, scope=READ), STRICT, 0, True, id="key: narrower scope"),
        pytest.param(
            ROTATED_KEYED, replace(KEYED, resources=(Resource(API, "api"),)), STRICT, 0, True, id="key: resource"
        ),
        pytest.param(ROTATED_KEYED, replace(KEYED, generation=4), STRICT, 0, True, id="key: grandparent"),
        pytest.param(ROTATED_KEYED, replace(KEYED, generation=0), STRICT, 0, True, id="key: first generation"),
        # The clock may be set back.
        *(pytest.param(ROTATED_PLAIN, PLAIN, GRACE, it, False, id=f"grace: {it} s") for it in (0, 29, -29)),
        *(pytest.param(ROTATED_PLAIN, PLAIN, GRACE, it, True, id=f"grace: {it} s") for it in (30, 31, -30, -86400)),
        pytest.param(ROTATED_PLAIN, replace(PLAIN, scope=READ), GRACE, 1, True, id="grace: another scope"),
        pytest.param(ROTATED_PLAIN, replace(PLAIN, generation=4), GRACE, 1, True, id="grace: grandparent"),
        pytest.param(ROTATED_PLAIN, replace(PLAIN, generation=0), GRACE, 1, True, id="grace: first generation"),
        pytest.param(ROTATED_PLAIN._replace(retries=4), PLAIN, GRACE, 1, False, id="grace: fifth retry"),
        pytest.param(ROTATED_PLAIN._replace(retries=5), PLAIN, GRACE, 1, True, id="grace: sixth retry"),
        pytest.param(ROTATED_KEYED._replace(retries=99), KEYED, GRACE, 1, False, id="key: hundredth retry"),
    ],
)
def test_only_the_last_request_may_be_repeated_and_only_for_a_short_time(
    stored: Family, request_: RefreshRequest, limits: Lifetimes, after: int, replay: bool
) -> None:
    assert (IDEMPOTENCY_SECONDS, MAX_GRACE_RETRIES) == (300, 5)
    assert is_replay(stored, request_, limits, after=after) is replay


@MODES
def test_repetition_changes_nothing_but_its_count(request_: RefreshRequest, lifetimes: Lifetimes) -> None:
    before = granted(BEFORE, request_)
    elsewhere = replace(request_, source=Source("203.0.113.9", "other"))

    decision = refresh(before, elsewhere, replace(lifetimes, refresh_spacing_seconds=60), after=20)

    after = before._replace(retries=1)
    assert decision == Issue(CLIENT, READ_WRITE, BEFORE.audience, NOW, "retried", user(), after)


@MODES
@pytest.mark.requirement("A46", "O02")
@pytest.mark.parametrize(
    ("changes", "by", "denial"),
    [
        pytest.param({"revoked_at": NOW}, CLIENT, Deny(ErrorCode.INVALID_GRANT, "family_revoked"), id="revoked"),
        pytest.param(
            {"absolute_expires_at": NOW + 10}, CLIENT, Deny(ErrorCode.INVALID_GRANT, "refresh_token_expired"),
            id="expired",
        ),
        pytest.param(
            {}, client("other"), Deny(ErrorCode.INVALID_GRANT, "refresh_token_of_other_client"), id="other client"
        ),
        pytest.param(
            {}, client(scope=frozenset()), Deny(ErrorCode.INVALID_SCOPE, "scope_exceeds_grant"), id="scope taken away"
        ),
    ],
)  # fmt: skip
def test_permitted_repetition_with_another_fault_is_refused_without_revocation(
    request_: RefreshRequest, lifetimes: Lifetimes, changes: dict[str, Any], by: Client, denial: Deny
) -> None:
    stored = granted(BEFORE, request_)._replace(**changes)

    assert refresh(stored, request_, lifetimes, after=10, by=by) == denial
