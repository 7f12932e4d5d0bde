"""Hashes as other systems write them, made by those systems or published by them, never by what reads them here.

Of WordPress, Spring's documentation, ASP.NET's tests, Keycloak's examples (by Strimzi), Ory's tests, Jakarta EE;
and by Werkzeug 3.1 and libpass 1.9.
"""

import hashlib
from base64 import b64encode

import pytest

from jeton.crypto import hash_costs
from jeton.crypto.hash_costs import MAX_MILLISECONDS
from jeton.crypto.hash_trial import MAX_SECONDS, HashTrial
from jeton.crypto.imported_hash import PasswordHashRefusedError
from jeton.crypto.imported_hash_formats import parse_imported_hash, stored_form
from jeton.crypto.passwords import Passwords

CHEAP = Passwords(memory_kib=8, iterations=1, lanes=1)
HORSE = "correct horse b\u00e4ttery staple"
SPRING_BCRYPT = "{bcrypt}$2a$10$dXJ3SW6G7P50lGmMkkmwe.20cQQubK3.HZWzG3YB1tlRy.fqvM/BG"

HASHES = {
    "WordPress 6.8": ("$wp$2y$10$Q1xinFjrZeLWJBvxviIL6u834Fu.evIEFHAUVisQ5O.w9Dm0sMdES", "admin"),
    "Spring's bcrypt": (SPRING_BCRYPT, "password"),
    "Spring's PBKDF2": (
        "{pbkdf2}5d923b44a6d129f3ddf3e3c8d29412723dcbde72445e8ef6bf3b508fbf17fa4ed4d6b99ca763d8dc",
        "password",
    ),
    "Spring's scrypt": (
        (
            "{scrypt}$e0801$8bWJaSu2IKSn9Z9kM+TPXfOc/9bdYSrN1oD9qfVThWEwdRTnO7re7Ei+fUZRJ68k9lTyuTeUp4of4g24hHnazw=="
            "$OAOec05+bXxvuu/1qZ6NUR+xQYvYv7BeL1QxwRpY5Pc="
        ),
        "password",
    ),
    "ASP.NET 2": ("ANXrDknc7fGPpigibZXXZFMX4aoqz44JveK6jQuwY3eH/UyPhvr5xTPeGYEckLxz9A==", "my password"),
    "ASP.NET 3, SHA-1": ("AQAAAAAAAAD6AAAAEAhftMyfTJylOlZT+eEotFXd1elee8ih5WsjXaR3PA9M", "my password"),
    "ASP.NET 3, SHA-256": (
        "AQAAAAEAA9CQAAAAIESkQuj2Du8Y+kbc5lcN/W/3NiAZFEm11P27nrSN5/tId+bR1SwV8CO1Jd72r4C08OLvplNlCDc3oQZ8efcW+jQ=",
        "my password",
    ),
    "ASP.NET 3, SHA-512": (
        (
            "AQAAAAIAAAD6AAAAIJbVi5wbMR+htSfFp8fTw8N8GOS/Sje+S/4YZcgBfU7EQuqv4OkVYmc4VJl9AGZzmRTxSkP7LtVi9IWyUxX8IAAf"
            "Z8v+ZfhjCcudtC1YERSqE1OEdXLW9VukPuJWBBjLuw=="
        ),
        "my password",
    ),
    "Keycloak, as documented": (
        (
            "$pbkdf2-sha256$27500$EPgscX9CQz7UnuZDNZxtMw=="
            "$KqABIiReBuRWbP4pBct3W067pNvYzeN7ILBV+8vT8nuF5cgYs2fdl2QikJT/7bGTW/PBXg6CYLwJQFYrBK9MWg=="
        ),
        "alice-password",
    ),
    "Ory's PBKDF2": ("$pbkdf2-sha256$i=1000,l=128$e8/arsEf4cvQihdNgqj0Nw$5xQQKNTyeTHx2Ld5/JDE7A", "123456"),
    "Ory's scrypt": (
        (
            "$scrypt$ln=16384,r=8,p=1$ZtQva9xCHzlSELH/mA7Kj5KjH2tCrkbwYzdxknkL0QQ="
            "$pnTcXKaWVT+FwFDdk3vO1K0J7ZgOxdSU1tCJNYmn8zI="
        ),
        "123456",
    ),
    "Ory's Argon2": ("$argon2id$v=19$m=16,t=2,p=1$bVI1aE1SaTV6SGQ3bzdXdw$fnjCcZYmEPOUOjYXsT92Cg", "123456"),
    "Argon2 with a prefix": (
        "{argon2}$argon2id$v=19$m=16,t=2,p=1$bVI1aE1SaTV6SGQ3bzdXdw$fnjCcZYmEPOUOjYXsT92Cg",
        "123456",
    ),
    "Jakarta EE": (
        (
            "PBKDF2WithHmacSHA256:2048:Muo4cAqMsHCN5d27lQ1IXSEa5mMhwMn6BmubWG7DN9g="
            ":MLJhWHR6Cf7YNYUf3XunIWb+rR2wonhXYBUgZJfVe8M="
        ),
        "test",
    ),
    "Werkzeug's PBKDF2": (
        "pbkdf2:sha256:1000$4oO95Hz5DrGJvP4h$44e63f8e182fbeee831949a840992da2b903e31014074f47003e29de5d3a244f",
        HORSE,
    ),
    "Werkzeug's scrypt": (
        (
            "scrypt:1024:8:1$PnZqA1jjIrtcdlUl$6615c9e5bcb7df8221f264d21a513efee6a612b5365a794a88afc5c8204c544d"
            "84c11145c17e972dedbf899a74e3599ccca25c74cacc320ef7cf94cbfb0ee0af"
        ),
        HORSE,
    ),
    "LDAP's PBKDF2 with SHA-256": (
        "{PBKDF2-SHA256}1000$.B9DSGkt5bw3JiQk5LxXKg$rVSxsa.1t7sFsgOtb8RvydsisxmzYfgnd9ODUJuSC6Q",
        HORSE,
    ),
    "LDAP's PBKDF2": ("{PBKDF2}1000$P4eQklIqRUhpbS1F6F2LEQ$NxopAVWX3F94w0cJXQ11YgxCXVY", HORSE),
    "LDAP's bcrypt": ("{CRYPT}$2b$04$oOZ8COohLc3bAEaX2kDEheJnyja5B9NvIMc2cF5anZickHqm0lEcS", HORSE),
    "passlib's bcrypt over HMAC": (
        "$bcrypt-sha256$v=2,t=2b,r=4$XRa1cfFtqan0LHNwSqxsb.$441W53QPBT7la3o0Lq//rqWKatsAzu.",
        HORSE,
    ),
    "passlib's bcrypt over SHA-256": (
        "$bcrypt-sha256$2b,4$H6ERPqWN1FW2y5/5IOe0m.$oUli4Qd.hBwUSGhdujP7jz3whZM3F/y",
        HORSE,
    ),
}


