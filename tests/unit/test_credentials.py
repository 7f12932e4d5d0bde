"""Random values: client secrets, generated passwords and identifiers (RFC 6749 section 10.10)."""

import base64
import hashlib
import hmac
import re
from collections.abc import Callable

import pytest

from jeton.crypto.credentials import (
    digest_secret,
    generate_client_secret,
    generate_jti,
    generate_password,
    generate_sub,
    matches,
)


def decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


@pytest.mark.requirement("A51", "O01")
@pytest.mark.parametrize(
    ("generate", "bits"),
    [
        pytest.param(lambda: decoded(generate_client_secret().removeprefix("jcs_")), 256, id="client secret"),
        pytest.param(lambda: decoded(generate_password()), 160, id="password"),
        pytest.param(lambda: bytes.fromhex(generate_sub().removeprefix("u_")), 128, id="sub"),
        pytest.param(lambda: decoded(generate_jti()), 128, id="jti"),
    ],
)
def test_generated_values_are_long_and_unique(generate: Callable[[], bytes], bits: int) -> None:
    values = [generate() for _ in range(500)]

    assert {len(value) * 8 for value in values} == {bits}
    assert len(set(values)) == 500


@pytest.mark.requirement("A51")
def test_every_bit_of_a_client_secret_varies() -> None:
    secrets = [decoded(generate_client_secret().removeprefix("jcs_")) for _ in range(200)]
    numbers = [int.from_bytes(secret) for secret in secrets]

    ever_set, always_set = 0, 2**256 - 1
    for number in numbers:
        ever_set |= number
        always_set &= number

    assert (ever_set, always_set) == (2**256 - 1, 0)


def test_client_secret_has_a_prefix_for_secret_scanners() -> None:
    assert re.fullmatch(r"jcs_[A-Za-z0-9_-]{43}", generate_client_secret())


@pytest.mark.requirement("N01")
def test_generated_password_is_longer_than_the_policy_minimum() -> None:
    assert len(generate_password()) >= 15


@pytest.mark.requirement("G03")
def test_sub_cannot_be_a_client_id() -> None:
    assert re.fullmatch(r"u_[0-9a-f]{32}", generate_sub())


@pytest.mark.requirement("A50")
def test_a_digest_is_sha256_of_the_utf8() -> None:
    assert digest_secret("sécret") == hashlib.sha256("sécret".encode()).digest()


@pytest.mark.parametrize(
    ("presented", "expected"),
    [
        ("first", True),
        ("second", True),
        ("third", False),
        ("", False),
        ("FIRST", False),
        ("first ", False),
        ("firs", False),
        ("first\0", False),
        (digest_secret("first").hex(), False),
    ],
)
def test_a_secret_matches_one_of_the_digests_exactly(presented: str, expected: bool) -> None:
    assert matches(presented, [digest_secret("first"), digest_secret("second")]) is expected


@pytest.mark.requirement("A16")
@pytest.mark.parametrize("presented", ["", "anything", "\0" * 32])
def test_nothing_matches_without_digests(presented: str) -> None:
    assert not matches(presented, [])


@pytest.mark.parametrize("known", [[], [digest_secret("right")]], ids=["no digest", "one digest"])
def test_digests_are_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch, known: list[bytes]) -> None:
    compared: list[bytes] = []
    compare = hmac.compare_digest

    def spy(first: bytes, second: bytes) -> bool:
        compared.append(second)
        return compare(first, second)

    monkeypatch.setattr(hmac, "compare_digest", spy)

    assert matches("right", known) is bool(known)
    assert len(compared) == len(known) + 1
