"""Sealed values: readable only by this server, for half an hour, under any configured master key."""

import base64
import json

import pytest

from jeton.crypto.master_key import MasterKeys
from jeton.crypto.sealed_request import (
    _TYPES,
    MAX_SEALED_CHARACTERS,
    FormTokens,
    SealedRequests,
    SealedRequestTooLongError,
)
from jeton.frozen import replace
from jeton.oauth.authorization.interactions import Freshness, Interaction, Shown
from support.builders import authorization_request

OLD, NEW = b"o" * 32, b"n" * 32
REQUEST = authorization_request(
    state="the state", code_challenge="x" * 43, nonce="n", prompt=frozenset({"login"}), max_age=60, login_hint="alice"
)
SHOWN = Shown("b", frozenset({"read"}), (), frozenset({"read"}), frozenset(), asks_consent=True)
INTERACTION = Interaction(1000, "digest", REQUEST, Freshness(5, "print"), SHOWN)


SEALED, OF_OLD_KEY = SealedRequests(MasterKeys([NEW])), SealedRequests(MasterKeys([OLD]))
SECRET = SEALED.seal(INTERACTION)


def decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


@pytest.mark.parametrize("interaction", [INTERACTION, Interaction(1000, None, None)])
def test_sealed_value_opens_to_what_was_sealed_until_it_expires(interaction: Interaction) -> None:
    value = SEALED.seal(interaction)

    assert [SEALED.open(value, it, Interaction) for it in (999, 1000)] == [interaction, None]


@pytest.mark.requirement("F08", "RA23")
def test_sealed_value_reveals_nothing_differs_each_time_and_is_not_compressed() -> None:
    parts = [decoded(it) for it in SECRET.split(".")]

    assert SEALED.seal(INTERACTION) != SECRET
    assert not any(b"app" in it or b"state" in it for it in parts)
    assert json.loads(parts[0]).keys() == {"alg", "enc", "kid", "typ"}
    with pytest.raises(SealedRequestTooLongError):
        SEALED.seal(replace(INTERACTION, request=replace(REQUEST, state="x" * MAX_SEALED_CHARACTERS)))


def test_value_of_an_older_master_key_opens_and_of_an_unknown_one_does_not() -> None:
    value = OF_OLD_KEY.seal(INTERACTION)
    assert SealedRequests(MasterKeys([NEW, OLD])).open(value, 0, Interaction) == INTERACTION
    assert SEALED.open(value, 0, Interaction) is None


@pytest.mark.requirement("RA23")
def test_value_that_is_changed_or_of_another_type_does_not_open(monkeypatch: pytest.MonkeyPatch) -> None:
    for place in range(0, len(SECRET), 7):
        letter = "A" if SECRET[place] != "A" else "B"
        assert SEALED.open(SECRET[:place] + letter + SECRET[place + 1 :], 0, Interaction) is None
    monkeypatch.setitem(_TYPES, Interaction, "another type")
    assert SEALED.open(SECRET, 0, Interaction) is None


@pytest.mark.parametrize("text", ["", "a.b.c", "....", "e30..e30.e30.e30", "x" * 10_000, "ä..b.c.d"])
def test_malformed_sealed_value_does_not_open(text: str) -> None:
    assert SEALED.open(text, 0, Interaction) is None


@pytest.mark.requirement("SE05")
def test_form_token_belongs_to_one_browser_session() -> None:
    tokens = FormTokens(MasterKeys([NEW, OLD]))
    token = tokens.derive(b"one")
    assert tokens.is_genuine(token, b"one")
    assert FormTokens(MasterKeys([OLD])).is_genuine(token, b"one")
    assert not tokens.is_genuine(token, b"two")
    assert not tokens.is_genuine("ä" + token, b"one")
