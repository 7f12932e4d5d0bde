"""Password hashing (NIST SP 800-63B-4 section 3.1.1.2, RFC 9106): Argon2id, NFC, uniform cost."""

import unicodedata

import pytest
from argon2 import PasswordHasher, Type, extract_parameters

from jeton.crypto.passwords import Passwords, Verified
from jeton.rules.password_policy import MAX_CODE_POINTS

CHEAP = Passwords(memory_kib=8, iterations=1, lanes=1)
PASSWORD = "correct horse battery staple"
HASH = CHEAP.hash(PASSWORD)


@pytest.fixture
def checked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The hashes that Argon2 is run against."""
    run: list[str] = []
    verify = PasswordHasher.verify

    def spy(self: PasswordHasher, hash: str, password: str) -> bool:
        run.append(hash)
        return verify(self, hash, password)

    monkeypatch.setattr(PasswordHasher, "verify", spy)
    return run


@pytest.mark.requirement("A50", "N09", "N12")
def test_a_hash_is_argon2id_with_the_configured_costs_and_a_salt_of_its_own() -> None:
    first, second = (Passwords(memory_kib=64, iterations=2, lanes=3).hash(PASSWORD) for _ in range(2))
    parameters = extract_parameters(first)

    assert parameters.type is Type.ID
    assert (parameters.memory_cost, parameters.time_cost, parameters.parallelism) == (64, 2, 3)
    assert (parameters.salt_len * 8, parameters.hash_len * 8) == (128, 256)
    assert first.split("$")[4] != second.split("$")[4]


def test_the_right_password_is_accepted() -> None:
    assert CHEAP.verify(HASH, PASSWORD) == Verified(ok=True)


@pytest.mark.requirement("N07")
@pytest.mark.parametrize(
    "password",
    [
        pytest.param("", id="empty"),
        pytest.param(PASSWORD + " ", id="space after"),
        pytest.param(" " + PASSWORD, id="space before"),
        pytest.param(PASSWORD + "\n", id="line feed after"),
        pytest.param(PASSWORD + "\0", id="NUL after"),
        pytest.param(PASSWORD.title(), id="other case"),
        pytest.param(PASSWORD.replace(" ", "\u00a0"), id="no-break spaces"),
        pytest.param(PASSWORD.replace(" ", "  "), id="two spaces"),
        pytest.param(PASSWORD[:-1], id="cut"),
        pytest.param(PASSWORD * 2, id="twice"),
        pytest.param("\uff43" + PASSWORD[1:], id="full-width letter"),
        pytest.param(HASH, id="the hash itself"),
    ],
)
def test_password_is_neither_trimmed_nor_case_folded(password: str) -> None:
    assert CHEAP.verify(HASH, password) == Verified(ok=False)


@pytest.mark.requirement("N07")
@pytest.mark.parametrize("length", [9, 15, 64, 72, 73, 128, 256, MAX_CODE_POINTS])
def test_last_character_is_significant_at_every_length(length: int) -> None:
    password_hash = CHEAP.hash("a" * (length - 1) + "b")

    assert CHEAP.verify(password_hash, "a" * (length - 1) + "b").ok
    assert not CHEAP.verify(password_hash, "a" * (length - 1) + "c").ok


@pytest.mark.requirement("N07")
def test_characters_after_a_nul_are_significant() -> None:
    assert not CHEAP.verify(CHEAP.hash("before\0after"), "before\0AFTER").ok


@pytest.mark.requirement("N02", "N03")
@pytest.mark.parametrize("password", ["\U0001f600" * MAX_CODE_POINTS, "é" * MAX_CODE_POINTS], ids=["emoji", "latin"])
def test_a_password_may_have_1024_code_points_whatever_their_size(password: str) -> None:
    assert MAX_CODE_POINTS == 1024
    assert CHEAP.verify(CHEAP.hash(password), password).ok


@pytest.mark.requirement("N02")
def test_too_long_password_is_rejected_without_hashing(checked: list[str]) -> None:
    assert CHEAP.verify(HASH, "a" * (MAX_CODE_POINTS + 1)) == Verified(ok=False)
    assert CHEAP.verify(None, "a" * (MAX_CODE_POINTS + 1)) == Verified(ok=False)
    assert checked == []


@pytest.mark.requirement("N03", "N07")
@pytest.mark.parametrize(
    "text", ["pässwörd, cafe\u0301 au lait", "\u212bngstro\u0308m", "\u1e9b\u0323 \ud55c\uae00", "e\u0301" * 20]
)
def test_canonically_equivalent_passwords_are_equal(text: str) -> None:
    for stored in (unicodedata.normalize("NFC", text), unicodedata.normalize("NFD", text)):
        password_hash = CHEAP.hash(stored)
        assert CHEAP.verify(password_hash, text).ok
        assert CHEAP.verify(password_hash, unicodedata.normalize("NFC", text)).ok
        assert CHEAP.verify(password_hash, unicodedata.normalize("NFD", text)).ok


@pytest.mark.requirement("N07")
@pytest.mark.parametrize(
    ("stored", "typed"),
    [("\ufb01ve", "five"), ("x\u00b2", "x2"), ("\uff50assword", "password"), ("\u2460", "1"), ("ß", "ss")],
    ids=["ligature", "superscript", "full width", "circled digit", "sharp s"],
)
def test_compatibility_characters_stay_different(stored: str, typed: str) -> None:
    assert not CHEAP.verify(CHEAP.hash(stored), typed).ok


@pytest.mark.requirement("N15")
@pytest.mark.parametrize("password", [PASSWORD, "", "wrong"])
def test_unknown_user_costs_the_same_as_a_known_one(checked: list[str], password: str) -> None:
    assert CHEAP.verify(None, password) == Verified(ok=False)
    assert CHEAP.verify(HASH, "wrong") == Verified(ok=False)

    nobody, somebody = checked
    assert extract_parameters(nobody) == extract_parameters(somebody)
    assert nobody != HASH


@pytest.mark.requirement("N12")
@pytest.mark.parametrize(
    "grown",
    [Passwords(memory_kib=16, iterations=1, lanes=1), Passwords(memory_kib=8, iterations=2, lanes=1)],
    ids=["memory", "iterations"],
)
def test_right_password_is_rehashed_if_the_costs_have_grown(grown: Passwords) -> None:
    verified = grown.verify(HASH, PASSWORD)

    assert verified.ok
    assert verified.rehashed is not None
    assert grown.verify(verified.rehashed, PASSWORD) == Verified(ok=True)


@pytest.mark.requirement("N12")
@pytest.mark.parametrize("kind", [Type.I, Type.D], ids=["Argon2i", "Argon2d"])
def test_hash_of_another_argon2_type_is_replaced(kind: Type) -> None:
    stored = PasswordHasher(time_cost=4, memory_cost=64, parallelism=1, type=kind).hash(PASSWORD)

    verified = CHEAP.verify(stored, PASSWORD)

    assert verified.ok
    assert verified.rehashed is not None
    assert extract_parameters(verified.rehashed).type is Type.ID


@pytest.mark.requirement("N12")
def test_wrong_password_is_never_rehashed() -> None:
    assert Passwords(memory_kib=16, iterations=1, lanes=1).verify(HASH, "wrong") == Verified(ok=False)


@pytest.mark.requirement("N12")
@pytest.mark.parametrize(
    "stronger",
    [Passwords(memory_kib=16, iterations=1, lanes=1), Passwords(memory_kib=8, iterations=2, lanes=1)],
    ids=["memory", "iterations"],
)
def test_a_stronger_hash_is_never_replaced_by_a_weaker_one(stronger: Passwords) -> None:
    assert CHEAP.verify(stronger.hash(PASSWORD), PASSWORD) == Verified(ok=True)


@pytest.mark.requirement("O16")
@pytest.mark.parametrize(
    "password_hash",
    [
        pytest.param(HASH.replace("m=8,", "m=4194304,"), id="4 GiB"),
        pytest.param(HASH.replace("t=1,", "t=1000000,"), id="a million iterations"),
        pytest.param(HASH.replace("m=8,t=1,p=1", "m=8192,t=1,p=1024"), id="1024 lanes, a thread each"),
        pytest.param(HASH.replace("m=8,", "m=99999999999999999999,"), id="more memory than a number holds"),
    ],
)
def test_too_costly_stored_hash_is_never_computed(checked: list[str], password_hash: str) -> None:
    assert CHEAP.verify(password_hash, PASSWORD) == Verified(ok=False)
    assert password_hash not in checked
    assert len(checked) == 1


@pytest.mark.requirement("N15", "O19")
@pytest.mark.parametrize(
    "password_hash",
    [
        pytest.param("", id="empty"),
        pytest.param("!", id="locked in the manner of Unix"),
        pytest.param(PASSWORD, id="in clear"),
        pytest.param("$2b$12$" + "a" * 53, id="nearly bcrypt"),
        pytest.param("$argon2id$v=19$m=8,t=1,p=1$", id="cut"),
        pytest.param(HASH[:-1] + "!", id="not base64"),
        pytest.param(HASH.replace("m=8,", "m=-1,"), id="negative memory"),
        pytest.param(HASH.replace("m=8,", "m=\u0668,"), id="digits of another script"),
        pytest.param("$argon2id$v=19$m=8,t=1,p=x$c2FsdHNhbHQ$aGFzaGhhc2g", id="not a number"),
    ],
)
def test_malformed_stored_hash_rejects_every_password_at_normal_cost(checked: list[str], password_hash: str) -> None:
    assert CHEAP.verify(password_hash, PASSWORD) == Verified(ok=False)
    assert len(checked) == 1
