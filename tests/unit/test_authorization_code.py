"""Authorization codes: their form, and that they cannot be forged."""

import pytest

from jeton.crypto.authorization_code import AuthorizationCodes, parse_authorization_code, s256_challenge
from jeton.crypto.master_key import MasterKeyError, MasterKeys
from jeton.crypto.refresh_token import RefreshTokens, generate_family_secret, generate_sid, parse_refresh_token
from support.base64url import base64url
from support.builders import family

KEYS = MasterKeys([b"a" * 32, b"b" * 32])
OLDER = next(it for it in KEYS if it != KEYS.newest)
CODES, OF_OTHER_KEYS = AuthorizationCodes(KEYS), AuthorizationCodes(MasterKeys([b"c" * 32]))
SID, SECRET = generate_sid(), generate_family_secret()
FAMILY = family(SID, master_key_id=KEYS.newest, secret=SECRET)
CODE = CODES.derive(SID, KEYS.newest, SECRET)
TOKEN = RefreshTokens(KEYS).derive(SID, 0, KEYS.newest, SECRET)
ANOTHER_VERSION = "jac_" + base64url(b"\x02" + b"x" * 52)
# The last character has two bits that the code does not use.
LOOSE = CODE[:-1] + chr(ord(CODE[-1]) + 1)


@pytest.mark.requirement("CO01", "CO11")
def test_a_code_is_derived_and_genuine_for_its_family_and_master_key_only() -> None:
    presented = parse_authorization_code(CODE)

    assert CODES.derive(SID, KEYS.newest, SECRET) == CODE
    assert presented is not None
    assert (presented.sid, presented.master_key_id, len(presented.tag)) == (SID, KEYS.newest, 32)
    assert SECRET.hex() not in repr(presented)
    others = [FAMILY._replace(secret=generate_family_secret()), FAMILY._replace(master_key_id=OLDER)]
    assert [CODES.is_genuine(presented, it) for it in (FAMILY, *others, None)] == [True, False, False, None]
    assert OF_OTHER_KEYS.is_genuine(presented, FAMILY) is None
    with pytest.raises(MasterKeyError, match="not configured"):
        OF_OTHER_KEYS.derive(SID, KEYS.newest, SECRET)


@pytest.mark.requirement("CO01")
def test_each_changed_character_makes_the_code_malformed_or_forged() -> None:
    for place in range(len(CODE)):
        changed = CODE[:place] + ("A" if CODE[place] != "A" else "B") + CODE[place + 1 :]
        presented = parse_authorization_code(changed)
        assert presented is None or not CODES.is_genuine(presented, FAMILY), place


@pytest.mark.parametrize(
    "text",
    [
        *("", "jac_", "jac_" + "A" * 70, "jac_" + "A" * 72, "jrt_" + "A" * 71, "jac_" + "\u00e4" * 71),
        *(ANOTHER_VERSION, LOOSE, TOKEN),
    ],
    ids=range(9),
)
def test_other_texts_are_malformed(text: str) -> None:
    assert parse_authorization_code(text) is None


def test_a_code_is_no_refresh_token_and_shares_no_tag_with_one() -> None:
    presented, refresh = parse_authorization_code(CODE), parse_refresh_token(TOKEN)

    assert parse_refresh_token(CODE) is None
    assert presented is not None
    assert refresh is not None
    assert presented.tag != refresh.tag


@pytest.mark.requirement("L02", "L04")
def test_the_challenge_of_the_rfc_s_example() -> None:
    verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"

    assert s256_challenge(verifier) == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
