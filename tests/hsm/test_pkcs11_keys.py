"""Private keys on a PKCS#11 token: made there, signing there, never exported, destroyed there."""

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
    Attribute.PRIVATE_EXPONENT,
    Attribute.PRIME_1,
    Attribute.PRIME_2,
    Attribute.EXPONENT_1,
    Attribute.EXPONENT_2,
    Attribute.COEFFICIENT,
    Attribute.VALUE,
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


@each_algorithm
def test_what_a_key_on_the_token_signs_another_library_verifies(keys: Pkcs11Keys, algorithm: str) -> None:
    stored = keys.create(algorithm, 2048)

    signed = Signer(keys.open(stored)).sign({"sub": "u_1"})

    assert verified(signed, stored.public_jwk) == {"sub": "u_1"}
    assert jwt.get_unverified_header(signed) == {"typ": "at+jwt", "alg": algorithm, "kid": stored.kid}


@pytest.mark.parametrize("bits", [2048, 3072])
def test_an_rsa_key_is_as_long_as_was_asked(keys: Pkcs11Keys, bits: int) -> None:
    assert keys.create("RS256", bits).key_type.rsa_bits == bits


@each_algorithm
def test_the_private_part_never_leaves_the_token(token: Pkcs11Token, keys: Pkcs11Keys, algorithm: str) -> None:
    stored = keys.create(algorithm, 2048)

    def look(logged_in: LoggedIn) -> None:
        key = logged_in.session.get_key(ObjectClass.PRIVATE_KEY, label=f"jeton {stored.kid}")
        flags = (Attribute.TOKEN, Attribute.PRIVATE, Attribute.SENSITIVE, Attribute.ALWAYS_SENSITIVE)
        assert [key[it] for it in (*flags, Attribute.NEVER_EXTRACTABLE)] == [True] * 5
        assert key[Attribute.EXTRACTABLE] is False
        for part in SECRET_PARTS:
            with pytest.raises((pkcs11.AttributeSensitive, pkcs11.AttributeTypeInvalid)):
                key[part]

    token.use(look)


def test_keys_have_a_name_of_their_own_on_the_token(token: Pkcs11Token, keys: Pkcs11Keys) -> None:
    made = {keys.create("ES256", None).kid for _ in range(3)}

    labels = token.use(lambda it: [key[Attribute.LABEL] for key in it.session.get_objects()])

    assert sorted(labels) == sorted(f"jeton {kid}" for kid in made)


def test_only_the_private_key_is_kept_on_the_token(hsm: SoftHsm, keys: Pkcs11Keys) -> None:
    keys.create("ES256", None)

    assert hsm.objects() == 1


def test_another_server_on_the_same_token_signs_with_the_same_key(hsm: SoftHsm, keys: Pkcs11Keys) -> None:
    stored = keys.create("RS256", 2048)

    other = Pkcs11Keys(Pkcs11Token(hsm.module, LABEL, PIN))

    assert other.open(stored).sign(b"input") == keys.open(stored).sign(b"input")


def test_a_key_that_another_server_made_later_is_found(hsm: SoftHsm, keys: Pkcs11Keys) -> None:
    keys.open(keys.create("ES256", None))

    made_elsewhere = Pkcs11Keys(Pkcs11Token(hsm.module, LABEL, PIN)).create("ES256", None)

    assert keys.open(made_elsewhere).kid == made_elsewhere.kid


@each_algorithm
def test_threads_that_sign_at_once_each_get_their_own_signature(keys: Pkcs11Keys, algorithm: str) -> None:
    stored = keys.create(algorithm, 2048)
    signer = Signer(keys.open(stored))

    with ThreadPoolExecutor(8) as threads:
        signed = list(threads.map(lambda number: signer.sign({"number": number}), range(200)))

    assert [verified(it, stored.public_jwk)["number"] for it in signed] == list(range(200))


