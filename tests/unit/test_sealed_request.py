"""Sealed values: readable only here, for half an hour, under any configured master key."""

import base64
import json
from dataclasses import replace

import pytest

from jeton.crypto.master_key import MasterKeys
from jeton.crypto.sealed_request import (
    _TYPES,
    MAX_SEALED_CHARACTERS,
    FormTokens,
    SealedRequests,
    SealedRequestTooLongError,
)
from jeton.oauth.interactions import Freshness, Interaction, Shown
from support.builders import authorization_request

OLD, NEW = b"o" * 32, b"n" * 32
REQUEST = authorization_request(
    state="the state", code_challenge="x" * 43, nonce="n", prompt=frozenset({"login"}), max_age=60, login_hint="alice"
)
SHOWN = Shown("b", frozenset({"read"}), (), frozenset({"read"}), frozenset(), asks_consent=True)
INTERACTION = Interaction(1000, "digest", REQUEST, Freshness(5, "print"), SHOWN)


@pytest.mark.parametrize("interaction", [INTERACTION, Interaction(1000, None, None)])
def test_sealed_value_opens_to_what_was_sealed(interaction: Interaction) -> None:
    sealed = SealedRequests(MasterKeys([NEW]))
    assert sealed.open(sealed.seal(interaction), 999, Interaction) == interaction


@pytest.mark.requirement("RA23")
def test_sealed_value_tells_nothing_and_is_new_each_time() -> None:
    sealed = SealedRequests(MasterKeys([NEW]))
    first, second = sealed.seal(INTERACTION), sealed.seal(INTERACTION)
    assert first != second
    parts = [base64.urlsafe_b64decode(it + "=" * (-len(it) % 4)) for it in first.split(".")]
    assert not any(b"app" in it or b"state" in it for it in parts)


@pytest.mark.requirement("F08")
def test_sealed_value_is_not_compressed() -> None:
    header = SealedRequests(MasterKeys([NEW])).seal(INTERACTION).split(".")[0]
    members = json.loads(base64.urlsafe_b64decode(header + "=" * (-len(header) % 4)))
    assert members.keys() == {"alg", "enc", "kid", "typ"}


def test_expired_value_does_not_open() -> None:
    sealed = SealedRequests(MasterKeys([NEW]))
    assert sealed.open(sealed.seal(INTERACTION), 1000, Interaction) is None


def test_value_of_an_older_master_key_opens_and_of_an_unknown_one_does_not() -> None:
    value = SealedRequests(MasterKeys([OLD])).seal(INTERACTION)
    assert SealedRequests(MasterKeys([NEW, OLD])).open(value, 0, Interaction) == INTERACTION
    assert SealedRequests(MasterKeys([NEW])).open(value, 0, Interaction) is None


@pytest.mark.requirement("RA23")
def test_changed_value_does_not_open() -> None:
    sealed = SealedRequests(MasterKeys([NEW]))
    value = sealed.seal(INTERACTION)
    for place in range(0, len(value), 7):
        letter = "A" if value[place] != "A" else "B"
        assert sealed.open(value[:place] + letter + value[place + 1 :], 0, Interaction) is None


@pytest.mark.parametrize("text", ["", "a.b.c", "....", "e30..e30.e30.e30", "x" * 10_000, "ä..b.c.d"])
def test_anything_else_does_not_open(text: str) -> None:
    assert SealedRequests(MasterKeys([NEW])).open(text, 0, Interaction) is None


def test_value_of_another_type_does_not_open(monkeypatch: pytest.MonkeyPatch) -> None:
    sealed = SealedRequests(MasterKeys([NEW]))
    with monkeypatch.context() as patch:
        patch.setitem(_TYPES, Interaction, "another type")
        value = sealed.seal(INTERACTION)
    assert sealed.open(value, 0, Interaction) is None


def test_request_that_does_not_fit_is_refused() -> None:
    sealed = SealedRequests(MasterKeys([NEW]))
    with pytest.raises(SealedRequestTooLongError):
        sealed.seal(replace(INTERACTION, request=replace(REQUEST, state="x" * MAX_SEALED_CHARACTERS)))


@pytest.mark.requirement("SE05")
def test_form_token_belongs_to_one_browser_session() -> None:
    tokens = FormTokens(MasterKeys([NEW, OLD]))
    token = tokens.derive(b"one")
    assert tokens.is_genuine(token, b"one")
    assert FormTokens(MasterKeys([OLD])).is_genuine(token, b"one")
    assert not tokens.is_genuine(token, b"two")
    assert not tokens.is_genuine("ä" + token, b"one")
