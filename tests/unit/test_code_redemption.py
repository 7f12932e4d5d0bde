"""Redemption of authorization codes: which presented code issues tokens, which is refused, which ends the family."""

from typing import Any

import pytest

from jeton.frozen import replace
from jeton.oauth.authorization.code_redemption import RedemptionRequest, decide
from jeton.oauth.authorization_codes import CODE_SECONDS, AuthorizationCode
from jeton.oauth.decisions import Deny, Issue
from jeton.oauth.errors import ErrorCode
from jeton.oauth.refresh_rotation import IDEMPOTENCY_SECONDS
from jeton.oauth.resources import Resource
from jeton.oauth.sender_constraints import Confirmation
from jeton.oauth.sessions import Source
from support.builders import CALLBACK, NOW, client, family, lifetimes, user
from support.tables import rows

CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
LIFETIMES = lifetimes(access_seconds=600, refresh_idle_seconds=3600, refresh_absolute_seconds=86400)
API = Resource("https://api.example", "API", frozenset({"read"}))
FILES = Resource("https://files.example", "Files", frozenset({"files"}))
CLIENT = client(
    "app",
    public=True,
    grant_types=frozenset({"authorization_code", "refresh_token"}),
    scope=frozenset({"read", "files", "openid"}),
    redirect_uris=frozenset({CALLBACK}),
)
USER = user()
FAMILY = family(
    "sid",
    client_id="app",
    scope=frozenset({"read", "files"}),
    audience=(API.uri, FILES.uri),
    auth_time=NOW - 100,
    idle_expires_at=NOW + CODE_SECONDS,
    absolute_expires_at=NOW + 86400,
    browser_session_id="browser",
    code_challenge=CHALLENGE,
    code_expires_at=NOW + CODE_SECONDS,
)
CODE = AuthorizationCode("sid", NOW + CODE_SECONDS, CALLBACK, "a nonce")
REQUEST = RedemptionRequest(CALLBACK, CHALLENGE, source=Source("192.0.2.9", "an app"))
REDEEMED = FAMILY._replace(
    generation=1, rotated_at=NOW, idle_expires_at=NOW + 3600, access_expires_at=NOW + 600, idempotency_digest=b"key"
)


def asked(**fields: Any) -> dict[str, Any]:
    return {"request": replace(REQUEST, **fields)}


def decided(**facts: Any) -> Issue | Deny:
    usual: dict[str, Any] = {
        "family": FAMILY,
        "code": CODE,
        "user": USER,
        "client": CLIENT,
        "request": REQUEST,
        "genuine": True,
        "lifetimes": LIFETIMES,
        "surplus": (),
        "now": NOW + 10,
    }
    return decide(**usual | facts)


def issued(**facts: Any) -> Issue:
    decision = decided(**facts)
    assert isinstance(decision, Issue), decision
    return decision


@pytest.mark.requirement("CO02", "CO03")
def test_the_first_redemption_makes_the_family_a_session_of_generation_one() -> None:
    issue = issued(**asked(idempotency_digest=b"key", resources=(API,)))

    assert issue.family == FAMILY._replace(
        generation=1,
        rotated_at=NOW + 10,
        idle_expires_at=NOW + 10 + 3600,
        access_expires_at=NOW + 10 + 600,
        idempotency_digest=b"key",
        asked_resource=(API.uri,),
        last_ip="192.0.2.9",
        last_user_agent="an app",
    )
    assert (issue.reason, issue.issued_at, issue.nonce) == ("code_redeemed", NOW + 10, "a nonce")
    assert issue.family.auth_time == NOW - 100