def test_a_lost_session_is_opened_again_while_nobody_notices(hsm: SoftHsm, keys: Pkcs11Keys) -> None:
    key = keys.open(keys.create("RS256", 2048))
    before = key.sign(b"input")

    pkcs11.lib(hsm.module).reinitialize()

    assert key.sign(b"input") == before


def test_a_token_that_is_away_is_an_error_and_afterwards_the_same_key_signs(
    hsm: SoftHsm, keys: Pkcs11Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = keys.open(keys.create("RS256", 2048))
    before = key.sign(b"input")
    monkeypatch.setattr("jeton.crypto.pkcs11_token._PAUSE_SECONDS", 0)

    with hsm.away():
        pkcs11.lib(hsm.module).reinitialize()
        with pytest.raises(KeyStoreError, match="no PKCS#11 token has the label 'jeton'"):
            key.sign(b"input")

    assert key.sign(b"input") == before


def test_whoever_queues_behind_a_token_that_is_away_does_not_ask_for_it_again(
    hsm: SoftHsm, keys: Pkcs11Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = keys.open(keys.create("ES256", None))
    monkeypatch.setattr("jeton.crypto.pkcs11_token._PAUSE_SECONDS", 3600)
    with hsm.away():
        pkcs11.lib(hsm.module).reinitialize()
        with pytest.raises(KeyStoreError):
            key.sign(b"input")

    with pytest.raises(KeyStoreError):
        key.sign(b"input")


def test_a_wrong_pin_is_given_once_and_never_again(
    hsm: SoftHsm, keys: Pkcs11Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = keys.create("ES256", None)
    monkeypatch.setattr("jeton.crypto.pkcs11_token._PAUSE_SECONDS", 0)
    wrong = Pkcs11Keys(Pkcs11Token(hsm.module, LABEL, "wrong"))
    with pytest.raises(KeyStoreError, match=r"refused the PIN \(PinIncorrect\).*correct pkcs11.pin and restart"):
        wrong.open(stored)

    with hsm.away(), pytest.raises(KeyStoreError, match="refused the PIN"):
        wrong.open(stored)


def test_the_pin_shows_itself_nowhere(hsm: SoftHsm) -> None:
    token = Pkcs11Token(hsm.module, LABEL, "a wrong pin")
    with pytest.raises(KeyStoreError) as refused:
        Pkcs11Keys(token).create("ES256", None)

    assert "a wrong pin" not in f"{refused.value} {token!r} {refused.value.__cause__!r}"


@pytest.mark.parametrize(
    ("module", "label", "says"),
    [(None, "another", "no PKCS#11 token has the label 'another'"), ("/nowhere.so", LABEL, "module /nowhere.so")],
    ids=["token", "module"],
)
def test_an_error_says_what_is_missing(hsm: SoftHsm, module: str | None, label: str, says: str) -> None:
    keys = Pkcs11Keys(Pkcs11Token(module or hsm.module, label, PIN))

    with pytest.raises(KeyStoreError, match=says):
        keys.create("ES256", None)


def test_a_key_that_the_token_does_not_hold_is_an_error_and_others_sign_on(keys: Pkcs11Keys) -> None:
    key = keys.open(keys.create("ES256", None))
    gone = keys.create("ES256", None)
    keys.destroy(gone)

    with pytest.raises(KeyStoreError, match="does not contain that key: restore it, or revoke the key"):
        keys.open(gone)

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


def test_a_destroyed_key_leaves_nothing_behind_and_may_be_destroyed_again(hsm: SoftHsm, keys: Pkcs11Keys) -> None:
    stored = keys.create("RS256", 2048)

    keys.destroy(stored)
    keys.destroy(stored)

    assert hsm.objects() == 0


def test_an_algorithm_that_no_token_signs_with_is_refused(keys: Pkcs11Keys) -> None:
    with pytest.raises(KeyStoreError, match=r"see keys\.algorithm"):
        keys.create("HS256", None)
