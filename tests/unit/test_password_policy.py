"""Password policy (NIST SP 800-63B-4 section 3.1.1.2): length, names, common passwords, sequences."""

import time
import unicodedata
from collections.abc import Callable
from typing import Literal

import pytest

from jeton.crypto.password_rules import PasswordRules, common_passwords
from jeton.rules import password_policy
from jeton.rules.password_policy import MAX_CODE_POINTS, MAX_TYPED_CODE_POINTS

RULES = PasswordRules(15, ("jeton", "id.example.com"), None)


def rejection(password: str, username: str = "alice.smith", email: str | None = "al@corp.test") -> str:
    """Return the reason, or an empty string if the password is allowed."""
    return str(RULES.rejection(password, username, email) or "")


ALLOWED = [
    "correct horse battery staple", "correcthorsebatterystaple", "839201847561029", "    spaces    all    over    ",
    "пароль и ещё немного слов", "alice.smith never chose that", "my jeton has a hole in it",
    "dragon and monkey at football", "qwertyuiop to begin with", "twelve chars twelve chars",
    "\U0001f600\U0001f40e\U0001f50b\U0001f4ce\u2603 and three words", "alice.smith q7w2e9kz", "q7w2e9kzq7w2e9kz",
]  # fmt: skip
REJECTED = {
    "name of the user or of the service": [
        "alice.smithalice.smith", "Alice.Smith 1-2-2025!", "smith-alice-smith-alice", "smithsmithsmith",
        "al@corp.test!!!", "corpcorpcorpcorp1", "id.example.com1234567", "EXAMPLE example 99", "jetonjetonjeton",
        "\uff41\uff4c\uff49\uff43\uff45alicealice!", "alice-jeton-secret", "alice.smith q7w2e9k",
        "alice.smith!!!!!!!!q7w2e9k",
    ],
    "a common one": [
        "1qaz2wsx3edc4rfv", "passwordstandard", "PasswordStandard", "password1234567890", "!!!Football2024!!!",
        "sunshinesunshine", "michaeljackson--", "letmeinletmeinletmein", "\uff50assword\uff50assword",
        "alice superman 2025",
    ],
    "only a repetition": [
        "a" * 15, " " * 15, "0" * 1024, "abcabcabcabcabc", "\u7b80\u5355" * 8, "abcdefghijklmnopqrst",
        "zyxwvutsrqponmlkjihg", "09876543210987654321", "yuiopasdfghjklz", "alice.smith34567890123456", "q7w2e9k" * 3,
        "uvwxyzabcdefghij", "cvbnmqwertyuiop", "3edc4rfv5tgb6yhn7", "0" + "1234567890" * 102, "alice.smithxyxyxyxy",
        "\u337f" * 1024,
    ],
}  # fmt: skip


@pytest.mark.requirement("N03", "N04", "N06")
def test_only_names_common_passwords_and_sequences_are_rejected() -> None:
    assert {it: rejection(it) for it in ALLOWED if rejection(it)} == {}
    for reason, passwords in REJECTED.items():
        assert {it: rejection(it) for it in passwords if reason not in rejection(it)} == {}


@pytest.mark.requirement("N06")
@pytest.mark.parametrize("name", ["a", "al", "中"], ids=ascii)
def test_very_short_names_are_ignored(name: str) -> None:
    assert rejection(name + "bcdxfghkjlmnopq", username=name, email=None) == ""


@pytest.mark.requirement("N06")
def test_list_of_common_passwords_has_entries_and_no_comments() -> None:
    common = common_passwords()

    assert len(common) > 25_000
    assert {"password", "123456789", "1qaz2wsx3edc4rfv"} <= common
    assert not any(not word or word.startswith("#") or word != word.casefold() or " " in word for word in common)


def seconds(work: Callable[[], object]) -> float:
    """Return the processor time of the fastest of several runs."""
    times = []
    for _ in range(5):
        began = time.thread_time()
        work()
        times.append(time.thread_time() - began)
    return min(times)


@pytest.mark.requirement("O16")
@pytest.mark.parametrize(
    "crafted",
    [
        pytest.param(lambda n: password_policy._trim_to_letters("a" + "1" * n + "a"), id="digits between letters"),
        pytest.param(lambda n: password_policy._trim_to_letters("1" * n), id="digits"),
        pytest.param(lambda n: password_policy._repeated_unit("a" * (n // 2) + "b" + "a" * (n // 2)), id="one odd"),
        pytest.param(lambda n: password_policy._repeated_unit("ab" * (n // 2) + "b"), id="nearly repeated"),
        pytest.param(lambda n: password_policy._is_walk("1234567890" * (n // 10)), id="walk"),
        pytest.param(
            lambda n: password_policy._remove_words("a" * n, ["a" * size + "b" for size in range(3, 20)]), id="words"
        ),
        pytest.param(
            lambda n: password_policy._remove_words(("a" * 254 + "b") * (n // 255), ["a" * 255, "b" + "a" * 253 + "b"]),
            id="long words",
        ),
    ],
)
def test_each_rule_takes_linear_time(crafted: Callable[[int], object]) -> None:
    """The length grows by a factor of 16: a quadratic rule would take 256 times as long."""
    assert seconds(lambda: crafted(64_000)) < 64 * max(seconds(lambda: crafted(4_000)), 50e-6)


IDEOGRAPHS = "".join(map(chr, range(0x4E00, 0x4E00 + 1025)))
UMLAUTS = "".join("aeiouy"[n * n // 7 % 6] + "\u0308" for n in range(MAX_CODE_POINTS))


@pytest.mark.requirement("N01", "N02", "O16")
@pytest.mark.parametrize(
    ("password", "reason"),
    [
        pytest.param("fourteen chars", "at least 15 characters", id="14"),
        pytest.param("e\u0301" * 7 + "fourteen", "", id="15 of NFC"),
        pytest.param("e\u0301" * 14, "at least 15 characters", id="14 of NFC, 28 of NFD"),
        pytest.param(IDEOGRAPHS[:-1], "", id="1024"),
        pytest.param(IDEOGRAPHS, "at most 1024 characters", id="1025"),
        pytest.param("a password with a \0 in it", "NUL", id="NUL"),
        pytest.param("a" + "\u0301\u0316" * (MAX_TYPED_CODE_POINTS // 2), "at most 1024 characters", id="as typed"),
        pytest.param("\ufdfa" * MAX_CODE_POINTS, "expand to several others", id="after folding"),
        pytest.param(UMLAUTS, "", id="1024, decomposed"),
    ],
)
def test_length_is_counted_after_nfc_and_bounded_before_normalisation_and_after_folding(
    password: str, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = []
    normalize = unicodedata.normalize

    def measured(form: Literal["NFC", "NFKC"], text: str) -> str:
        sizes.append(len(text))
        return normalize(form, text)

    monkeypatch.setattr("unicodedata.normalize", measured)

    said = rejection(password)

    assert reason in said
    assert bool(reason) is bool(said)
    assert all(size <= MAX_TYPED_CODE_POINTS for size in sizes)
