"""What an authorization request needs next: a pure decision, as a table (OpenID Connect Core 3.1.2.3, RFC 8252 8.6)."""

from typing import Any

import pytest

from jeton.frozen import replace
from jeton.oauth.authorization.authorization_rules import (
    AskConsent,
    AskSignIn,
    NextStep,
    Proceed,
    Refuse,
    decide_next_step,
)
from jeton.oauth.authorization.interactions import (
    ANY_AUTHENTICATION,
    Freshness,
    Shown,
    authenticate_again,
    fingerprint,
    freshness_on_arrival,
)
from jeton.oauth.browser_sessions import BrowserSession
from jeton.oauth.clients import Client
from jeton.oauth.consents import Consent
from jeton.oauth.errors import ErrorCode
from support.builders import API, NOW, READ, authorization_request
from support.tables import rows

REQUEST = authorization_request(resources=(API,))
CLIENT = Client("app", public=False, created_at=0)
FIRST_PARTY = replace(CLIENT, first_party=True)
SESSION = BrowserSession("b", "alice", b"digest", NOW, ("pwd",), NOW, NOW, NOW + 100, NOW + 100)
FILES = "https://files.example"
CONSENT = Consent("alice", "app", {API: READ}, 0, 0)
LOOPBACK = "http://127.0.0.1:7000/callback"
PRIVATE = "com.example.app:/callback"


def decide(
    client: Client = CLIENT,
    session: BrowserSession | None = SESSION,
    consent: Consent | None = CONSENT,
    freshness: Freshness = ANY_AUTHENTICATION,
    *,
    seen: bool = False,
    optional: frozenset[str] = frozenset(),
    **request: Any,
) -> NextStep:
    asked = replace(REQUEST, **request)
    return decide_next_step(asked, client, session, consent, freshness, has_seen_pages=seen, optional=optional)


def prompt(*values: str) -> dict[str, Any]:
    return {"prompt": frozenset(values)}


NONE = prompt("none")


@pytest.mark.requirement("CN03", "RI09", "MC11")
@pytest.mark.parametrize(
    ("allowed", "resources", "new_scope", "new_resources"),
    [
        (None, (API,), "", ()),
        ({API: set()}, (API,), "read", ()),
        ({FILES: {"read"}}, (API,), "read", (API,)),
        ({"": {"read"}}, (API,), "read", (API,)),
        ({API: {"read"}}, (), "read", ()),
        ({API: {"read"}, FILES: {"write"}}, (API, FILES), "read", (FILES,)),
    ],
    ids=["nothing", "another scope", "another resource", "no resource", "only at a resource", "at one of two"],
)
def test_scope_without_consent_is_asked_for_and_marked(
    allowed: dict[str, set[str]] | None, resources: tuple[str, ...], new_scope: str, new_resources: tuple[str, ...]
) -> None:
    before = None if allowed is None else {uri: frozenset(scope) for uri, scope in allowed.items()}
    consent = None if before is None else replace(CONSENT, allowed=before)
    step = decide(consent=consent, resources=resources)
    new = frozenset(new_scope.split())
    assert step == AskConsent(Shown("b", READ, resources, new, frozenset(new_resources), asks_consent=True))


STEPS: dict[NextStep | ErrorCode | str, list[dict[str, Any]]] = {
    Proceed(): [{}, {"client": FIRST_PARTY, "consent": None}, {"id_token_hint_sub": "alice"}],
    AskSignIn(): [{"session": None, "consent": None}, {"id_token_hint_sub": "bob"}],
    ErrorCode.LOGIN_REQUIRED: [
        *(NONE | it for it in ({"session": None}, {"freshness": Freshness(NOW + 1)}, {"id_token_hint_sub": "bob"})),
        {"id_token_hint_sub": "bob", "seen": True},
    ],
    ErrorCode.CONSENT_REQUIRED: [NONE | {"consent": None}, NONE | {"redirect_uri": LOOPBACK}],
    ErrorCode.INTERACTION_REQUIRED: [NONE | {"client": FIRST_PARTY, "redirect_uri": LOOPBACK}],
    "consent": [
        *({"redirect_uri": it} for it in (LOOPBACK, PRIVATE, "http://localhost/callback")),
        *({"client": it, **prompt("consent")} for it in (CLIENT, FIRST_PARTY)),
    ],
    "account": [
        *({"client": FIRST_PARTY, "consent": None, "redirect_uri": it} for it in (LOOPBACK, PRIVATE)),
        prompt("select_account"),
    ],
}


@pytest.mark.requirement("CN03", "CN05", "NA04", "OI02", "OI03", "OI08")
@pytest.mark.parametrize(("expected", "facts"), rows(STEPS))
def test_request_leads_to_an_error_a_page_or_a_code(
    expected: NextStep | ErrorCode | str, facts: dict[str, Any]
) -> None:
    """The results are an error, a page for consent or for the choice of an account, or no page."""
    match decide(**facts):
        case Refuse(error):
            assert error is expected
        case AskConsent(shown):
            assert ("consent" if shown.asks_consent else "account") == expected
        case step:
            assert step == expected


@pytest.mark.requirement("CN03", "RI09")
def test_a_resource_that_was_not_allowed_is_asked_without_a_scope_of_its_own() -> None:
    openid = frozenset({"openid"})
    consent = replace(CONSENT, allowed={"": openid})
    step = decide(consent=consent, scope=openid)
    assert step == AskConsent(Shown("b", openid, (API,), frozenset(), frozenset({API}), asks_consent=True))
    assert decide(consent=consent.changed({API: frozenset()}, {}, NOW), scope=openid) == Proceed()


@pytest.mark.requirement("CN04", "CN06")
def test_optional_scopes_that_are_asked_for_can_be_left_out() -> None:
    asked, optional = frozenset({"openid", "read", "write"}), frozenset({"read", "write", "delete"})
    step = decide(consent=None, scope=asked, optional=optional)
    assert isinstance(step, AskConsent)
    assert step.shown.optional == {"read", "write"}
    for chosen, granted in [("", "openid"), ("read", "openid read"), ("read write delete", "openid read write")]:
        assert step.shown.granted(chosen.split()) == set(granted.split())


@pytest.mark.requirement("OI04", "OI05")
@pytest.mark.parametrize(
    ("fields", "elapsed", "satisfied"),
    [({}, 10_000, True), *(({"max_age": 60}, it, it <= 60) for it in (60, 61)), ({"max_age": 0}, 0, False),
     ({"max_age": 60}, -10, True), ({"max_age": 60}, -11, False), (prompt("login"), 0, False)],
)  # fmt: skip
def test_max_age_accepts_a_recent_authentication(fields: dict[str, Any], elapsed: int, satisfied: bool) -> None:
    freshness = freshness_on_arrival(replace(REQUEST, **fields), SESSION, NOW + elapsed)
    assert freshness.is_satisfied_by(SESSION) is satisfied


@pytest.mark.requirement("OI04")
def test_new_authentication_in_the_same_second_satisfies_prompt_login() -> None:
    freshness = authenticate_again(SESSION, NOW)
    assert not freshness.is_satisfied_by(SESSION)
    assert freshness.is_satisfied_by(replace(SESSION, secret_digest=b"another"))
    assert not freshness.is_satisfied_by(replace(SESSION, secret_digest=b"another", auth_time=NOW - 1))
    assert fingerprint(SESSION) != SESSION.secret_digest.hex() or len(SESSION.secret_digest) < 16