# Without a challenge, the redirect URI is required, and a verifier refused.
BARE: dict[str, Any] = {"family": FAMILY._replace(code_challenge=None)}
LEFT_OUT: dict[str, Any] = {"code": replace(CODE, redirect_uri=None)}
BOUND: dict[str, Any] = {"family": REDEEMED._replace(dpop_jkt="key"), "code": None}
OTHER: Any = Resource("https://other.example", "Other")
NOT_THE_OWNER: dict[str, list[dict[str, Any]]] = {
    "code_of_other_client": [{"client": replace(CLIENT, client_id="other")}],
    "code_verifier_wrong": [asked(challenge="x" * 43)],
    "code_verifier_missing": [asked(challenge=None)],
    "redirect_uri_wrong": [asked(redirect_uri=CALLBACK + "/"), asked(redirect_uri=CALLBACK + "/") | LEFT_OUT],
    "redirect_uri_missing": [BARE | asked(redirect_uri=None, challenge=None)],
    "code_verifier_without_challenge": [BARE],
    "code_bound_to_other_key": [
        BOUND | asked(confirmation=Confirmation(it), idempotency_digest=b"key") for it in (None, "other")
    ],
}
ENDED: dict[str, list[dict[str, Any]]] = {
    "code_expired": [{"now": NOW + CODE_SECONDS}],
    "code_unknown": [{"family": None}, {"genuine": False}, {"family": FAMILY._replace(code_expires_at=None)}],
    "family_revoked": [{"family": it._replace(revoked_at=NOW)} for it in (FAMILY, REDEEMED)],
    "user_disabled": [{"user": None}, {"user": replace(USER, disabled=True)}],
    "client_disabled": [
        {"client": replace(CLIENT, **it)} for it in ({"disabled": True}, {"grant_types": frozenset({"refresh_token"})})
    ],
    "master_key_missing": [{"genuine": None}],
    "proof_required_of_client": [{"client": replace(CLIENT, require_dpop=True)}],
    "resource_exceeds_grant": [asked(resources=(API, OTHER))],
    "scope_exceeds_grant": [{"client": replace(CLIENT, scope=frozenset({"openid"}))}],
}
CODES = {
    "master_key_missing": ErrorCode.TEMPORARILY_UNAVAILABLE,
    "proof_required_of_client": ErrorCode.INVALID_DPOP_PROOF,
    "resource_exceeds_grant": ErrorCode.INVALID_TARGET,
    "scope_exceeds_grant": ErrorCode.INVALID_SCOPE,
}


@pytest.mark.requirement("A28", "CO01", "CO04", "CO05", "CO06", "CO07", "CO08", "CO10", "CO12", "CO13")
@pytest.mark.requirement("DP06", "DP07", "K04", "L04", "RA10", "RA18", "RI04")
@pytest.mark.parametrize(
    ("reason", "facts"),
    [
        *rows(NOT_THE_OWNER),
        *((reason, {"family": REDEEMED} | facts) for reason, facts in rows(NOT_THE_OWNER)),
        *rows(ENDED),
    ],
)
def test_a_refused_request_changes_nothing(reason: str, facts: dict[str, Any]) -> None:
    code, unknown = CODES.get(reason, ErrorCode.INVALID_GRANT), reason == "code_unknown"

    assert decided(**facts) == Deny(code, reason, unknown_token=unknown)


@pytest.mark.requirement("CO01", "CO06", "RA10", "RA18")
def test_redirect_uri_is_not_required_if_it_was_omitted_or_pkce_replaces_it() -> None:
    for facts in (
        *(asked(redirect_uri=None), LEFT_OUT, {"now": NOW + CODE_SECONDS - 1}),
        *(BARE | asked(challenge=None), BARE | LEFT_OUT | asked(redirect_uri=None, challenge=None)),
    ):
        assert issued(**facts).reason == "code_redeemed"


def test_scope_removed_from_the_client_since_is_not_granted() -> None:
    assert issued(client=replace(CLIENT, scope=frozenset({"read"}))).scope == {"read"}


