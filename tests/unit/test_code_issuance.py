"""Issuance of authorization codes: what must still be true, and which family a code opens."""

from dataclasses import replace
from typing import Any

import pytest

from jeton.oauth.authorization_codes import CODE_SECONDS, AuthorizationCode
from jeton.oauth.browser_sessions import BrowserSession
from jeton.oauth.code_issuance import NewFamily, Stored, decide
from jeton.oauth.consents import Consent
from jeton.oauth.decisions import Deny, IssueCode
from jeton.oauth.errors import ErrorCode
from jeton.oauth.sessions import Source
from jeton.oauth.writes import AddBrowserSessionClient, InsertAuthorizationCode, SaveConsent, SaveFamily
from support.builders import (
    API,
    CALLBACK,
    NOW,
    READ,
    READ_WRITE,
    authorization_request,
    client,
    family,
    lifetimes,
    user,
)

CLIENT = client(
    "app",
    public=True,
    grant_types=frozenset({"authorization_code", "refresh_token"}),
    redirect_uris=frozenset({CALLBACK}),
    resources=(API,),
)
USER = user()
BROWSER = BrowserSession("browser", "u_1", b"digest", NOW - 100, ("pwd", "otp"), NOW - 100, NOW, NOW + 10, NOW + 20)
REQUEST = authorization_request(scope=READ_WRITE, resources=(API,), code_challenge="c" * 43, nonce="a nonce")
NEW = NewFamily("sid", b"secret", "00c0ffee", 7, Source("192.0.2.1", "a browser"))
CONSENT = Consent("u_1", "app", {API: READ}, NOW - 50, NOW - 50)


def decided(**more: Any) -> IssueCode | Deny:
    stored = Stored(
        more.pop("stored_client", more.get("client", CLIENT)),
        more.pop("user", USER),
        more.pop("browser_session", BROWSER),
        more.pop("consent", None),
        more.pop("unredeemed_codes", 0),
    )
    facts: dict[str, Any] = {
        "request": REQUEST,
        "scope": READ,
        "client": CLIENT,
        "stored": stored,
        "consented": True,
        "new": NEW,
        "lifetimes": lifetimes(access_seconds=600, refresh_absolute_seconds=86400),
        "default_audience": "https://id.example",
        "now": NOW,
        **more,
    }
    return decide(**facts)


def issued(**more: Any) -> IssueCode:
    decision = decided(**more)
    assert isinstance(decision, IssueCode), decision
    return decision


@pytest.mark.requirement("CO01", "CO02", "SE08")
def test_a_code_opens_its_family_at_generation_zero_and_binds_it_to_the_request() -> None:
    decision = issued()

    assert decision.family == family(
        "sid",
        client_id="app",
        scope=READ,
        auth_time=NOW - 100,
        amr=("pwd", "otp"),
        idle_expires_at=NOW + CODE_SECONDS,
        absolute_expires_at=NOW + 86400,
        master_key_id="00c0ffee",
        created_ip="192.0.2.1",
        created_user_agent="a browser",
        last_ip="192.0.2.1",
        last_user_agent="a browser",
        status_index=7,
        browser_session_id="browser",
        code_challenge="c" * 43,
        code_expires_at=NOW + CODE_SECONDS,
    )
    assert not decision.family.is_redeemed
    assert decision.code == AuthorizationCode("sid", NOW + CODE_SECONDS, CALLBACK, "a nonce")
    assert decision.writes == (
        SaveFamily(decision.family),
        InsertAuthorizationCode(decision.code),
        AddBrowserSessionClient("browser", "app"),
        SaveConsent(Consent("u_1", "app", {API: READ}, NOW, NOW)),
    )


def test_a_redirect_uri_that_was_not_sent_is_not_asked_for_at_redemption() -> None:
    assert issued(request=replace(REQUEST, redirect_uri_sent=False)).code.redirect_uri is None