@pytest.mark.parametrize(("text", "password"), HASHES.values(), ids=HASHES)
def test_imported_hash_accepts_only_its_own_password(text: str, password: str) -> None:
    parse_imported_hash(text)

    assert CHEAP.verify(stored_form(text), password).rehashed is not None
    assert not CHEAP.verify(stored_form(text), password + "x").ok
    assert not CHEAP.verify(stored_form(text), password + "\0").ok


def test_wordpress_hash_trims_the_password_and_its_replacement_does_not() -> None:
    text, password = HASHES["WordPress 6.8"]

    rehashed = CHEAP.verify(text, f" {password}\n").rehashed

    assert rehashed is not None
    assert not CHEAP.verify(rehashed, password).ok


def test_spring_pbkdf2_uses_the_defaults_of_its_version() -> None:
    salt = bytes(range(16))
    digest = hashlib.pbkdf2_hmac("sha256", b"password", salt, 310_000)

    assert parse_imported_hash("{pbkdf2@SpringSecurity_v5_8}" + (salt + digest).hex()).check(b"password")


@pytest.mark.parametrize("size", [16, 17, 20, 31, 33, 63, 64, 128])
@pytest.mark.parametrize("salt", [b"8 bytes.", b"odd bytes", b"s" * 127])
def test_digests_and_salts_of_unusual_sizes_are_accepted(size: int, salt: bytes) -> None:
    digest = hashlib.pbkdf2_hmac("sha256", b"password", salt, 10, size)
    foreign = parse_imported_hash(f"$pbkdf2-sha256$10${b64encode(salt).decode()}${b64encode(digest).decode()}")

    assert foreign.check(b"password")
    assert not foreign.check(b"other")


RECOGNISED = {
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


@pytest.mark.parametrize(("text", "name"), RECOGNISED.items(), ids=RECOGNISED.values())
def test_unsupported_hash_is_named_in_the_refusal(text: str, name: str) -> None:
    with pytest.raises(PasswordHashRefusedError, match=name) as refused:
        parse_imported_hash(text)

    assert text not in str(refused.value)
    assert CHEAP.verify(text, "password").unusable == str(refused.value)


# Costs.


def test_cost_limit_is_about_twenty_default_checks_and_allows_common_recommendations() -> None:
    assert MAX_MILLISECONDS / hash_costs.argon2_milliseconds(47104, 1, 1) == pytest.approx(20, abs=1)
    assert hash_costs.bcrypt_milliseconds(14) < MAX_MILLISECONDS
    assert hash_costs.pbkdf2_milliseconds("sha256", 1_500_000, 32) < MAX_MILLISECONDS  # Django 6.1
    assert hash_costs.pbkdf2_milliseconds("sha512", 4_000_000, 64) > 2 * MAX_MILLISECONDS


def test_pbkdf2_output_longer_than_the_digest_multiplies_the_cost() -> None:
    assert hash_costs.pbkdf2_milliseconds("sha1", 1000, 64) == 4 * hash_costs.pbkdf2_milliseconds("sha1", 1000, 20)


@pytest.mark.requirement("O16")
def test_each_kind_of_hash_is_tried_once_and_refused_if_too_slow() -> None:
    times = iter([0.0, 0.1, 10.0, 10.0 + MAX_SECONDS + 0.1])
    trial = HashTrial(timer=lambda: next(times))
    cheap = [parse_imported_hash(f"$2y${cost}$abcdefghijklmnopqrstuu{'a' * 30}.") for cost in ("04", "04", "05")]

    trial.run(cheap[0])
    trial.run(cheap[1])
    for _ in range(2):
        with pytest.raises(PasswordHashRefusedError, match=r"took 3\.1 s: at most 3 s"):
            trial.run(cheap[2])


@pytest.mark.requirement("O16")
def test_kind_of_hash_that_fails_its_trial_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> bytes:
        raise ValueError("memory limit exceeded")

    monkeypatch.setattr(hashlib, "scrypt", fail)

    with pytest.raises(PasswordHashRefusedError, match=r"trial check .* failed: ValueError"):
        HashTrial().run(parse_imported_hash(HASHES["Ory's scrypt"][0]))