@pytest.mark.requirement("CO03", "CO04", "CO05", "A27", "O09")
@pytest.mark.parametrize(
    ("facts", "later"),
    [
        ({}, 10),
        ({"family": REDEEMED._replace(idempotency_digest=None)}, 0),
        (asked(idempotency_digest=b"other"), 10),
        (asked(idempotency_digest=b"key", resources=(API,)), 10),
        (asked(idempotency_digest=b"key"), IDEMPOTENCY_SECONDS + 1),
        ({"family": REDEEMED._replace(generation=2)} | asked(idempotency_digest=b"key"), 10),
        ({"code": None}, 50_000),  # its row is deleted
    ],
)
@pytest.mark.parametrize("more", [{}, {"user": None}, {"client": replace(CLIENT, disabled=True)}])
def test_a_second_use_by_the_owner_ends_the_family(facts: dict[str, Any], later: int, more: dict[str, Any]) -> None:
    facts = {"family": REDEEMED} | facts

    revoked = facts["family"].revoked("code_reused", NOW + later)
    assert decided(**facts, **more, now=NOW + later) == Deny(ErrorCode.INVALID_GRANT, "code_reused", revoked)


@pytest.mark.requirement("CO05", "DP06", "DP07")
def test_a_repetition_with_the_key_that_the_family_is_bound_to_is_answered() -> None:
    assert (
        issued(**BOUND | asked(confirmation=Confirmation("key"), idempotency_digest=b"key")).reason == "code_repeated"
    )


@pytest.mark.requirement("CO05")
@pytest.mark.parametrize("later", [0, 10, IDEMPOTENCY_SECONDS])
def test_a_repetition_with_the_same_key_gets_the_same_answer_and_writes_nothing_new(later: int) -> None:
    surplus = FAMILY._replace(sid="surplus")

    issue = issued(**asked(idempotency_digest=b"key"), family=REDEEMED, now=NOW + later, surplus=(surplus,))

    assert (issue.reason, issue.issued_at, issue.nonce, issue.ended) == ("code_repeated", NOW, "a nonce", ())
    assert issue.family is REDEEMED


@pytest.mark.requirement("CO12", "RI04", "RI05", "RI09")
def test_resource_narrows_the_access_token_and_not_the_grant() -> None:
    for resources in (None, (API,), (FILES,), (FILES, API)):
        issue, targets = issued(**asked(resources=resources)), resources or (API, FILES)

        assert issue.audience == tuple(it.uri for it in targets)
        assert issue.scope == frozenset[str]().union(*(it.scope for it in targets))
        assert issue.family is not None
        assert (issue.family.audience, issue.family.scope) == (FAMILY.audience, FAMILY.scope)


def test_sessions_over_the_limit_end_with_the_first_redemption() -> None:
    oldest = REDEEMED._replace(sid="oldest")

    issue = issued(surplus=(oldest,))

    assert [(it.sid, it.revoke_reason) for it in issue.ended] == [("oldest", "too_many_sessions")]


@pytest.mark.requirement("CO02", "DP07", "DP16", "L16")
@pytest.mark.parametrize(
    ("code_jkt", "presented", "outcome"),
    [
        (None, None, (None, None)),
        (None, "key", ("key", None)),
        ("key", "key", ("key", None)),
        ("key", "other", "code_bound_to_other_key"),
        ("key", None, "code_bound_to_other_key"),
    ],
)
@pytest.mark.parametrize("public", [True, False])
def test_a_code_that_is_bound_to_a_key_takes_it_and_a_public_client_s_family_is_bound(
    code_jkt: str | None, presented: str | None, outcome: Any, public: bool
) -> None:
    facts = {"code": replace(CODE, dpop_jkt=code_jkt), "client": replace(CLIENT, public=public)}

    decision = decided(**asked(confirmation=Confirmation(presented)), **facts)

    if isinstance(decision, Deny):
        assert (decision.reason, decision.writes) == (outcome, ())
    else:
        assert decision.family is not None
        bound_to = decision.family.dpop_jkt, decision.family.certificate_thumbprint
        assert bound_to == (outcome if public else (None, None))