@pytest.mark.requirement("CO10", "RI06")
@pytest.mark.parametrize(
    ("more", "code"),
    [
        *(({"client": it}, ErrorCode.UNAUTHORIZED_CLIENT) for it in (None, replace(CLIENT, disabled=True))),
        ({"client": replace(CLIENT, grant_types=frozenset({"password"}))}, ErrorCode.UNAUTHORIZED_CLIENT),
        ({"client": replace(CLIENT, redirect_uris=frozenset({CALLBACK + "/"}))}, ErrorCode.INVALID_REQUEST),
        ({"client": replace(CLIENT, resources=())}, ErrorCode.INVALID_TARGET),
        ({"client": replace(CLIENT, scope=frozenset({"write"}))}, ErrorCode.INVALID_SCOPE),
        ({"scope": frozenset({"read", "admin"})}, ErrorCode.INVALID_SCOPE),
        ({"request": replace(REQUEST, scope=frozenset({"write"}))}, ErrorCode.INVALID_SCOPE),
        *(({"user": it}, ErrorCode.LOGIN_REQUIRED) for it in (None, replace(USER, disabled=True))),
        *(({"browser_session": it}, ErrorCode.LOGIN_REQUIRED) for it in (None, replace(BROWSER, sub="u_2"))),
        ({"now": NOW + 10}, ErrorCode.LOGIN_REQUIRED),
        ({"browser_session": replace(BROWSER, absolute_expires_at=NOW)}, ErrorCode.LOGIN_REQUIRED),
    ],
)
def test_what_has_changed_since_the_page_was_shown_refuses_the_code(more: dict[str, Any], code: ErrorCode) -> None:
    decision = decided(**more)

    assert isinstance(decision, Deny)
    assert (decision.code, decision.writes) == (code, ())


@pytest.mark.parametrize(
    ("more", "is_issued"),
    [
        ({}, False),
        ({"client": replace(CLIENT, first_party=True)}, True),
        ({"consent": CONSENT}, True),
        ({"consent": replace(CONSENT, allowed={API: frozenset({"write"})})}, False),
        ({"consent": replace(CONSENT, allowed={"https://files.example": READ})}, False),
        ({"request": replace(REQUEST, resources=()), "consent": CONSENT}, False),
        ({"request": replace(REQUEST, resources=()), "consent": replace(CONSENT, allowed={"": READ})}, True),
    ],
)
def test_without_a_page_only_what_was_allowed_before_is_issued_and_nothing_is_remembered(
    more: dict[str, Any], is_issued: bool
) -> None:
    decision = decided(consented=False, **more)

    assert isinstance(decision, IssueCode) is is_issued
    if isinstance(decision, IssueCode):
        assert decision.consent is None
    else:
        assert decision.code is ErrorCode.CONSENT_REQUIRED


@pytest.mark.requirement("O13")
@pytest.mark.parametrize(("unredeemed", "is_issued"), [(99, True), (100, False)])
def test_a_user_has_a_limited_number_of_codes_that_were_not_redeemed(unredeemed: int, is_issued: bool) -> None:
    decision = decided(unredeemed_codes=unredeemed)

    assert isinstance(decision, IssueCode) is is_issued
    if isinstance(decision, Deny):
        assert (decision.code, decision.retry_after) == (ErrorCode.TEMPORARILY_UNAVAILABLE, CODE_SECONDS)


@pytest.mark.requirement("MC11")
def test_a_new_consent_widens_the_older_one() -> None:
    before = replace(CONSENT, allowed={API: frozenset({"write"}), "https://files.example": frozenset({"write"})})

    assert issued(consent=before).consent == Consent(
        "u_1", "app", {API: frozenset({"read", "write"}), "https://files.example": frozenset({"write"})}, NOW - 50, NOW
    )


@pytest.mark.requirement("RI03")
@pytest.mark.parametrize(
    ("resources", "audience", "expected"),
    [
        ((API,), ("https://own.example",), (API,)),
        ((), ("https://own.example",), ("https://own.example",)),
        ((), (), ("https://id.example",)),
    ],
)
def test_the_audience_is_the_resources_else_the_client_s_else_the_default(
    resources: tuple[str, ...], audience: tuple[str, ...], expected: tuple[str, ...]
) -> None:
    decision = issued(request=replace(REQUEST, resources=resources), client=replace(CLIENT, audience=audience))

    assert decision.family.audience == expected


def test_a_session_that_cannot_be_refreshed_ends_with_its_only_access_token() -> None:
    decision = issued(client=replace(CLIENT, grant_types=frozenset({"authorization_code"})))

    assert decision.family.absolute_expires_at == NOW + CODE_SECONDS + 600
