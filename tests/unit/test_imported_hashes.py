"""Hashes of passwords that other systems made (bcrypt, RFC 8018, RFC 7914, RFC 9106): read, bounded, replaced.

The hashes were made by Django 5.2, passlib 1.7.4 and libxcrypt 4.4, with small costs.
"""

import hashlib

import bcrypt
import pytest
from argon2 import PasswordHasher, Type, extract_parameters

from jeton.crypto.imported_hash import PasswordHashRefusedError
from jeton.crypto.imported_hash_formats import parse_imported_hash, stored_form
from jeton.crypto.passwords import Passwords, Verified

CHEAP = Passwords(memory_kib=8, iterations=1, lanes=1)
PASSWORD = "correct horse b\u00e4ttery staple"

BCRYPT = "$2b$04$abcdefghijklmnopqrstuud0wa3AyvsalIp35ya7n/h44u7EHpJ0W"
BCRYPT_OF_80_X = "$2y$04$abcdefghijklmnopqrstuubzadhGtS2zEF.gu0yd0opP6cVzb.e0i"
DJANGO_PBKDF2 = "pbkdf2_sha256$1000$seasaltseasalt$6luCQaS2qNM68kXFvcmjp3dpFOb80x1vyRcUFBLCKAU="
PASSLIB_PBKDF2 = "$pbkdf2-sha256$1000$nLNWSsn537t3rhVi7N17bw$60f29C3KbfkCxrqbu45Oa3LHOpHdYqSh7L17BKlSRmw"
DJANGO_SCRYPT = (
    "scrypt$16$seasaltseasalt$8$5"
    "$wN8fU7jvRidiagS7CGpc7NYEq7IOxFXh27qNbhBtnbWHtnNlVgxeFRoNk2mLbIbcrqNy8Malz+sEehM8mC+ECg=="
)
PASSLIB_SCRYPT = "$scrypt$ln=4,r=8,p=1$jJEyxljLGQNACAGg9J7z3g$v7EGGz/olnFhfsxJl3kmI29DejXkUolqoeur+SOjojI"
ARGON2ID = "$argon2id$v=19$m=64,t=2,p=1$tVaqde6dszamtJYyJkSo9Q$aoGOa3qYafd3AgapNeT2nDMQE/SLtbxsqzO2wMlQ8DU"

HASHES = {
    "bcrypt $2a$": BCRYPT.replace("$2b", "$2a"),
    "bcrypt $2b$": BCRYPT,
    "bcrypt $2y$": BCRYPT.replace("$2b", "$2y"),
    "Django's bcrypt": "bcrypt$$2b$04$uuuzBZFsWHP5a2cT4ZMczO.RN4fmY0gDpQdDKT6pR.0Hmcx/5ww0q",
    "Django's bcrypt over SHA-256": "bcrypt_sha256$$2b$04$kigH3n2TjbFjmg.r9ozRmOfAT0H4w5ODOIWn/m1qow60nfB/tEdXK",
    "Django's PBKDF2": DJANGO_PBKDF2,
    "Django's PBKDF2 with SHA-1": "pbkdf2_sha1$1000$seasaltseasalt$BhqgrO8BvEOQuAFjMHKVKF7s8n0=",
    "passlib's PBKDF2": PASSLIB_PBKDF2,
    "passlib's PBKDF2 with SHA-512": "$pbkdf2-sha512$1000$T4mRsnYO4ZxTKoXwXut9Lw"
    "$el429Pb1ExAYRribCOuOdRdcqegIPaQFfrPuQZVu2mOjSDIE1M9kGZo3KIWNhXSfrUYNfADBLXqWQP1bZzo8PA",
    "passlib's PBKDF2 with SHA-1": "$pbkdf2$1000$6H1Pae1da41RSsl5j3HOuQ$F2WtNhyZlmSjE/rcNF6kJXptLOA",
    "Django's scrypt": DJANGO_SCRYPT,
    "passlib's scrypt": PASSLIB_SCRYPT,
    "passlib's scrypt of another shape": "$scrypt$ln=4,r=4,p=2$9x5DCMFYS+ldS+m9d07pnQ"
    "$bsxwxY4nwaEJoFTts9TrivKFHpQ6dNbHHyxdBpERqDA",
    "Django's Argon2id": "argon2$argon2id$v=19$m=64,t=1,p=8$V1ZTanFySXZ4OHRNU0U0R3BvczFWZg"
    "$SBi77ctgYvQFcgzvBmcadaVJZyKNkblNKGTsS4I0Dzw",
    "Argon2id": ARGON2ID,
    "Argon2i": "$argon2i$v=19$m=64,t=2,p=1$iJGScu69FyJECOG8dy5FSA$I73yHw7qioepXK7lz5NCDRCQhDitFGtYJ5oQrBNSN0E",
}

