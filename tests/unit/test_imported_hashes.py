"""Password hashes of other systems (bcrypt, RFC 8018, RFC 7914, RFC 9106): verified at login, and then replaced."""

import hashlib
from base64 import b64encode
from itertools import product
from pathlib import Path

import bcrypt
import pytest
from argon2 import Type, extract_parameters

from jeton.crypto.imported_hash import PasswordHashRefusedError
from jeton.crypto.imported_hash_formats import parse_imported_hash, stored_form
from jeton.crypto.passwords import Passwords, Verified

CHEAP = Passwords(memory_kib=8, iterations=1, lanes=1)
LINES = (Path(__file__).parent / "imported_hashes.tsv").read_text(encoding="utf-8").splitlines()
ROWS = [line.split("\t") for line in LINES if not line.startswith("#")]
HASHES = {name: (password, text) for name, password, text in ROWS}
BCRYPT = HASHES["bcrypt $2b$"][1]


@pytest.mark.requirement("N12")
@pytest.mark.parametrize(("password", "text"), HASHES.values(), ids=HASHES)
def test_imported_hash_accepts_only_its_own_password_and_is_replaced(
    hash_calls: list[str], password: str, text: str
) -> None:
    parse_imported_hash(text)

    rehashed = CHEAP.verify(stored_form(text), password).rehashed

    assert rehashed is not None
    assert (extract_parameters(rehashed).type, extract_parameters(rehashed).memory_cost) == (Type.ID, 8)
    assert CHEAP.verify(rehashed, password) == Verified(ok=True)
    # The published hashes are expensive.
    others = ["", "wrong", password[:-1], password + " ", password.upper()] if password.startswith("correct") else []
    for wrong in (*others, password + "x", password + "\0"):
        hash_calls.clear()
        assert CHEAP.verify(stored_form(text), wrong) == Verified(ok=False)
        assert len(hash_calls) == 1
        assert not CHEAP.verify(rehashed, wrong).ok


@pytest.mark.parametrize("stored_as", ["cafe\u0301 cre\u0300me au lait", "caf\u00e9 cr\u00e8me au lait"])
def test_imported_hash_is_checked_as_typed_and_in_nfc(stored_as: str) -> None:
    stored = bcrypt.hashpw(stored_as.encode(), bcrypt.gensalt(4)).decode()

    rehashed = CHEAP.verify(stored, "cafe\u0301 cre\u0300me au lait").rehashed

    assert rehashed is not None
    assert CHEAP.verify(rehashed, "caf\u00e9 cr\u00e8me au lait").ok


@pytest.mark.requirement("N07")
def test_bcrypt_ignores_bytes_after_72_but_not_its_replacement_nor_bcrypt_over_sha_256() -> None:
    of_80_x = "$2y$04$abcdefghijklmnopqrstuubzadhGtS2zEF.gu0yd0opP6cVzb.e0i"
    rehashed = CHEAP.verify(of_80_x, "x" * 90).rehashed
    digest = hashlib.sha256(b"x" * 80).hexdigest().encode()
    over_sha_256 = "bcrypt_sha256$" + bcrypt.hashpw(digest, bcrypt.gensalt(4)).decode()

    assert rehashed is not None
    assert not CHEAP.verify(of_80_x, "x" * 71).ok
    for stored, length in ((rehashed, 90), (over_sha_256, 80)):
        assert CHEAP.verify(stored, "x" * length).ok
        assert not any(CHEAP.verify(stored, "x" * (length + more)).ok for more in (-1, 1))


@pytest.mark.requirement("N12")
def test_imported_argon2_is_stored_with_a_prefix() -> None:
    password, argon2id = HASHES["Argon2id"]

    assert stored_form(argon2id) == stored_form("argon2" + argon2id) == "argon2" + argon2id
    assert CHEAP.verify(argon2id, password) == Verified(ok=True)
    assert CHEAP.verify("argon2" + argon2id, password).rehashed is not None


def test_wordpress_hash_trims_the_password_and_its_replacement_does_not() -> None:
    password, text = HASHES["WordPress 6.8"]

    rehashed = CHEAP.verify(text, f" {password}\n").rehashed

    assert rehashed is not None
    assert not CHEAP.verify(rehashed, password).ok


def test_spring_pbkdf2_uses_the_defaults_of_its_version() -> None:
    salt = bytes(range(16))
    digest = hashlib.pbkdf2_hmac("sha256", b"password", salt, 310_000)

    assert parse_imported_hash("{pbkdf2@SpringSecurity_v5_8}" + (salt + digest).hex()).check(b"password")


def test_digests_and_salts_of_unusual_sizes_are_accepted() -> None:
    for size, salt in product([16, 17, 20, 31, 33, 63, 64, 128], [b"8 bytes.", b"odd bytes", b"s" * 127]):
        digest = hashlib.pbkdf2_hmac("sha256", b"password", salt, 10, size)
        imported = parse_imported_hash(f"$pbkdf2-sha256$10${b64encode(salt).decode()}${b64encode(digest).decode()}")

        assert imported.check(b"password")
        assert not imported.check(b"other")


UNSUPPORTED = {
    "$P$B9vZp1ED5PnY4omTg1SJmUTSxeMfRY.": "WordPress before 6.8",
    "{SSHA}JFZFs0oHzxbMwkSJmYVeI8MnTDy/276a": "LDAP",
    "{ssha512}" + "A" * 96: "LDAP",
    "{CRYPT}$6$saltsalt$" + "a" * 86: "SHA-2 crypt",
    "$y$j9T$abc$def": "yescrypt",
    "$apr1$saltsalt$Csdd1PwuyYkwi.sDy/jGP.": "Apache",
    "{CRYPT}aaVnz1QWsxyzA": "crypt of Unix",
    "{noop}password": "clear text",
    "{sha256}97cde38028ad898ebc02e690819fa220e88c62e0699403e94fff291cfffaf841": "Spring",
    "5f4dcc3b5aa765d61d8327deb882cf99": "plain digest",
    "$firescrypt$ln=14,r=8,p=1$c2FsdA==$a2V5$c2Vw$c2lnbg==": "Firebase",
    "A" * 86 + "==": "Firebase",
    '{"secretData": "..."}': "Keycloak",
    "$S$D4Wh5nL6nSUdkvGZ3HyFLs4yBYnSQ5w4kXd3TzPxqhgD": "Drupal",
    "$2y$10$short": "bcrypt, but cut",
    "sha256$salt$" + "a" * 64: "Werkzeug",
    "{MAGIC}abc": "LDAP or Spring",
}


@pytest.mark.parametrize(("text", "name"), UNSUPPORTED.items(), ids=UNSUPPORTED.values())
def test_unsupported_hash_is_named_in_the_refusal(text: str, name: str) -> None:
    with pytest.raises(PasswordHashRefusedError, match=name) as refused:
        parse_imported_hash(text)

    assert text not in str(refused.value)
    assert CHEAP.verify(text, "password").unusable == str(refused.value)


@pytest.mark.requirement("O16")
@pytest.mark.parametrize("error", [ValueError, MemoryError, OverflowError])
def test_check_that_raises_rejects_the_password_and_reports_the_reason(
    hash_calls: list[str], error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> bool:
        raise error

    monkeypatch.setattr(bcrypt, "checkpw", fail)

    verified = CHEAP.verify(BCRYPT, "correct horse b\u00e4ttery staple")

    assert (verified.ok, verified.unusable, hash_calls) == (False, error.__name__, ["core"])
