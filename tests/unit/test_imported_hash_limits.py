"""Imported password hashes that are malformed or too costly: refused at import, and never computed at login."""

import hashlib

import pytest

from jeton.crypto import hash_costs
from jeton.crypto.hash_costs import MAX_MILLISECONDS
from jeton.crypto.hash_trial import MAX_SECONDS, HashTrial
from jeton.crypto.imported_hash import PasswordHashRefusedError
from jeton.crypto.imported_hash_formats import parse_imported_hash
from jeton.crypto.passwords import Passwords, Verified

CHEAP = Passwords(memory_kib=8, iterations=1, lanes=1)
PASSWORD = "correct horse b\u00e4ttery staple"
BCRYPT = "$2b$04$abcdefghijklmnopqrstuud0wa3AyvsalIp35ya7n/h44u7EHpJ0W"
PBKDF2 = "pbkdf2_sha256$1000$seasaltseasalt$6luCQaS2qNM68kXFvcmjp3dpFOb80x1vyRcUFBLCKAU="
PASSLIB_PBKDF2 = "$pbkdf2-sha256$1000$nLNWSsn537t3rhVi7N17bw$60f29C3KbfkCxrqbu45Oa3LHOpHdYqSh7L17BKlSRmw"
SCRYPT = (
    "scrypt$16$seasaltseasalt$8$5"
    "$wN8fU7jvRidiagS7CGpc7NYEq7IOxFXh27qNbhBtnbWHtnNlVgxeFRoNk2mLbIbcrqNy8Malz+sEehM8mC+ECg=="
)
PASSLIB_SCRYPT = "$scrypt$ln=4,r=8,p=1$jJEyxljLGQNACAGg9J7z3g$v7EGGz/olnFhfsxJl3kmI29DejXkUolqoeur+SOjojI"
ARGON2 = "$argon2id$v=19$m=64,t=2,p=1$tVaqde6dszamtJYyJkSo9Q$aoGOa3qYafd3AgapNeT2nDMQE/SLtbxsqzO2wMlQ8DU"

