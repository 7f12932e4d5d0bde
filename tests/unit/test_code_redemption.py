"""Redemption of authorization codes: which presented code issues tokens, which is refused, which ends the family."""

from dataclasses import replace
from typing import Any

import pytest

from jeton.oauth.authorization_codes import CODE_SECONDS, AuthorizationCode
from jeton.oauth.code_redemption import RedemptionRequest, decide
from jeton.oauth.decisions import Deny, Issue
from jeton.oauth.errors import ErrorCode
from jeton.oauth.refresh_rotation import IDEMPOTENCY_SECONDS
from jeton.oauth.resources import Resource
from jeton.oauth.sender_constraints import Confirmation
from jeton.oauth.sessions import Family, Source
from support.builders import CALLBACK, NOW, client, family, lifetimes, user

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
    generation=1,
    rotated_at=NOW,
    idle_expires_at=NOW + 3600,
    access_expires_at=NOW + 600,
    idempotency_digest=b"key",
)


def decided(request: RedemptionRequest = REQUEST, **more: Any) -> Issue | Deny:
    facts: dict[str, Any] = {
        "family": FAMILY,
        "code": CODE,
        "user": USER,
        "client": CLIENT,
        "genuine": True,
        "lifetimes": LIFETIMES,
        "surplus": (),
        "now": NOW + 10,
        **more,
    }
    return decide(request=request, **facts)


def issued(request: RedemptionRequest = REQUEST, **more: Any) -> Issue:
    decision = decided(request, **more)
    assert isinstance(decision, Issue), decision
    return decision


def denied(request: RedemptionRequest = REQUEST, **more: Any) -> Deny:
    decision = decided(request, **more)
    assert isinstance(decision, Deny), decision
    return decision


@pytest.mark.requirement("CO02", "CO03")
def test_the_first_redemption_makes_the_family_a_session_of_generation_one() -> None:
    issue = issued(replace(REQUEST, idempotency_digest=b"key", resources=(API,)))

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


@pytest.mark.requirement("CO04", "CO06", "CO07", "CO08", "RA18", "K04", "L04", "A28")
@pytest.mark.parametrize(
    ("request_", "more", "reason"),
    [
        (REQUEST, {"client": replace(CLIENT, client_id="other")}, "code_of_other_client"),
        (replace(REQUEST, challenge="x" * 43), {}, "code_verifier_wrong"),
        (replace(REQUEST, challenge=None), {}, "code_verifier_missing"),
        (replace(REQUEST, redirect_uri=CALLBACK + "/"), {}, "redirect_uri_wrong"),
    ],
)
@pytest.mark.parametrize("family", [FAMILY, REDEEMED], ids=["first use", "second use"])
def test_a_request_that_is_not_the_owner_s_changes_nothing(
    request_: RedemptionRequest, more: dict[str, Any], reason: str, family: Family
) -> None:
    decision = denied(request_, **{"family": family, **more})

    assert (decision.code, decision.reason, decision.writes) == (ErrorCode.INVALID_GRANT, reason, ())


@pytest.mark.requirement("CO06", "RA18")
@pytest.mark.parametrize(
    ("sent", "redirect_uri", "challenge", "reason"),
    [
        (CALLBACK, CALLBACK, None, None),
        (CALLBACK, None, None, "redirect_uri_missing"),
        (None, None, None, None),
        (CALLBACK, CALLBACK, CHALLENGE, "code_verifier_without_challenge"),
    ],
)
def test_without_a_challenge_the_redirect_uri_is_required_and_a_verifier_refused(
    sent: str | None, redirect_uri: str | None, challenge: str | None, reason: str | None
) -> None:
    decision = decided(
        replace(REQUEST, redirect_uri=redirect_uri, challenge=challenge),
        family=FAMILY._replace(code_challenge=None),
        code=replace(CODE, redirect_uri=sent),
    )

    assert (decision.reason if isinstance(decision, Deny) else None) == reason


@pytest.mark.requirement("CO06")
def test_with_a_challenge_the_redirect_uri_may_be_left_out() -> None:
    assert issued(replace(REQUEST, redirect_uri=None)).reason == "code_redeemed"


@pytest.mark.requirement("CO06", "RA10")
def test_the_only_redirect_uri_that_the_first_request_left_out_may_be_sent_with_the_code() -> None:
    left_out = replace(CODE, redirect_uri=None)

    assert issued(REQUEST, code=left_out).reason == "code_redeemed"
    other = denied(replace(REQUEST, redirect_uri=CALLBACK + "/"), code=left_out)
    assert (other.reason, other.writes) == ("redirect_uri_wrong", ())


@pytest.mark.requirement("CO03", "CO04", "CO05", "A27", "O09")
@pytest.mark.parametrize(
    ("family", "request_", "later"),
    [
        (REDEEMED, REQUEST, 10),
        (REDEEMED._replace(idempotency_digest=None), REQUEST, 0),
        (REDEEMED, replace(REQUEST, idempotency_digest=b"other"), 10),
        (REDEEMED, replace(REQUEST, idempotency_digest=b"key", resources=(API,)), 10),
        (REDEEMED, replace(REQUEST, idempotency_digest=b"key"), IDEMPOTENCY_SECONDS + 1),
        (REDEEMED._replace(generation=2), replace(REQUEST, idempotency_digest=b"key"), 10),
        (REDEEMED, REQUEST, 50_000),
    ],
)
@pytest.mark.parametrize("more", [{}, {"user": None}, {"client": replace(CLIENT, disabled=True)}])
def test_a_second_use_by_the_owner_ends_the_family(
    family: Family, request_: RedemptionRequest, later: int, more: dict[str, Any]
) -> None:
    decision = denied(request_, family=family, now=NOW + later, **more)

    assert (decision.code, decision.reason) == (ErrorCode.INVALID_GRANT, "code_reused")
    assert decision.family == family._replace(revoked_at=NOW + later, revoke_reason="code_reused")


