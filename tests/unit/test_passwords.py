"""Password hashing (NIST SP 800-63B-4 section 3.1.1.2, RFC 9106): Argon2id, NFC, uniform cost."""

import unicodedata

import pytest
from argon2 import PasswordHasher, Type, extract_parameters
from argon2.exceptions import VerifyMismatchError

from jeton.crypto.argon2_hashes import Argon2Hash
from jeton.crypto.passwords import Passwords, Verified
from jeton.rules.password_policy import MAX_CODE_POINTS

CHEAP = Passwords(memory_kib=8, iterations=1, lanes=1)
WRONG = Verified(ok=False, ordinary=True)
MORE_MEMORY = Passwords(memory_kib=16, iterations=1, lanes=1)
MORE_ITERATIONS = Passwords(memory_kib=8, iterations=2, lanes=1)
PASSWORD = "correct horse battery staple"
HASH = CHEAP.hash(PASSWORD)


@pytest.fixture
def verified(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The hashes against which Argon2 is run."""
    hashes: list[str] = []
    is_of = Argon2Hash.is_of

    def spy(stored: Argon2Hash, password: bytes) -> bool:
        hashes.append(str(stored))
        return is_of(stored, password)

    monkeypatch.setattr(Argon2Hash, "is_of", spy)
    return hashes


@pytest.mark.requirement("A50", "N09", "N12")
def test_hash_is_argon2id_with_the_configured_costs_and_its_own_salt() -> None:
    first, second = (Passwords(memory_kib=64, iterations=2, lanes=3).hash(PASSWORD) for _ in range(2))
    parameters = extract_parameters(first)

    assert parameters.type is Type.ID
    assert (parameters.memory_cost, parameters.time_cost, parameters.parallelism) == (64, 2, 3)
    assert (parameters.salt_len * 8, parameters.hash_len * 8) == (128, 256)
    assert first.split("$")[4] != second.split("$")[4]


@pytest.mark.requirement("N07")
def test_password_is_neither_trimmed_nor_case_folded() -> None:
    trimmed = [PASSWORD + " ", " " + PASSWORD, PASSWORD + "\n", PASSWORD + "\0", PASSWORD[:-1], PASSWORD * 2]
    changed = [PASSWORD.title(), PASSWORD.replace(" ", "\u00a0"), PASSWORD.replace(" ", "  "), "\uff43" + PASSWORD[1:]]

    assert CHEAP.verify(HASH, PASSWORD) == Verified(ok=True)
    assert [it for it in ["", HASH, *trimmed, *changed] if CHEAP.verify(HASH, it) != WRONG] == []


@pytest.mark.requirement("N02", "N03", "N07")
@pytest.mark.parametrize(
    ("stored", "typed"),
    [
        *(
            pytest.param("a" * it + "b", "a" * it + "c", id=f"character {it + 1}")
            for it in (8, 14, 63, 71, 72, 127, 255)
        ),
        pytest.param("a" * 1023 + "b", "a" * 1023 + "c", id="character 1024"),
        pytest.param("\U0001f600" * 1024, "\U0001f600" * 1023 + "\U0001f601", id="1024 emoji"),
        pytest.param("é" * 1024, "é" * 1023 + "e", id="1024 accents"),
        pytest.param("before\0after", "before\0AFTER", id="after a NUL"),
        pytest.param("\ufb01ve", "five", id="ligature"),
        pytest.param("x\u00b2", "x2", id="superscript"),
        pytest.param("\uff50assword", "password", id="full width"),
        pytest.param("\u2460", "1", id="circled digit"),
        pytest.param("ß", "ss", id="sharp s"),
    ],
)
def test_every_character_is_significant(stored: str, typed: str) -> None:
    password_hash = CHEAP.hash(stored)

    assert CHEAP.verify(password_hash, stored).ok
    assert not CHEAP.verify(password_hash, typed).ok


@pytest.mark.requirement("N02")
def test_too_long_password_is_rejected_without_hashing(verified: list[str]) -> None:
    assert MAX_CODE_POINTS == 1024
    assert CHEAP.verify(HASH, "a" * (MAX_CODE_POINTS + 1)) == Verified(ok=False)
    assert CHEAP.verify(None, "a" * (MAX_CODE_POINTS + 1)) == Verified(ok=False)
    assert verified == []


@pytest.mark.requirement("N03", "N07")
@pytest.mark.parametrize(
    "text", ["pässwörd, cafe\u0301 au lait", "\u212bngstro\u0308m", "\u1e9b\u0323 \ud55c\uae00", "e\u0301" * 20]
)
def test_canonically_equivalent_passwords_are_equal(text: str) -> None:
    forms = (text, unicodedata.normalize("NFC", text), unicodedata.normalize("NFD", text))

    assert all(CHEAP.verify(CHEAP.hash(stored), typed).ok for stored in forms for typed in forms)


@pytest.mark.requirement("N15")
@pytest.mark.parametrize("password", [PASSWORD, "", "wrong"])
def test_unknown_user_costs_the_same_as_a_known_one(verified: list[str], password: str) -> None:
    for_unknown, for_known = CHEAP.verify(None, password), CHEAP.verify(HASH, "wrong")

    assert for_unknown == for_known == WRONG
    assert for_known.ordinary
    dummy, known = verified
    assert extract_parameters(dummy) == extract_parameters(known)
    assert dummy != HASH
    # Argon2 was computed for both: a malformed hash raises another error at once.
    for computed in (dummy, known):
        with pytest.raises(VerifyMismatchError):
            PasswordHasher().verify(computed, "wrong")


OTHER_TYPES = [PasswordHasher(4, 64, 1, type=it).hash(PASSWORD) for it in (Type.I, Type.D)]


@pytest.mark.requirement("N12")
@pytest.mark.parametrize(
    ("hasher", "stored"),
    [(MORE_MEMORY, HASH), (MORE_ITERATIONS, HASH), *((CHEAP, it) for it in OTHER_TYPES)],
    ids=["more memory", "more iterations", "Argon2i", "Argon2d"],
)
def test_only_a_cheaper_hash_or_another_type_is_replaced_and_only_for_the_right_password(
    hasher: Passwords, stored: str
) -> None:
    rehashed = hasher.verify(stored, PASSWORD).rehashed

    assert rehashed is not None
    assert extract_parameters(rehashed).type is Type.ID
    assert hasher.verify(rehashed, PASSWORD) == CHEAP.verify(rehashed, PASSWORD) == Verified(ok=True)
    assert hasher.verify(stored, "wrong") == Verified(ok=False)
    assert not hasher.verify(stored, "wrong").ordinary


@pytest.mark.requirement("N15", "O16", "O19")
@pytest.mark.parametrize(
    "password_hash",
    [
        pytest.param("", id="empty"),
        pytest.param("$argon2id$v=19$m=8,t=1,p=1$", id="cut"),
        pytest.param(HASH.replace("m=8,", "m=\u0668,"), id="digits of another script"),
        pytest.param("$argon2id$v=19$m=8,t=1,p=x$c2FsdHNhbHQ$aGFzaGhhc2g", id="not a number"),
        pytest.param(HASH.replace("m=8,", "m=4194304,"), id="4 GiB"),
        pytest.param(HASH.replace("t=1,", "t=1000000,"), id="a million iterations"),
        pytest.param(HASH.replace("t=1,", "t=0,"), id="no iterations"),
        pytest.param(HASH.replace("p=1", "p=0"), id="no lanes"),
        pytest.param(HASH.replace("p=1", "p=2"), id="less memory than lanes need"),
        pytest.param(HASH.replace("m=8,t=1,p=1", "m=8192,t=1,p=1024"), id="1024 lanes, a thread each"),
        pytest.param(HASH.replace("m=8,", "m=99999999999999999999,"), id="more memory than a number holds"),
    ],
)
def test_malformed_or_too_costly_stored_hash_rejects_every_password_at_normal_cost(
    verified: list[str], password_hash: str
) -> None:
    outcome = CHEAP.verify(password_hash, PASSWORD)

    assert outcome == Verified(ok=False, unusable=outcome.unusable)
    assert outcome.unusable
    assert not outcome.ordinary
    assert [it for it in verified if it != password_hash] == verified
    assert len(verified) == 1


def test_stored_hash_that_is_not_base64_rejects_every_password_at_normal_cost(verified: list[str]) -> None:
    assert CHEAP.verify(HASH[:-1] + "!", PASSWORD) == Verified(ok=False, unusable="the stored hash is malformed")
    assert len(verified) == 1
