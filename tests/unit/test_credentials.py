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
    shuffle,
)

DIGESTS = [digest_secret("first"), digest_secret("second")]


@pytest.mark.requirement("A51", "G03", "N01", "O01")
@pytest.mark.parametrize(
    ("generate", "form", "bits"),
    [
        pytest.param(generate_client_secret, r"jcs_([A-Za-z0-9_-]{43})", 256, id="client secret"),
        pytest.param(generate_password, r"([A-Za-z0-9_-]{27})", 160, id="password"),
        pytest.param(generate_sub, r"u_([0-9a-f]{32})", 128, id="sub"),
        pytest.param(generate_jti, r"([A-Za-z0-9_-]{22})", 128, id="jti"),
    ],
)
def test_generated_values_have_their_form_and_every_bit_varies(
    generate: Callable[[], str], form: str, bits: int
) -> None:
    texts = {generate() for _ in range(500)}
    found = [match[1] for text in texts if (match := re.fullmatch(form, text))]
    as_bytes = bytes.fromhex if "0-9a-f]" in form else lambda it: base64.urlsafe_b64decode(it + "=" * (-len(it) % 4))
    numbers = [int.from_bytes(as_bytes(it)) for it in found]

    assert len(numbers) == 500
    ever_set, always_set = 0, 2**bits - 1
    for number in numbers:
        ever_set |= number
        always_set &= number
    assert (ever_set, always_set) == (2**bits - 1, 0)


def test_shuffle_returns_the_same_numbers_in_another_order() -> None:
    orders = [shuffle(iter(range(100))) for _ in range(2)]

    assert sorted(orders[0]) == sorted(orders[1]) == list(range(100))
    assert orders[0] != orders[1] != list(range(100))


@pytest.mark.requirement("A50")
def test_digest_is_sha256_of_the_utf8() -> None:
    assert digest_secret("sécret") == hashlib.sha256("sécret".encode()).digest()


@pytest.mark.requirement("A16")
def test_secret_matches_one_of_the_digests_exactly() -> None:
    wrong = ["third", "", "FIRST", "first ", "firs", "first\0", digest_secret("first").hex(), "\0" * 32]

    assert [it for it in ["first", "second", *wrong] if matches(it, DIGESTS)] == ["first", "second"]
    assert [it for it in ["first", *wrong] if matches(it, [])] == []


@pytest.mark.parametrize("known", [[], DIGESTS], ids=["no digest", "two digests"])
def test_digests_are_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch, known: list[bytes]) -> None:
    compared: list[bytes] = []
    compare = hmac.compare_digest

    def spy(first: bytes, second: bytes) -> bool:
        compared.append(second)
        return compare(first, second)

    monkeypatch.setattr(hmac, "compare_digest", spy)

    assert matches("first", known) is bool(known)
    assert compared[:-1] == known
    assert len(compared[-1]) == 32
