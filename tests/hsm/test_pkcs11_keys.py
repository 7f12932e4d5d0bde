"""Private keys on a PKCS#11 token: generated, used and destroyed there, and never exported."""

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import jwt
import pkcs11
import pytest
from pkcs11 import Attribute, ObjectClass

from jeton.crypto.algorithms import ALGORITHMS
from jeton.crypto.key_stores import KeyStoreError
from jeton.crypto.pkcs11_keys import Pkcs11Keys
from jeton.crypto.pkcs11_token import LoggedIn, Pkcs11Token
from jeton.crypto.signed_jwt import Signer
from support.softhsm import LABEL, PIN, SoftHsm

each_algorithm = pytest.mark.parametrize("algorithm", ALGORITHMS)
SECRET_PARTS = (
    *(Attribute.PRIVATE_EXPONENT, Attribute.PRIME_1, Attribute.PRIME_2, Attribute.EXPONENT_1, Attribute.EXPONENT_2),
    *(Attribute.COEFFICIENT, Attribute.VALUE),
)


@pytest.fixture
def token(hsm: SoftHsm) -> Pkcs11Token:
    return Pkcs11Token(hsm.module, LABEL, PIN)


@pytest.fixture
def keys(token: Pkcs11Token) -> Pkcs11Keys:
    return Pkcs11Keys(token)


def verified(signed: str, public_jwk: str) -> Any:
    algorithm = json.loads(public_jwk)["alg"]
    return jwt.decode(signed, jwt.PyJWK.from_json(public_jwk), algorithms=[algorithm])


@pytest.mark.parametrize(
    ("algorithm", "bits", "stored_bits"),
    [("RS256", 3072, 3072), ("ES256", 2048, None), ("EdDSA", None, None)],
)
def test_another_library_verifies_what_a_key_on_the_token_signs(
    keys: Pkcs11Keys, algorithm: str, bits: int | None, stored_bits: int | None
) -> None:
    stored = keys.create(algorithm, bits)

    signed = Signer(keys.open(stored)).sign({"sub": "u_1"})

    assert verified(signed, stored.public_jwk) == {"sub": "u_1"}
    assert jwt.get_unverified_header(signed) == {"typ": "at+jwt", "alg": algorithm, "kid": stored.kid}
    assert stored.key_type.rsa_bits == stored_bits


@each_algorithm
def test_the_private_part_never_leaves_the_token(token: Pkcs11Token, keys: Pkcs11Keys, algorithm: str) -> None:
    stored = keys.create(algorithm, 2048)

    def check(logged_in: LoggedIn) -> None:
        key = logged_in.session.get_key(ObjectClass.PRIVATE_KEY, label=f"jeton {stored.kid}")
        flags = (Attribute.TOKEN, Attribute.PRIVATE, Attribute.SENSITIVE, Attribute.ALWAYS_SENSITIVE)
        assert [key[it] for it in (*flags, Attribute.NEVER_EXTRACTABLE)] == [True] * 5
        assert key[Attribute.EXTRACTABLE] is False
        for part in SECRET_PARTS:
            with pytest.raises((pkcs11.AttributeSensitive, pkcs11.AttributeTypeInvalid)):
                key[part]

    token.use(check)


def test_only_the_private_key_is_kept_on_the_token_under_a_name_of_its_own(
    hsm: SoftHsm, token: Pkcs11Token, keys: Pkcs11Keys
) -> None:
    made = {keys.create("ES256", None).kid for _ in range(3)}

    labels = token.use(lambda it: [key[Attribute.LABEL] for key in it.session.get_objects()])

    assert sorted(labels) == sorted(f"jeton {kid}" for kid in made)
    assert hsm.objects() == 3


def test_servers_on_one_token_use_each_other_s_keys(hsm: SoftHsm, keys: Pkcs11Keys) -> None:
    stored = keys.create("EdDSA", None)
    signature = keys.open(stored).sign(b"input")

    other = Pkcs11Keys(Pkcs11Token(hsm.module, LABEL, PIN))
    made_later = other.create("ES256", None)

    assert other.open(stored).sign(b"input") == signature
    assert keys.open(made_later).kid == made_later.kid