REFUSED = {
    "bcrypt: 2^31 rounds": (BCRYPT.replace("$04$", "$31$"), "1,000 ms"),
    "bcrypt: 2^15 rounds": (BCRYPT.replace("$04$", "$15$"), "1,000 ms"),
    "bcrypt: 2^3 rounds": (BCRYPT.replace("$04$", "$03$"), "cost"),
    "bcrypt: flawed $2x$": (BCRYPT.replace("$2b", "$2x"), "defect"),
    "bcrypt: cut": (BCRYPT[:-1], "cut"),
    "bcrypt: line feed after": (BCRYPT + "\n", "malformed"),
    "bcrypt: NUL after": (BCRYPT + "\0", "malformed"),
    "bcrypt: salt with excess bits": (BCRYPT.replace("stuud", "stuvd"), "malformed"),
    "PBKDF2: too many iterations": (PBKDF2.replace("$1000$", "$3333334$"), "1,000 ms"),
    "PBKDF2 of passlib: a billion": (PASSLIB_PBKDF2.replace("$1000$", "$999999999$"), "1,000 ms"),
    "PBKDF2: number too long": (PBKDF2.replace("$1000$", "$" + "9" * 30 + "$"), "malformed"),
    "PBKDF2: no iterations": (PBKDF2.replace("$1000$", "$0$"), "malformed"),
    "PBKDF2: negative": (PBKDF2.replace("$1000$", "$-1$"), "malformed"),
    "PBKDF2: short salt": (PBKDF2.replace("seasaltseasalt", "seasalt"), "salt"),
    "PBKDF2: long salt": (PBKDF2.replace("seasaltseasalt", "s" * 129), "salt"),
    "PBKDF2: short digest": ("pbkdf2_sha256$1000$seasaltseasalt$6luC", "digest"),
    "PBKDF2: long digest": (PBKDF2.replace("KAU=", "KAUA" * 40), "digest"),
    "PBKDF2: not base64": (PBKDF2.replace("KAU=", "K"), "base64"),
    "PBKDF2: digits of another script": (PBKDF2.replace("1000", "\u0661\u0660\u0660\u0660"), "malformed"),
    "PBKDF2: 100 KB": (PBKDF2 + "A" * 100_000, "longer than"),
    "scrypt: 4 TiB": (SCRYPT.replace("$16$", "$4294967296$"), "1,000 ms"),
    "scrypt: 512 MiB": (SCRYPT.replace("$16$", "$262144$").replace("$8$5$", "$8$1$"), "131,072 KiB"),
    "scrypt: too often": (SCRYPT.replace("$16$", "$131072$").replace("$8$5$", "$8$3$"), "1,000 ms"),
    "scrypt: a billion lanes": (SCRYPT.replace("$8$5$", "$8$999999999$"), "1,000 ms"),
    "scrypt: N too large for r (RFC 7914)": (PASSLIB_SCRYPT.replace("ln=4,r=8", "ln=16,r=1"), "2 to the power"),
    "scrypt: no power of two": (SCRYPT.replace("$16$", "$17$"), "power of two"),
    "scrypt: N is 1": (SCRYPT.replace("$16$", "$1$"), "power of two"),
    "scrypt of passlib: 2^99": (PASSLIB_SCRYPT.replace("ln=4", "ln=99"), "1,000 ms"),
    "scrypt of passlib: giant block": (PASSLIB_SCRYPT.replace("r=8", "r=999999999"), "1,000 ms"),
    "scrypt of passlib: short salt": (PASSLIB_SCRYPT.replace("jJEyxljLGQNACAGg9J7z3g", "jJEyxljL"), "salt"),
    "scrypt of passlib: short digest": (PASSLIB_SCRYPT[:-23], "digest"),
    "Argon2: 4 GiB": (ARGON2.replace("m=64", "m=4194304"), "1,000 ms"),
    "Argon2: a little too much": (ARGON2.replace("m=64", "m=131073"), "131,072 KiB"),
    "Argon2: a million iterations": (ARGON2.replace("t=2", "t=1000000"), "1,000 ms"),
    "Argon2: a thread per lane and pass": (ARGON2.replace("m=64,t=2,p=1", "m=64,t=2000,p=8"), "1,000 ms"),
    "Argon2: 17 lanes": (ARGON2.replace("m=64", "m=512").replace("p=1", "p=17"), "lanes"),
    "Argon2: less memory than lanes need": (ARGON2.replace("m=64", "m=7"), "8 KiB per lane"),
    "Argon2: no iterations": (ARGON2.replace("t=2", "t=0"), "malformed"),
    "Argon2: negative memory": (ARGON2.replace("m=64", "m=-1"), "malformed"),
    "Argon2: another version": (ARGON2.replace("v=19", "v=20"), "malformed"),
    "Argon2: short salt": (ARGON2.replace("tVaqde6dszamtJYyJkSo9Q", "tVaqde6d"), "salt"),
    "Argon2: short tag": (ARGON2[:-31], "digest"),
    "Argon2: cut": (ARGON2.rsplit("$", 1)[0], "malformed"),
    "Argon2: repeated parameter": (ARGON2.replace("m=64", "m=64,m=64"), "malformed"),
    "Argon2: underscore in a number": (ARGON2.replace("m=64", "m=6_4"), "malformed"),
    "Argon2: excess bits": (ARGON2[:-1] + "9", "base64"),
    "Argon2: unknown type": (ARGON2.replace("argon2id", "argon2x"), "malformed"),
    "empty": ("", "is not supported"),
    "unusable password of Django": ("!6luCQaS2qNM68kXFvcmjp3dpFOb80x1vyRcUFBLC", "without a password"),
    "clear text": (PASSWORD, "is not supported"),
    "MD5": ("md5$seasaltseasalt$9f9d51bc70ef21ca5c14f307980a29d8", "salted digest"),
    "SHA-512 of Unix": ("$6$seasaltseasalt$" + "a" * 86, "SHA-2 crypt"),
}