@pytest.mark.requirement("CO04")
def test_a_second_use_after_the_code_s_row_is_deleted_still_ends_the_family() -> None:
    assert denied(family=REDEEMED, code=None, now=NOW + 50_000).family is not None
    assert denied(replace(REQUEST, challenge="x" * 43), family=REDEEMED, code=None).family is None


@pytest.mark.requirement("CO05")
@pytest.mark.parametrize("later", [0, 10, IDEMPOTENCY_SECONDS])
def test_a_repetition_with_the_same_key_gets_the_same_answer_and_writes_nothing_new(later: int) -> None:
    surplus = FAMILY._replace(sid="surplus")

    issue = issued(replace(REQUEST, idempotency_digest=b"key"), family=REDEEMED, now=NOW + later, surplus=(surplus,))

    assert (issue.reason, issue.issued_at, issue.nonce, issue.ended) == ("code_repeated", NOW, "a nonce", ())
    assert issue.family is REDEEMED


@pytest.mark.requirement("CO01", "CO13")
@pytest.mark.parametrize(("now", "ends"), [(NOW + CODE_SECONDS - 1, False), (NOW + CODE_SECONDS, True)])
def test_a_code_expires_after_sixty_seconds(now: int, ends: bool) -> None:
    decision = decided(now=now)

    assert isinstance(decision, Deny) is ends
    if isinstance(decision, Deny):
        assert (decision.code, decision.reason, decision.writes) == (ErrorCode.INVALID_GRANT, "code_expired", ())


@pytest.mark.requirement("CO10", "CO13")
@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"family": None}, "code_unknown"),
        ({"genuine": False}, "code_unknown"),
        ({"family": FAMILY._replace(code_expires_at=None)}, "code_unknown"),
        ({"family": FAMILY._replace(revoked_at=NOW)}, "family_revoked"),
        ({"family": REDEEMED._replace(revoked_at=NOW)}, "family_revoked"),
        ({"user": None}, "user_disabled"),
        ({"user": replace(USER, disabled=True)}, "user_disabled"),
        ({"client": replace(CLIENT, disabled=True)}, "client_disabled"),
        ({"client": replace(CLIENT, grant_types=frozenset({"refresh_token"}))}, "client_disabled"),
    ],
)
def test_a_code_of_which_the_grant_has_ended_is_refused(more: dict[str, Any], reason: str) -> None:
    decision = denied(**more)

    assert (decision.code, decision.reason, decision.writes) == (ErrorCode.INVALID_GRANT, reason, ())


def test_without_the_master_key_nothing_is_decided() -> None:
    decision = denied(genuine=None)

    assert (decision.code, decision.writes) == (ErrorCode.TEMPORARILY_UNAVAILABLE, ())


@pytest.mark.requirement("CO12", "RI04", "RI05", "RI09")
@pytest.mark.parametrize(
    ("resources", "audience", "scope"),
    [
        (None, (API.uri, FILES.uri), {"read", "files"}),
        ((API,), (API.uri,), {"read"}),
        ((FILES,), (FILES.uri,), {"files"}),
        ((FILES, API), (FILES.uri, API.uri), {"read", "files"}),
    ],
)
def test_resource_narrows_the_access_token_and_not_the_grant(
    resources: tuple[Resource, ...] | None, audience: tuple[str, ...], scope: set[str]
) -> None:
    issue = issued(replace(REQUEST, resources=resources))

    assert (issue.audience, issue.scope) == (audience, frozenset(scope))
    assert issue.family is not None
    assert (issue.family.audience, issue.family.scope) == (FAMILY.audience, FAMILY.scope)


@pytest.mark.requirement("CO12", "RI04")
def test_resource_never_widens_the_grant_and_consumes_nothing_then() -> None:
    other = Resource("https://other.example", "Other")

    decision = denied(replace(REQUEST, resources=(API, other)))

    assert (decision.code, decision.writes) == (ErrorCode.INVALID_TARGET, ())


def test_scope_that_the_client_lost_meanwhile_is_not_granted() -> None:
    assert issued(client=replace(CLIENT, scope=frozenset({"read"}))).scope == {"read"}
    decision = denied(client=replace(CLIENT, scope=frozenset({"openid"})))
    assert (decision.code, decision.writes) == (ErrorCode.INVALID_SCOPE, ())


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
    request = replace(REQUEST, confirmation=Confirmation(presented))

    decision = decided(request, code=replace(CODE, dpop_jkt=code_jkt), client=replace(CLIENT, public=public))

    if isinstance(decision, Deny):
        assert (decision.reason, decision.writes) == (outcome, ())
    else:
        assert decision.family is not None
        bound_to = decision.family.dpop_jkt, decision.family.certificate_thumbprint
        assert bound_to == (outcome if public else (None, None))


@pytest.mark.requirement("CO04", "CO05", "DP06", "DP07")
@pytest.mark.parametrize("presented", [None, "other"])
def test_a_second_use_without_the_key_changes_nothing(presented: str | None) -> None:
    bound = REDEEMED._replace(dpop_jkt="key")
    request = replace(REQUEST, confirmation=Confirmation(presented), idempotency_digest=b"key")

    assert denied(request, family=bound, code=None).writes == ()
    assert issued(replace(request, confirmation=Confirmation("key")), family=bound, code=None).reason == "code_repeated"
