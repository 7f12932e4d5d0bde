"""Refresh tokens: derived, unforgeable, with one encoding each (RFC 6749 sections 10.3, 10.4 and 10.10)."""

import base64
import re
import string

import pytest

from jeton.crypto.master_key import MasterKeyError, MasterKeys
from jeton.crypto.refresh_token import (
    PresentedRefreshToken,
    RefreshTokens,
    generate_family_secret,
    generate_sid,
    parse_refresh_token,
)

MASTER_KEYS = MasterKeys([b"m" * 32])
KEY_ID = MASTER_KEYS.newest
TOKENS = RefreshTokens(MASTER_KEYS)
SID = generate_sid()
SECRET = generate_family_secret()
TOKEN = TOKENS.derive(SID, 7, KEY_ID, SECRET)
RAW = base64.urlsafe_b64decode(TOKEN.removeprefix("jrt_"))
MOST = 2**32 - 1


def parsed(token: str) -> PresentedRefreshToken:
    presented = parse_refresh_token(token)
    assert presented is not None
    return presented


def opens(token: str) -> bool:
    """Whether this would be taken for a token of the family, whatever else it says."""
    presented = parse_refresh_token(token)
    return presented is not None and TOKENS.is_genuine(presented, KEY_ID, SECRET) is True


def spelled(raw: bytes) -> str:
    return "jrt_" + base64.urlsafe_b64encode(raw).decode()


@pytest.mark.requirement("A48")
@pytest.mark.parametrize("generation", [0, 1, 255, 256, MOST])
def test_derived_token_parses_and_is_genuine(generation: int) -> None:
    presented = parsed(TOKENS.derive(SID, generation, KEY_ID, SECRET))

    assert (presented.sid, presented.generation, presented.master_key_id) == (SID, generation, KEY_ID)
    assert TOKENS.is_genuine(presented, KEY_ID, SECRET)


def test_a_token_has_a_searchable_prefix_and_a_fixed_length() -> None:
    assert re.fullmatch(r"jrt_[A-Za-z0-9_-]{76}", TOKEN)


def test_derivation_is_deterministic() -> None:
    assert TOKENS.derive(SID, 7, KEY_ID, SECRET) == TOKEN
    assert RefreshTokens(MasterKeys([b"m" * 32])).derive(SID, 7, KEY_ID, SECRET) == TOKEN


@pytest.mark.requirement("A48", "I08")
def test_every_flipped_bit_is_detected() -> None:
    flipped = [bytes(byte ^ (bit >> 8 * i & 255) for i, byte in enumerate(RAW)) for bit in (1 << n for n in range(456))]

    assert len(set(flipped)) == 456
    assert [raw for raw in flipped if opens(spelled(raw))] == []


@pytest.mark.requirement("A48")
def test_every_changed_character_is_detected() -> None:
    alphabet = string.ascii_letters + string.digits + "-_"
    altered = {TOKEN[:i] + c + TOKEN[i + 1 :] for i in range(4, len(TOKEN)) for c in alphabet} - {TOKEN}

    assert len(altered) == 76 * 63
    assert [token for token in altered if opens(token)] == []


@pytest.mark.requirement("A48")
def test_a_truncated_token_is_malformed_at_every_length() -> None:
    assert [TOKEN[:length] for length in range(len(TOKEN)) if parse_refresh_token(TOKEN[:length])] == []


@pytest.mark.requirement("A48", "A54")
@pytest.mark.parametrize(
    "token",
    [
        pytest.param("", id="empty"),
        pytest.param("jrt_", id="prefix only"),
        pytest.param(TOKEN + "A", id="one character more"),
        pytest.param(TOKEN + "AAAA", id="three octets more"),
        pytest.param(TOKEN + "=", id="padding"),
        pytest.param(TOKEN + "\n", id="line feed after"),
        pytest.param(" " + TOKEN, id="space before"),
        pytest.param(TOKEN + " ", id="space after"),
        pytest.param(TOKEN[:40] + "\n" + TOKEN[41:], id="line feed inside"),
        pytest.param(TOKEN[:40] + "+" + TOKEN[41:], id="plus"),
        pytest.param(TOKEN[:40] + "/" + TOKEN[41:], id="slash"),
        pytest.param(TOKEN[:40] + "%41" + TOKEN[41:], id="percent escape"),
        pytest.param(TOKEN[:40] + "\u0101" + TOKEN[41:], id="not ASCII"),
        pytest.param(TOKEN[:40] + "\uff21" + TOKEN[41:], id="full-width letter"),
        pytest.param("JRT_" + TOKEN[4:], id="prefix in capitals"),
        pytest.param(TOKEN[4:], id="no prefix"),
        pytest.param(TOKEN + TOKEN, id="twice"),
        pytest.param(spelled(b"\x00" + RAW[1:]), id="version 0"),
        pytest.param(spelled(b"\x02" + RAW[1:]), id="version 2"),
        pytest.param("jrt_" + "A" * 10**6, id="a megabyte"),
    ],
)
def test_anything_else_is_malformed(token: str) -> None:
    assert parse_refresh_token(token) is None