@pytest.mark.requirement("O16")
@pytest.mark.parametrize(("text", "reason"), REFUSED.values(), ids=REFUSED)
def test_invalid_or_too_costly_hash_is_refused_with_the_reason_and_costs_a_normal_check(
    text: str, reason: str, hash_calls: list[str]
) -> None:
    with pytest.raises(PasswordHashRefusedError) as refused:
        parse_imported_hash(text)
    assert reason in str(refused.value)
    assert text == "" or text not in str(refused.value)
    stored = "argon2" + text if text.startswith("$argon2") else text

    outcome = CHEAP.verify(stored, PASSWORD)
    assert outcome == Verified(ok=False, unusable=outcome.unusable)
    assert outcome.unusable
    assert hash_calls == ["core"]


@pytest.mark.requirement("O16")
def test_hash_at_the_cost_limit_is_accepted() -> None:
    for text in (
        BCRYPT.replace("$04$", "$14$"),
        PBKDF2.replace("$1000$", "$3333333$"),
        SCRYPT.replace("$16$", "$131072$").replace("$8$5$", "$8$2$"),
        PASSLIB_SCRYPT.replace("ln=4", "ln=17"),  # as OWASP recommends
        ARGON2.replace("m=64,t=2", "m=131072,t=6"),
        ARGON2.replace("m=64,t=2,p=1", "m=102400,t=2,p=8"),  # of Django
    ):
        assert callable(parse_imported_hash(text).check)


@pytest.mark.parametrize("parameters", ["ln=16,r=8,p=1", "ln=15,r=1,p=1", "ln=1,r=1,p=1", "ln=4,r=1024,p=16"])
def test_accepted_scrypt_parameters_have_enough_memory(parameters: str) -> None:
    assert not parse_imported_hash(PASSLIB_SCRYPT.replace("ln=4,r=8,p=1", parameters)).check(PASSWORD.encode())


def test_cost_limit_is_about_twenty_default_checks_and_allows_common_recommendations() -> None:
    assert MAX_MILLISECONDS / hash_costs.argon2_milliseconds(47104, 1, 1) == pytest.approx(20, abs=1)
    assert hash_costs.bcrypt_milliseconds(14) < MAX_MILLISECONDS
    assert hash_costs.pbkdf2_milliseconds("sha256", 1_500_000, 32) < MAX_MILLISECONDS  # Django 6.1
    assert hash_costs.pbkdf2_milliseconds("sha512", 4_000_000, 64) > 2 * MAX_MILLISECONDS
    assert hash_costs.pbkdf2_milliseconds("sha1", 1000, 64) == 4 * hash_costs.pbkdf2_milliseconds("sha1", 1000, 20)


@pytest.mark.requirement("O16")
def test_each_kind_of_hash_is_tried_once_and_refused_if_too_slow_or_failing(monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter([0.0, 0.1, 10.0, 10.0 + MAX_SECONDS + 0.1])
    trial = HashTrial(timer=lambda: next(times))

    for _ in range(2):
        trial.run(parse_imported_hash(BCRYPT))
    for _ in range(2):
        with pytest.raises(PasswordHashRefusedError, match=r"took 3\.1 s: at most 3 s"):
            trial.run(parse_imported_hash(BCRYPT.replace("$04$", "$05$")))

    def fail(*_: object, **__: object) -> bytes:
        raise ValueError("memory limit exceeded")

    monkeypatch.setattr(hashlib, "scrypt", fail)
    with pytest.raises(PasswordHashRefusedError, match=r"trial check .* failed: ValueError"):
        HashTrial().run(parse_imported_hash(SCRYPT))
