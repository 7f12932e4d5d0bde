"""Issuance of authorization codes: what must still be true, and which family a code opens."""

from typing import Any

import pytest

from jeton.frozen import replace
from jeton.oauth.authorization.code_issuance import NewFamily, Stored, decide
from jeton.oauth.authorization_codes import CODE_SECONDS, AuthorizationCode
from jeton.oauth.browser_sessions import BrowserSession
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
from support.tables import rows

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
NEW = NewFamily(
    *("sid", b"secret", "00c0ffee", 7, Source("192.0.2.1", "a browser")),
    lifetimes(access_seconds=600, refresh_absolute_seconds=86400),
    "https://id.example",
)
CONSENT = Consent("u_1", "app", {API: READ}, NOW - 50, NOW - 50)


def decided(**more: Any) -> IssueCode | Deny:
    rows = {"user": USER, "browser_session": BROWSER, "consent": None, "unredeemed_codes": 0}
    stored = Stored(more.get("client", CLIENT), **{name: more.pop(name, usual) for name, usual in rows.items()})
    facts: dict[str, Any] = {
        "request": REQUEST,
        "scope": READ,
        "client": CLIENT,
        "stored": stored,
        "consented": True,
        "new": NEW,
        "now": NOW,
    }
    return decide(**facts | more)


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
    assert issued(request=replace(REQUEST, redirect_uri_sent=False)).code == replace(decision.code, redirect_uri=None)
    assert decision.writes == (
        SaveFamily(decision.family),
        InsertAuthorizationCode(decision.code),
        AddBrowserSessionClient("browser", "app"),
        SaveConsent(Consent("u_1", "app", {API: READ}, NOW, NOW)),
    )


SILENT: dict[str, Any] = {"consented": False}
OF_NO_RESOURCE: dict[str, Any] = {"request": replace(REQUEST, resources=())}
REFUSED: dict[ErrorCode, list[dict[str, Any]]] = {
    ErrorCode.UNAUTHORIZED_CLIENT: [
        {"client": it}
        for it in (None, replace(CLIENT, disabled=True), replace(CLIENT, grant_types=frozenset({"password"})))
    ],
    ErrorCode.INVALID_REQUEST: [{"client": replace(CLIENT, redirect_uris=frozenset({CALLBACK + "/"}))}],
    ErrorCode.INVALID_TARGET: [{"client": replace(CLIENT, resources=())}],
    ErrorCode.INVALID_SCOPE: [
        {"client": replace(CLIENT, scope=frozenset({"write"}))},
        {"scope": frozenset({"read", "admin"})},
        {"request": replace(REQUEST, scope=frozenset({"write"}))},
    ],
    ErrorCode.LOGIN_REQUIRED: [
        *({"user": it} for it in (None, replace(USER, disabled=True))),
        *({"browser_session": it} for it in (None, replace(BROWSER, sub="u_2"))),
        *({"now": NOW + 10}, {"browser_session": replace(BROWSER, absolute_expires_at=NOW)}),
    ],
    ErrorCode.CONSENT_REQUIRED: [
        SILENT,
        *(
            SILENT | {"consent": replace(CONSENT, allowed=it)}
            for it in ({API: frozenset({"write"})}, {"https://files.example": READ})
        ),
        SILENT | OF_NO_RESOURCE | {"consent": CONSENT},
    ],
    ErrorCode.TEMPORARILY_UNAVAILABLE: [{"unredeemed_codes": 100}],
}


@pytest.mark.requirement("CO10", "O13", "RI06")
@pytest.mark.parametrize(("code", "facts"), rows(REFUSED))
def test_change_since_the_page_was_shown_refuses_the_code(code: ErrorCode, facts: dict[str, Any]) -> None:
    decision = decided(**facts)

    assert isinstance(decision, Deny)
    assert (decision.code, decision.writes) == (code, ())
    assert decision.retry_after == (CODE_SECONDS if "unredeemed_codes" in facts else None)


def test_without_a_page_what_was_allowed_before_is_issued_and_nothing_is_remembered() -> None:
    for facts in (
        {"client": replace(CLIENT, first_party=True), "unredeemed_codes": 99},
        {"consent": CONSENT},
        OF_NO_RESOURCE | {"consent": replace(CONSENT, allowed={"": READ})},
    ):
        assert issued(**SILENT | facts).consent is None


@pytest.mark.requirement("MC11")
def test_a_new_consent_widens_the_older_one_but_for_what_is_left_out() -> None:
    files = {"https://files.example": frozenset({"write"})}
    before = replace(CONSENT, allowed={API: frozenset({"write", "share"}), **files})

    assert issued(consent=before).consent == Consent(
        "u_1", "app", {API: frozenset({"read", "share"}), **files}, NOW - 50, NOW
    )


@pytest.mark.requirement("RI03")
def test_the_audience_is_the_resources_else_the_client_s_else_the_default() -> None:
    own = {"client": replace(CLIENT, audience=("https://own.example",))}

    found = [issued(**it).family.audience for it in (own, own | OF_NO_RESOURCE, OF_NO_RESOURCE)]
    assert found == [(API,), ("https://own.example",), ("https://id.example",)]


def test_a_session_that_cannot_be_refreshed_ends_with_its_only_access_token() -> None:
    decision = issued(client=replace(CLIENT, grant_types=frozenset({"authorization_code"})))

    assert decision.family.absolute_expires_at == NOW + CODE_SECONDS + 600
