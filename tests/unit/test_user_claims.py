"""Claims that administrators set about users: which values are valid."""

from typing import Any

import pytest

from jeton.oauth.user_claims import UserClaimError, changed_claims, check_claims, parse_claim

VALID: list[tuple[str, str, Any]] = [
    ("name", "Alice Archer", "Alice Archer"),
    ("family_name", "O'Hara 王", "O'Hara 王"),
    ("picture", "https://img.example/alice.png?s=1", "https://img.example/alice.png?s=1"),
    ("birthdate", "1990-12-31", "1990-12-31"),
    ("birthdate", "0000-02-29", "0000-02-29"),
    ("birthdate", "1990", "1990"),
    ("zoneinfo", "America/Argentina/Buenos_Aires", "America/Argentina/Buenos_Aires"),
    ("locale", "de-AT", "de-AT"),
    ("locale", "zh-Hant-TW", "zh-Hant-TW"),
    ("phone_number", "+1 (604) 555-1234;ext=5678", "+1 (604) 555-1234;ext=5678"),
    ("phone_number_verified", "true", True),
    ("address", '{"locality": "Vienna"}', {"locality": "Vienna"}),
    ("address", '{"formatted": "1 High St\\nTown"}', {"formatted": "1 High St\nTown"}),
]
INVALID = [
    *(("name", "x" * 256), ("name", "a\x1b[31m"), ("nickname", "a\nb")),
    *(("website", it) for it in ("http://a.example", "javascript:alert(1)", "https://", "https://u@a.example")),
    *(("picture", it) for it in ("https://a.example/a b", "https://[a", "https://a.example/\x00", "data:image/png,")),
    *(("birthdate", it) for it in ("31.12.1990", "1990-13-01", "1990-1-1", "1990-12")),
    *(("zoneinfo", it) for it in ("Europe Vienna", "/etc/passwd", "../x", "a/b/c/d")),
    *(("locale", it) for it in ("german language", "d", "de-", "de--AT")),
    *(("phone_number", it) for it in ("0123", "+", "+12 call me")),
    *(("phone_number_verified", it) for it in ("yes", "1", '"true"')),
    *(("address", it) for it in ("Vienna", "{}", '{"planet": "Earth"}', '{"locality": 3}', "[" * 100_000)),
    *((it, "x") for it in ("email", "sub", "preferred_username", "updated_at", "favourite_colour", "")),
]


@pytest.mark.requirement("OI43")
def test_valid_claims_are_accepted() -> None:
    assert [(name, text, parse_claim(name, text)) for name, text, _ in VALID] == VALID


@pytest.mark.parametrize(("name", "text"), INVALID, ids=lambda it: it[:30].encode("unicode_escape").decode())
def test_invalid_claims_are_refused(name: str, text: str) -> None:
    with pytest.raises(UserClaimError):
        parse_claim(name, text)


@pytest.mark.parametrize("value", [None, 3, True, ["a"], {}])
@pytest.mark.parametrize("name", ["name", "website", "birthdate", "locale", "phone_number", "address"])
def test_values_of_other_types_are_refused(name: str, value: Any) -> None:
    with pytest.raises(UserClaimError):
        check_claims({name: value})


@pytest.mark.parametrize("changes", [{"name": "A"}, {"phone_number": "+1"}])
def test_number_that_stays_the_same_stays_verified(changes: dict[str, Any]) -> None:
    before = {"phone_number": "+1", "phone_number_verified": True}

    assert changed_claims(before, changes) == {**before, **changes}