@pytest.mark.requirement("A46", "A48")
def test_token_of_another_family_secret_is_not_genuine() -> None:
    assert not TOKENS.is_genuine(parsed(TOKEN), KEY_ID, generate_family_secret())


@pytest.mark.requirement("A48")
def test_changed_generation_with_the_old_tag_is_not_genuine() -> None:
    assert not opens(spelled(RAW[:21] + (8).to_bytes(4) + RAW[25:]))


@pytest.mark.requirement("A48")
def test_family_secret_alone_forges_nothing() -> None:
    thief = MasterKeys([b"t" * 32])
    forged = RefreshTokens(thief).derive(SID, 7, thief.newest, SECRET)
    relabelled = spelled(RAW[:25] + base64.urlsafe_b64decode(forged[4:])[25:])

    assert not opens(forged)
    assert not opens(relabelled)


@pytest.mark.requirement("A48")
def test_master_key_alone_forges_nothing() -> None:
    assert not opens(TOKENS.derive(SID, 7, KEY_ID, b"\0" * 32))


def test_missing_master_key_makes_the_check_undecidable() -> None:
    others = RefreshTokens(MasterKeys([b"o" * 32]))

    assert not others.is_genuine(parsed(TOKEN), KEY_ID, SECRET)
    with pytest.raises(MasterKeyError, match=KEY_ID):
        others.derive(SID, 7, KEY_ID, SECRET)


def test_older_master_key_still_verifies_its_tokens() -> None:
    rotated = RefreshTokens(MasterKeys([b"n" * 32, b"m" * 32]))

    assert rotated.is_genuine(parsed(TOKEN), KEY_ID, SECRET)


@pytest.mark.requirement("A51")
def test_tokens_of_families_generations_and_keys_all_differ() -> None:
    several = RefreshTokens(MasterKeys([b"m" * 32, b"n" * 32]))
    key_ids = (KEY_ID, MasterKeys([b"n" * 32]).newest)
    sids, secrets = (SID, generate_sid()), (SECRET, generate_family_secret())

    tags = {
        parsed(several.derive(sid, generation, key_id, secret)).tag
        for sid in sids
        for generation in range(3)
        for key_id in key_ids
        for secret in secrets
    }

    assert len(tags) == 2 * 3 * 2 * 2


@pytest.mark.requirement("F02")
def test_a_jti_is_128_bits_and_repeats_with_generation_and_time_only() -> None:
    jti = TOKENS.derive_jti(7, 1000, KEY_ID, SECRET)

    assert len(base64.urlsafe_b64decode(jti + "==")) == 16
    assert TOKENS.derive_jti(7, 1000, KEY_ID, SECRET) == jti
    others = {
        TOKENS.derive_jti(8, 1000, KEY_ID, SECRET),
        TOKENS.derive_jti(7, 1001, KEY_ID, SECRET),
        TOKENS.derive_jti(7, 1000, KEY_ID, generate_family_secret()),
        TOKENS.derive_jti(71, 0, KEY_ID, SECRET),
    }
    assert len(others | {jti}) == 5


def test_only_a_digest_of_the_idempotency_key_is_stored() -> None:
    digest = TOKENS.idempotency_digest("key")

    assert digest == TOKENS.idempotency_digest("key")
    assert digest != TOKENS.idempotency_digest("kez")
    assert (len(digest), b"key" in digest) == (32, False)


@pytest.mark.requirement("A51", "O01")
def test_sids_and_secrets_are_random_and_long_enough() -> None:
    assert {len(base64.urlsafe_b64decode(generate_sid() + "==")) for _ in range(100)} == {16}
    assert len({generate_sid() for _ in range(1000)}) == 1000
    assert {len(generate_family_secret()) for _ in range(100)} == {32}
    assert len({generate_family_secret() for _ in range(1000)}) == 1000


@pytest.mark.requirement("A50", "O18")
def test_repr_never_contains_the_tag() -> None:
    presented = parsed(TOKEN)

    assert repr(presented) == f"PresentedRefreshToken(sid='{SID}', generation=7, master_key_id='{KEY_ID}')"
