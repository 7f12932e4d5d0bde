"""PKCE (RFC 7636): what an authorization request must hold, and which clients may do without."""

from typing import Any

import pytest

from jeton.frozen import replace
from jeton.oauth.authorization.pkce import is_code_verifier, may_omit_challenge, parse_code_challenge
from jeton.oauth.clients import Client
from jeton.oauth.errors import ErrorCode, OAuthError
from support.tables import rows

# RFC 7636 appendix B.
VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
MALFORMED = [CHALLENGE[:-1], CHALLENGE + "A", CHALLENGE[:-1] + "=", CHALLENGE[:-1] + "+", CHALLENGE + "\n"]
OPENID = frozenset({"openid"})
EXEMPT = Client("c", public=False, created_at=1, require_pkce=False)


@pytest.mark.requirement("CO07", "L01")
def test_verifiers_have_43_to_128_unreserved_characters() -> None:
    verifiers = [VERIFIER, "a" * 43, "a" * 128, "~._-" * 20]
    others = ["", "a" * 42, "a" * 129, "a" * 42 + "+", "a" * 42 + "\u00e4", "a" * 43 + "\n"]

    assert [it for it in verifiers + others if is_code_verifier(it)] == verifiers


REFUSED = [
    {"code_challenge": CHALLENGE},
    *({"code_challenge": CHALLENGE, "code_challenge_method": it} for it in ("plain", "s256", "S512")),
    {"code_challenge_method": "S256"},
    *({"code_challenge": it, "code_challenge_method": "S256"} for it in MALFORMED),
]


@pytest.mark.requirement("RA14", "RA15", "L03", "O09", "NA05", "I02")
@pytest.mark.parametrize(("required", "parameters"), [*rows({True: [{}, *REFUSED], False: REFUSED})])
def test_missing_and_malformed_challenges_and_other_methods_are_refused(
    parameters: dict[str, str], required: bool
) -> None:
    with pytest.raises(OAuthError) as refused:
        parse_code_challenge(parameters, required=required)

    assert refused.value.code is ErrorCode.INVALID_REQUEST


@pytest.mark.requirement("RA14", "RA15", "L02")
def test_an_s256_challenge_is_returned_and_none_if_it_may_be_left_out() -> None:
    parameters = {"code_challenge": CHALLENGE, "code_challenge_method": "S256"}

    assert [parse_code_challenge(parameters, required=it) for it in (True, False)] == [CHALLENGE] * 2
    assert parse_code_challenge({}, required=False) is None


@pytest.mark.requirement("RA17", "NA05")
def test_only_exempt_confidential_web_clients_of_openid_connect_may_omit_it() -> None:
    changes: list[dict[str, Any]] = [{"require_pkce": True}, {"public": True}]
    changes += [{"application_type": it} for it in ("native", "spa")]

    assert may_omit_challenge(EXEMPT, OPENID)
    assert not may_omit_challenge(EXEMPT, frozenset({"read"}))
    assert [it for it in changes if may_omit_challenge(replace(EXEMPT, **it), OPENID)] == []
