"""Authorization codes: their form, and that nobody can make one."""

import base64

import pytest

from jeton.crypto.authorization_code import AuthorizationCodes, parse_authorization_code, s256_challenge
from jeton.crypto.master_key import MasterKeyError, MasterKeys
from jeton.crypto.refresh_token import RefreshTokens, generate_family_secret, generate_sid, parse_refresh_token

KEYS = MasterKeys([b"a" * 32, b"b" * 32])
CODES = AuthorizationCodes(KEYS)


@pytest.mark.requirement("CO01", "CO11")
def test_a_code_is_derived_and_recognised() -> None:
    sid, secret = generate_sid(), generate_family_secret()
    code = CODES.derive(sid, KEYS.newest, secret)
    presented = parse_authorization_code(code)

    assert code == CODES.derive(sid, KEYS.newest, secret)
    assert len(code) == 75
    assert presented is not None
    assert (presented.sid, presented.master_key_id) == (sid, KEYS.newest)
    assert CODES.is_genuine(presented, KEYS.newest, secret) is True
    assert secret.hex() not in repr(presented)
    assert len(presented.tag) == 32


@pytest.mark.requirement("CO01")
def test_each_changed_character_makes_the_code_malformed_or_forged() -> None:
    sid, secret = generate_sid(), generate_family_secret()
    code = CODES.derive(sid, KEYS.newest, secret)

    for place in range(len(code)):
        changed = code[:place] + ("A" if code[place] != "A" else "B") + code[place + 1 :]
        presented = parse_authorization_code(changed)
        assert presented is None or not CODES.is_genuine(presented, KEYS.newest, secret), place


@pytest.mark.parametrize(
    "text", ["", "jac_", "jac_" + "A" * 70, "jac_" + "A" * 72, "jrt_" + "A" * 71, "jac_" + "\u00e4" * 71]
)
def test_other_texts_are_malformed(text: str) -> None:
    assert parse_authorization_code(text) is None


def test_a_code_of_another_version_or_with_loose_bits_is_malformed() -> None:
    raw = base64.urlsafe_b64encode(b"\x02" + b"x" * 52).rstrip(b"=").decode()
    code = CODES.derive(generate_sid(), KEYS.newest, b"s" * 32)
    # The last character has two bits that the code does not use.
    loose = code[:-1] + chr(ord(code[-1]) + 1)

    assert parse_authorization_code("jac_" + raw) is None
    assert parse_authorization_code(loose) is None


def test_another_family_s_secret_or_master_key_does_not_verify() -> None:
    sid, secret = generate_sid(), generate_family_secret()
    presented = parse_authorization_code(CODES.derive(sid, KEYS.newest, secret))
    older = next(it for it in KEYS if it != KEYS.newest)

    assert presented is not None
    assert CODES.is_genuine(presented, KEYS.newest, generate_family_secret()) is False
    assert CODES.is_genuine(presented, older, secret) is False


def test_a_missing_master_key_leaves_it_undecided() -> None:
    sid, secret = generate_sid(), generate_family_secret()
    presented = parse_authorization_code(CODES.derive(sid, KEYS.newest, secret))
    others = AuthorizationCodes(MasterKeys([b"c" * 32]))

    assert presented is not None
    assert others.is_genuine(presented, KEYS.newest, secret) is None
    with pytest.raises(MasterKeyError, match="not configured"):
        others.derive(sid, KEYS.newest, secret)


def test_a_code_is_no_refresh_token_and_shares_no_tag_with_one() -> None:
    sid, secret = generate_sid(), generate_family_secret()
    code = CODES.derive(sid, KEYS.newest, secret)
    token = RefreshTokens(KEYS).derive(sid, 0, KEYS.newest, secret)
    presented, refresh = parse_authorization_code(code), parse_refresh_token(token)

    assert parse_refresh_token(code) is None
    assert parse_authorization_code(token) is None
    assert presented is not None
    assert refresh is not None
    assert presented.tag != refresh.tag


@pytest.mark.requirement("L02", "L04")
def test_the_challenge_of_the_rfc_s_example() -> None:
    verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"

    assert s256_challenge(verifier) == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
