"""Which claims of a DPoP proof are valid (RFC 9449 section 4.3), and how URLs are compared."""

from typing import Any

import pytest

from jeton.oauth.dpop_rules import ProvenRequest, normalize_uri, proof_rejection_reason, remembered_until
from support.tables import rows

NOW = 1_800_000_000
URL = "https://login.example/oauth/token"
CLAIMS = {"jti": "x", "htm": "POST", "htu": URL, "iat": NOW}
REQUEST = ProvenRequest("POST", URL)
WITH_TOKEN = ProvenRequest("POST", URL, "hash of the token")


CHANGES: dict[str | None, list[dict[str, Any]]] = {
    None: [
        *({}, {"jti": "x" * 256}, {"htu": "HTTPS://LOGIN.example:443/oauth/%74oken?query#fragment"}),
        *({"iat": NOW - 60}, {"iat": NOW + 10}, {"iat": NOW + 30.0}, {"exp": NOW + 1}, {"nbf": NOW + 30}),
    ],
    "jti_invalid": [{"jti": it} for it in (None, "", 7, "x" * 257, "\u00e9" * 129)],
    "htm_wrong": [{"htm": it} for it in ("post", "GET", None)],
    "htu_wrong": [
        *({"htu": it} for it in (None, [URL], "https://other.example/oauth/token", "http://login.example/oauth/token")),
        *({"htu": it} for it in (URL + "/", "not a url")),
    ],
    "time_malformed": [*({"iat": it} for it in (None, True, str(NOW), 1e300, float("nan"))), {"exp": "later"}],
    "iat_out_of_window": [{"iat": NOW - 61}, {"iat": NOW + 31}],
    "proof_expired": [{"exp": NOW}],
    "proof_not_yet_valid": [{"nbf": NOW + 31}],
}


# With a nonce of the server, the clock of the client does not matter.
WITH_NONCE: dict[str | None, list[dict[str, Any]]] = {
    None: [{"iat": NOW - 86400}, {"iat": NOW + 86400}],
    "time_malformed": [{"iat": None}],
    "proof_expired": [{"exp": NOW}],
}
ATH: dict[str | None, list[dict[str, Any]]] = {
    None: [{"ath": WITH_TOKEN.access_token_hash}],
    "ath_wrong": [{"ath": "another"}, {}],
}
NO_URL: dict[str | None, list[dict[str, Any]]] = {"htu_wrong": [{"htu": "a b"}]}


@pytest.mark.requirement("DP03", "DP04", "DP05", "DP11", "L10", "L11", "L14")
@pytest.mark.parametrize(
    ("reason", "changes", "request_", "nonce_end"),
    [
        *((*it, REQUEST, None) for it in rows(CHANGES)),
        *((*it, REQUEST, NOW + 60) for it in rows(WITH_NONCE)),
        *((*it, WITH_TOKEN, None) for it in rows(ATH)),
        *((*it, ProvenRequest("POST", "a b"), None) for it in rows(NO_URL)),
    ],
)
def test_each_claim_is_checked(
    reason: str | None, changes: dict[str, Any], request_: ProvenRequest, nonce_end: int | None
) -> None:
    assert proof_rejection_reason({**CLAIMS, **changes}, request_, NOW, nonce_end) == reason


@pytest.mark.requirement("DP05", "L17")
@pytest.mark.parametrize(("iat", "nonce_end"), [(NOW - 60, None), (NOW + 30, None), (NOW - 86400, NOW + 5)])
def test_a_use_is_remembered_for_longer_than_the_proof_is_valid_on_any_node(iat: int, nonce_end: int | None) -> None:
    claims = {**CLAIMS, "iat": iat}
    end = remembered_until(claims, nonce_end)
    # The nonce is checked by each node, so that only one without a nonce depends on the claims here.
    if nonce_end is None:
        assert proof_rejection_reason(claims, REQUEST, end - 10) is None
        assert proof_rejection_reason(claims, REQUEST, end - 9) == "iat_out_of_window"
    else:
        assert end - nonce_end == 10


NORMAL = {
    "https://LOGIN.example": "https://login.example/",
    "https://login.example:443/a": "https://login.example/a",
    "http://login.example:80/a": "http://login.example/a",
    "https://login.example:80/a": "https://login.example:80/a",
    "https://login.example/%7euser/%2f?a=b#c": "https://login.example/~user/%2F",
    "http://[::1]:8000/a": "http://[::1]:8000/a",
    "https://login.example/A": "https://login.example/A",
}
NOT_HTTP = [
    *("https://alice@login.example/a", "https://login.example:x/a", "https://login.example/a b", "https:///a"),
    *("https://login.example/\n", "https://login.\u0435xample/", "https://[::1/a", "ftp://login.example/", ""),
]


@pytest.mark.requirement("DP03", "L11")
def test_urls_are_compared_in_normal_form() -> None:
    assert {it: normalize_uri(it) for it in NORMAL} == NORMAL
    assert [it for it in NOT_HTTP if normalize_uri(it) is not None] == []