@each_algorithm
def test_threads_that_sign_at_once_each_get_their_own_signature(keys: Pkcs11Keys, algorithm: str) -> None:
    stored = keys.create(algorithm, 2048)
    signer = Signer(keys.open(stored))

    with ThreadPoolExecutor(8) as threads:
        signed = list(threads.map(lambda number: signer.sign({"number": number}), range(64)))

    assert [verified(it, stored.public_jwk)["number"] for it in signed] == list(range(64))


def test_a_lost_session_is_reopened_and_a_token_that_was_unavailable_signs_again(
    hsm: SoftHsm, keys: Pkcs11Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jeton.crypto.pkcs11_token._PAUSE_SECONDS", 0)
    key = keys.open(keys.create("EdDSA", None))
    signature = key.sign(b"input")

    pkcs11.lib(hsm.module).reinitialize()
    assert key.sign(b"input") == signature

    with hsm.unavailable():
        pkcs11.lib(hsm.module).reinitialize()
        with pytest.raises(KeyStoreError, match="no PKCS#11 token has the label 'jeton'"):
            key.sign(b"input")
    assert key.sign(b"input") == signature


def test_an_unavailable_token_is_not_asked_again_at_once(
    hsm: SoftHsm, keys: Pkcs11Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jeton.crypto.pkcs11_token._PAUSE_SECONDS", 3600)
    key = keys.open(keys.create("ES256", None))
    with hsm.unavailable():
        pkcs11.lib(hsm.module).reinitialize()
        with pytest.raises(KeyStoreError):
            key.sign(b"input")

    with pytest.raises(KeyStoreError):
        key.sign(b"input")


def test_a_wrong_pin_is_given_once_and_never_again_and_not_shown(
    hsm: SoftHsm, keys: Pkcs11Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = keys.create("ES256", None)
    monkeypatch.setattr("jeton.crypto.pkcs11_token._PAUSE_SECONDS", 0)
    token = Pkcs11Token(hsm.module, LABEL, "a wrong pin")
    wrong = Pkcs11Keys(token)
    with pytest.raises(
        KeyStoreError, match=r"refused the PIN \(PinIncorrect\).*correct pkcs11.pin and restart"
    ) as first:
        wrong.open(stored)

    with hsm.unavailable(), pytest.raises(KeyStoreError, match="refused the PIN"):
        wrong.open(stored)

    assert "a wrong pin" not in f"{first.value} {token!r} {first.value.__cause__!r}"


@pytest.mark.parametrize(
    ("module", "label", "algorithm", "says"),
    [
        (None, "another", "ES256", "no PKCS#11 token has the label 'another'"),
        ("/nowhere.so", LABEL, "ES256", "module /nowhere.so"),
        (None, LABEL, "HS256", r"see keys\.algorithm"),
    ],
    ids=["token", "module", "algorithm"],
)
def test_an_error_says_what_is_missing(hsm: SoftHsm, module: str | None, label: str, algorithm: str, says: str) -> None:
    keys = Pkcs11Keys(Pkcs11Token(module or hsm.module, label, PIN))

    with pytest.raises(KeyStoreError, match=says):
        keys.create(algorithm, None)


def test_a_destroyed_key_is_missing_may_be_destroyed_again_and_others_sign_on(hsm: SoftHsm, keys: Pkcs11Keys) -> None:
    key = keys.open(keys.create("ES256", None))
    gone = keys.create("EdDSA", None)
    for _ in range(2):
        keys.destroy(gone)

    with pytest.raises(KeyStoreError, match="does not contain that key: restore it, or revoke the key"):
        keys.open(gone)

    assert hsm.objects() == 1
    assert len(key.sign(b"input")) == 64


def test_another_key_in_the_place_of_the_published_one_is_refused(token: Pkcs11Token, keys: Pkcs11Keys) -> None:
    published, other = keys.create("ES256", None), keys.create("ES256", None)

    def exchange(logged_in: LoggedIn) -> None:
        key = logged_in.session.get_key(label=f"jeton {published.kid}")
        identity = key[Attribute.ID]
        key.destroy()
        logged_in.session.get_key(label=f"jeton {other.kid}")[Attribute.ID] = identity

    token.use(exchange)

    with pytest.raises(KeyStoreError, match="has another private key under the id"):
        keys.open(published)
