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
    is_sid,
    parse_refresh_token,
)
from support.builders import family

MASTER_KEYS, OTHER_KEYS = MasterKeys([b"m" * 32]), MasterKeys([b"n" * 32])
BOTH_KEYS = MasterKeys([b"m" * 32, b"n" * 32])
KEY_ID = MASTER_KEYS.newest
TOKENS = RefreshTokens(MASTER_KEYS)
SID, SECRET = generate_sid(), generate_family_secret()
FAMILY = family(SID, master_key_id=KEY_ID, secret=SECRET)
TOKEN = TOKENS.derive(SID, 7, KEY_ID, SECRET)
RAW = base64.urlsafe_b64decode(TOKEN.removeprefix("jrt_"))


def parsed(token: str) -> PresentedRefreshToken:
    presented = parse_refresh_token(token)
    assert presented is not None
    return presented


def encoded(raw: bytes) -> str:
    return "jrt_" + base64.urlsafe_b64encode(raw).decode()


def is_genuine(token: str) -> bool:
    """Return whether this is taken for a token of the family, of any generation."""
    presented = parse_refresh_token(token)
    return presented is not None and TOKENS.is_genuine(presented, FAMILY) is True


@pytest.mark.requirement("A48")
@pytest.mark.parametrize("generation", [0, 1, 255, 256, 2**32 - 1])
def test_derived_token_parses_and_is_genuine(generation: int) -> None:
    token = TOKENS.derive(SID, generation, KEY_ID, SECRET)
    presented = parsed(token)

    assert re.fullmatch(r"jrt_[A-Za-z0-9_-]{76}", token)
    assert (presented.sid, presented.generation, presented.master_key_id) == (SID, generation, KEY_ID)
    assert is_genuine(token)
    assert token == RefreshTokens(MasterKeys([b"m" * 32])).derive(SID, generation, KEY_ID, SECRET)


@pytest.mark.requirement("A48", "I08")
def test_every_flipped_bit_and_every_changed_character_is_detected() -> None:
    flipped = {encoded((int.from_bytes(RAW) ^ 1 << bit).to_bytes(57)) for bit in range(456)}
    alphabet = string.ascii_letters + string.digits + "-_"
    altered = {TOKEN[:i] + c + TOKEN[i + 1 :] for i in range(4, len(TOKEN)) for c in alphabet} - {TOKEN}

    assert (len(flipped), len(altered)) == (456, 76 * 63)
    assert [token for token in flipped | altered if is_genuine(token)] == []


@pytest.mark.requirement("A48", "A54")
def test_other_texts_are_malformed_refresh_tokens() -> None:
    appended = [TOKEN + it for it in ("A", "AAAA", "=", "\n", " ", TOKEN)]
    inside = [TOKEN[:40] + it + TOKEN[41:] for it in ("\n", "+", "/", "%41", "\u0101", "\uff21")]
    prefixes = [it + TOKEN[4:] for it in ("", " jrt_", "JRT_")]
    versions = [encoded(it + RAW[1:]) for it in (b"\x00", b"\x02")]
    truncated = [TOKEN[:length] for length in range(len(TOKEN))]

    malformed = [*appended, *inside, *prefixes, *versions, *truncated, "jrt_" + "A" * 10**6]
    assert [token for token in malformed if parse_refresh_token(token) is not None] == []


@pytest.mark.requirement("A48")
def test_family_secret_or_master_key_alone_forges_nothing() -> None:
    by_other_key = RefreshTokens(OTHER_KEYS).derive(SID, 7, OTHER_KEYS.newest, SECRET)
    tag = base64.urlsafe_b64decode(by_other_key.removeprefix("jrt_"))[25:]

    assert not is_genuine(by_other_key)
    assert not is_genuine(encoded(RAW[:25] + tag))
    assert not is_genuine(TOKENS.derive(SID, 7, KEY_ID, generate_family_secret()))
    with pytest.raises(MasterKeyError, match=KEY_ID):
        RefreshTokens(OTHER_KEYS).derive(SID, 7, KEY_ID, SECRET)


@pytest.mark.requirement("A46", "A48")
def test_token_is_genuine_only_for_its_family_and_its_master_key_without_which_it_is_undecided() -> None:
    others = [FAMILY._replace(secret=generate_family_secret()), FAMILY._replace(master_key_id=OTHER_KEYS.newest)]
    for keys, genuine in ((BOTH_KEYS, [True, False, False, None]), (OTHER_KEYS, [None, None, False, None])):
        assert [RefreshTokens(keys).is_genuine(parsed(TOKEN), it) for it in (FAMILY, *others, None)] == genuine


def test_derivation_never_changes_because_tokens_are_not_stored() -> None:
    token, jti = TOKENS.derive("A" * 22, 7, KEY_ID, b"s" * 32), TOKENS.derive_jti(7, {"iat": 1000}, KEY_ID, b"s" * 32)

    assert token == "jrt_AZn0_hYAAAAAAAAAAAAAAAAAAAAAAAAAB6OhZo7-wl7UUqzz24Clu5WWAcjAV-wqCRgvgF-F1Zs2"
    assert jti == "Xj9osQq8mfbWEfvSoYOeag"
    # Only a digest of an idempotency key is stored.
    assert TOKENS.idempotency_digest("key").hex().startswith("d656b26dc034a7f7")
    assert len(TOKENS.idempotency_digest("key")) == 32


@pytest.mark.requirement("A51")
def test_tokens_of_families_generations_and_keys_all_differ() -> None:
    tags = {
        parsed(RefreshTokens(BOTH_KEYS).derive(sid, generation, key_id, secret)).tag
        for sid in (SID, generate_sid())
        for generation in range(3)
        for key_id in (KEY_ID, OTHER_KEYS.newest)
        for secret in (SECRET, generate_family_secret())
    }

    assert len(tags) == 2 * 3 * 2 * 2


@pytest.mark.requirement("F02")
def test_jti_is_128_bits_and_repeats_with_generation_and_claims_only() -> None:
    jti = TOKENS.derive_jti(7, {"iat": 1000}, KEY_ID, SECRET)

    assert len(base64.urlsafe_b64decode(jti + "==")) == 16
    assert TOKENS.derive_jti(7, {"iat": 1000}, KEY_ID, SECRET) == jti
    others = {
        TOKENS.derive_jti(8, {"iat": 1000}, KEY_ID, SECRET),
        TOKENS.derive_jti(7, {"iat": 1001}, KEY_ID, SECRET),
        TOKENS.derive_jti(7, {"iat": 1000, "scope": "read"}, KEY_ID, SECRET),
        TOKENS.derive_jti(7, {"iat": 1000}, KEY_ID, generate_family_secret()),
    }
    assert len(others | {jti}) == 5


@pytest.mark.requirement("A51", "O01")
def test_sids_and_secrets_are_random_and_long_enough() -> None:
    sids, secrets = {generate_sid() for _ in range(500)}, {generate_family_secret() for _ in range(500)}

    assert (len(sids), len(secrets)) == (500, 500)
    assert {len(base64.urlsafe_b64decode(it + "==")) for it in sids} == {16}
    assert {len(it) for it in secrets} == {32}
    assert all(map(is_sid, sids))
    assert not any(map(is_sid, ["", SID[:-1], SID + "A", SID + "\n", SID[:-1] + "=", SID[:-1] + "\u0660"]))


@pytest.mark.requirement("A50", "O18")
def test_repr_never_contains_the_tag() -> None:
    assert repr(parsed(TOKEN)) == f"PresentedRefreshToken(sid='{SID}', master_key_id='{KEY_ID}', generation=7)"