each_hash = pytest.mark.parametrize("text", HASHES.values(), ids=HASHES)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Which hashes are computed."""
    run: list[str] = []

    def spy(owner: object, name: str) -> None:
        genuine = getattr(owner, name)

        def noted(*args: object, **named: object) -> object:
            run.append(name)
            return genuine(*args, **named)

        monkeypatch.setattr(owner, name, noted)

    for owner, name in ((bcrypt, "checkpw"), (hashlib, "pbkdf2_hmac"), (hashlib, "scrypt"), (PasswordHasher, "verify")):
        spy(owner, name)
    return run


# Logging in.


@each_hash
def test_right_password_of_an_imported_hash_is_accepted(text: str) -> None:
    assert CHEAP.verify(stored_form(text), PASSWORD).ok


@each_hash
@pytest.mark.parametrize(
    "password", ["", "wrong", PASSWORD[:-1], PASSWORD + " ", PASSWORD.upper(), PASSWORD + "\0"], ids=ascii
)
def test_wrong_password_of_an_imported_hash_is_rejected_and_not_rehashed(text: str, password: str) -> None:
    assert CHEAP.verify(stored_form(text), password) == Verified(ok=False)


@pytest.mark.requirement("N12")
@each_hash
def test_right_password_of_an_imported_hash_is_rehashed(text: str) -> None:
    rehashed = CHEAP.verify(stored_form(text), PASSWORD).rehashed

    assert rehashed is not None
    assert extract_parameters(rehashed).type is Type.ID
    assert extract_parameters(rehashed).memory_cost == 8
    assert CHEAP.verify(rehashed, PASSWORD) == Verified(ok=True)
    assert not CHEAP.verify(rehashed, PASSWORD.upper()).ok


@each_hash
def test_wrong_password_computes_one_hash(run: list[str], text: str) -> None:
    CHEAP.verify(stored_form(text), "wrong")

    assert len(run) == 1


def test_imported_hash_is_checked_as_typed_before_nfc() -> None:
    typed = "cafe\u0301 cre\u0300me au lait"
    stored = bcrypt.hashpw(typed.encode(), bcrypt.gensalt(4)).decode()

    rehashed = CHEAP.verify(stored, typed).rehashed

    assert rehashed is not None
    assert CHEAP.verify(rehashed, "caf\u00e9 cr\u00e8me au lait").ok


def test_imported_hash_of_nfc_accepts_the_decomposed_form() -> None:
    stored = bcrypt.hashpw("caf\u00e9 cr\u00e8me au lait".encode(), bcrypt.gensalt(4)).decode()

    assert CHEAP.verify(stored, "cafe\u0301 cre\u0300me au lait").ok


@pytest.mark.requirement("N07")
def test_bcrypt_ignores_bytes_after_72_and_its_replacement_does_not() -> None:
    typed = "x" * 90
    rehashed = CHEAP.verify(BCRYPT_OF_80_X, typed).rehashed

    assert rehashed is not None
    assert CHEAP.verify(rehashed, typed).ok
    assert not CHEAP.verify(rehashed, "x" * 89).ok
    assert not CHEAP.verify(BCRYPT_OF_80_X, "x" * 71).ok


def test_bcrypt_over_sha_256_uses_the_whole_password() -> None:
    digest = hashlib.sha256(b"x" * 80).hexdigest().encode()
    stored = "bcrypt_sha256$" + bcrypt.hashpw(digest, bcrypt.gensalt(4)).decode()

    assert CHEAP.verify(stored, "x" * 80).ok
    assert not CHEAP.verify(stored, "x" * 81).ok


@pytest.mark.requirement("N12")
def test_imported_argon2_is_stored_with_a_prefix() -> None:
    assert stored_form(ARGON2ID) == "argon2" + ARGON2ID
    assert stored_form("argon2" + ARGON2ID) == "argon2" + ARGON2ID
    assert CHEAP.verify(ARGON2ID, PASSWORD) == Verified(ok=True)
    assert CHEAP.verify("argon2" + ARGON2ID, PASSWORD).rehashed is not None


# What is refused, when it is taken over and when it is checked.

HOSTILE = {
    "bcrypt: 2^31 rounds": (BCRYPT.replace("$04$", "$31$"), "1,000 ms"),
    "bcrypt: 2^15 rounds": (BCRYPT.replace("$04$", "$15$"), "1,000 ms"),
    "bcrypt: 2^3 rounds": (BCRYPT.replace("$04$", "$03$"), "cost"),
    "PBKDF2: too many iterations": (DJANGO_PBKDF2.replace("$1000$", "$3333334$"), "1,000 ms"),
    "PBKDF2 of passlib: a billion": (PASSLIB_PBKDF2.replace("$1000$", "$999999999$"), "1,000 ms"),
    "PBKDF2: more than a number holds": (DJANGO_PBKDF2.replace("$1000$", "$" + "9" * 30 + "$"), "malformed"),
    "PBKDF2: no iterations": (DJANGO_PBKDF2.replace("$1000$", "$0$"), "malformed"),
    "PBKDF2: negative": (DJANGO_PBKDF2.replace("$1000$", "$-1$"), "malformed"),
    "PBKDF2: a short salt": (DJANGO_PBKDF2.replace("seasaltseasalt", "seasalt"), "salt"),
    "PBKDF2: a long salt": (DJANGO_PBKDF2.replace("seasaltseasalt", "s" * 129), "salt"),
    "PBKDF2: a short digest": ("pbkdf2_sha256$1000$seasaltseasalt$6luC", "digest"),
    "PBKDF2: a long digest": (DJANGO_PBKDF2.replace("KAU=", "KAUA" * 40), "digest"),
    "PBKDF2: digits of no base64": (DJANGO_PBKDF2.replace("KAU=", "K"), "base64"),
    "scrypt: 4 TiB": (DJANGO_SCRYPT.replace("$16$", "$4294967296$"), "1,000 ms"),
    "scrypt: 512 MiB": (DJANGO_SCRYPT.replace("$16$", "$262144$").replace("$8$5$", "$8$1$"), "131,072 KiB"),
    "scrypt: too often": (DJANGO_SCRYPT.replace("$16$", "$131072$").replace("$8$5$", "$8$3$"), "1,000 ms"),
    "scrypt: a billion lanes": (DJANGO_SCRYPT.replace("$8$5$", "$8$999999999$"), "1,000 ms"),
    "scrypt: more rounds than RFC 7914 has for so small a block": (
        PASSLIB_SCRYPT.replace("ln=4,r=8", "ln=16,r=1"),
        "2 to the power",
    ),
    "scrypt: no power of two": (DJANGO_SCRYPT.replace("$16$", "$17$"), "power of two"),
    "scrypt: N is 1": (DJANGO_SCRYPT.replace("$16$", "$1$"), "power of two"),
    "scrypt of passlib: 2^99": (PASSLIB_SCRYPT.replace("ln=4", "ln=99"), "1,000 ms"),
    "scrypt of passlib: a giant block": (PASSLIB_SCRYPT.replace("r=8", "r=999999999"), "1,000 ms"),
    "scrypt of passlib: a short salt": (PASSLIB_SCRYPT.replace("jJEyxljLGQNACAGg9J7z3g", "jJEyxljL"), "salt"),
    "scrypt of passlib: a short digest": (PASSLIB_SCRYPT[:-23], "digest"),
    "Argon2: 4 GiB": (ARGON2ID.replace("m=64", "m=4194304"), "1,000 ms"),
    "Argon2: a little too much": (ARGON2ID.replace("m=64", "m=131073"), "131,072 KiB"),
    "Argon2: a million iterations": (ARGON2ID.replace("t=2", "t=1000000"), "1,000 ms"),
    "Argon2: a thread for each of many lanes and passes": (
        ARGON2ID.replace("m=64,t=2,p=1", "m=64,t=2000,p=8"),
        "1,000 ms",
    ),
    "Argon2: 17 lanes": (ARGON2ID.replace("m=64", "m=512").replace("p=1", "p=17"), "lanes"),
    "Argon2: less memory than lanes need": (ARGON2ID.replace("m=64", "m=7"), "8 KiB per lane"),
    "Argon2: no iterations": (ARGON2ID.replace("t=2", "t=0"), "malformed"),
    "Argon2: negative memory": (ARGON2ID.replace("m=64", "m=-1"), "malformed"),
    "Argon2: another version": (ARGON2ID.replace("v=19", "v=20"), "malformed"),
    "Argon2: a short salt": (ARGON2ID.replace("tVaqde6dszamtJYyJkSo9Q", "tVaqde6d"), "salt"),
    "Argon2: a short tag": (ARGON2ID[:-31], "digest"),
    "Argon2: cut": (ARGON2ID.rsplit("$", 1)[0], "malformed"),
    "Argon2: memory said twice": (ARGON2ID.replace("m=64", "m=64,m=64"), "malformed"),
    "Argon2: a number as in Python": (ARGON2ID.replace("m=64", "m=6_4"), "malformed"),
    "Argon2: bits that nobody writes": (ARGON2ID[:-1] + "9", "base64"),
    "another kind of Argon2": (ARGON2ID.replace("argon2id", "argon2x"), "malformed"),
    "nothing": ("", "is not supported"),
    "locked in the manner of Django": ("!6luCQaS2qNM68kXFvcmjp3dpFOb80x1vyRcUFBLC", "without a password"),
    "in clear": (PASSWORD, "is not supported"),
    "MD5": ("md5$seasaltseasalt$9f9d51bc70ef21ca5c14f307980a29d8", "salted digest"),
    "SHA-512 of Unix": ("$6$seasaltseasalt$" + "a" * 86, "SHA-2 crypt"),
    "bcrypt with its defect": (BCRYPT.replace("$2b", "$2x"), "defect"),
    "bcrypt cut": (BCRYPT[:-1], "cut"),
    "bcrypt and a line end": (BCRYPT + "\n", "malformed"),
    "bcrypt and a NUL": (BCRYPT + "\0", "malformed"),
    "bcrypt with a salt that none writes": (BCRYPT.replace("stuud", "stuvd"), "malformed"),
    "other digits": (DJANGO_PBKDF2.replace("1000", "\u0661\u0660\u0660\u0660"), "malformed"),
    "endless": (DJANGO_PBKDF2 + "A" * 100_000, "longer than"),
}

each_hostile = pytest.mark.parametrize(("text", "reason"), HOSTILE.values(), ids=HOSTILE)


@pytest.mark.requirement("O16")
@each_hostile
def test_too_costly_or_invalid_hash_is_refused_with_the_reason(text: str, reason: str) -> None:
    with pytest.raises(PasswordHashRefusedError) as refused:
        parse_imported_hash(text)

    assert reason in str(refused.value)
    assert text == "" or text not in str(refused.value)


@pytest.mark.requirement("O16")
@each_hostile
def test_stored_invalid_hash_rejects_every_password_at_normal_cost(run: list[str], text: str, reason: str) -> None:
    stored = "argon2" + text if text.startswith("$argon2") else text

    assert CHEAP.verify(stored, PASSWORD) == Verified(ok=False)
    assert run == ["verify"]


@pytest.mark.requirement("O16")
@pytest.mark.parametrize(
    "text",
    [
        BCRYPT.replace("$04$", "$14$"),
        DJANGO_PBKDF2.replace("$1000$", "$3333333$"),
        DJANGO_SCRYPT.replace("$16$", "$131072$").replace("$8$5$", "$8$2$"),
        PASSLIB_SCRYPT.replace("ln=4", "ln=17"),
        ARGON2ID.replace("m=64,t=2", "m=131072,t=6"),
        ARGON2ID.replace("m=64,t=2,p=1", "m=102400,t=2,p=8"),
    ],
    ids=["bcrypt", "PBKDF2", "scrypt", "scrypt of OWASP", "Argon2", "Argon2 of Django"],
)
def test_hash_at_the_cost_limit_is_accepted(text: str) -> None:
    assert callable(parse_imported_hash(text).check)


@pytest.mark.parametrize("parameters", ["ln=16,r=8,p=1", "ln=15,r=1,p=1", "ln=1,r=1,p=1", "ln=4,r=1024,p=16"])
def test_accepted_scrypt_parameters_have_enough_memory(parameters: str) -> None:
    assert not parse_imported_hash(PASSLIB_SCRYPT.replace("ln=4,r=8,p=1", parameters)).check(PASSWORD.encode())


@pytest.mark.requirement("O16")
@pytest.mark.parametrize("error", [ValueError, MemoryError, OverflowError])
def test_check_that_raises_rejects_the_password_and_reports_the_reason(
    run: list[str], error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> bool:
        raise error

    monkeypatch.setattr(bcrypt, "checkpw", fail)

    verified = CHEAP.verify(BCRYPT, PASSWORD)

    assert (verified.ok, verified.unusable, run) == (False, error.__name__, ["verify"])
