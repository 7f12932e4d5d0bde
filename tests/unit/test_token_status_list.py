"""Token Status List (draft-ietf-oauth-status-list): entries, their duration, and the encoding."""

import zlib
from base64 import urlsafe_b64decode
from typing import Any

import pytest

from jeton.oauth.token_status_list import (
    STATUSES_PER_LIST,
    RevokedStatus,
    encode_status_list,
    revoked_client_status,
    revoked_session_status,
    status_claim,
    status_list_claims,
)
from support.builders import NOW, client, family

ISSUER = "https://id.example"


def unpacked(lst: str) -> bytes:
    assert "=" not in lst
    return zlib.decompress(urlsafe_b64decode(lst + "=" * (-len(lst) % 4)))


@pytest.mark.requirement("Q02")
def test_bits_are_ordered_as_in_the_example_of_the_draft() -> None:
    """Section 4.1: the statuses 1 0 0 1 1 1 0 1, 1 1 0 0 0 1 0 1 are the octets b9 a3, which `eNrbuRgAAhcBXQ` is."""
    bits = unpacked(encode_status_list([0, 3, 4, 5, 7, 8, 9, 13, 15]))

    assert bits[:2] == unpacked("eNrbuRgAAhcBXQ") == b"\xb9\xa3"
    assert not any(bits[2:])


@pytest.mark.requirement("Q02")
def test_every_list_has_the_same_length() -> None:
    for positions in ([], [0], [2**20 - 1], range(0, 2**20, 3)):
        bits = unpacked(encode_status_list(positions))
        assert len(bits) * 8 == STATUSES_PER_LIST == 2**20
        assert int.from_bytes(bits).bit_count() == len(positions)


@pytest.mark.requirement("Q01")
def test_status_index_is_global() -> None:
    indexes = {0: (0, 0), 2**20 - 1: (0, 2**20 - 1), 2**20: (1, 0), 5 * 2**20 + 3: (5, 3)}
    for index, (number, position) in indexes.items():
        claim = {"status_list": {"idx": position, "uri": f"{ISSUER}/oauth/status/{number}"}}
        assert status_claim(ISSUER, index) == status_claim(ISSUER + "/", index) == claim


@pytest.mark.requirement("Q03")
def test_list_token_states_issuer_and_expiry() -> None:
    assert status_list_claims(ISSUER, 4, "lst", issued_at=NOW, ttl_seconds=2) == {
        "iss": ISSUER,
        "sub": f"{ISSUER}/oauth/status/4",
        "iat": NOW,
        "exp": NOW + 300,
        "ttl": 2,
        "status_list": {"bits": 1, "lst": "lst"},
    }


@pytest.mark.requirement("Q04")
def test_revoked_session_is_listed_until_its_last_access_token_and_clock_skew_are_over() -> None:
    revoked = family(access_expires_at=NOW + 600, revoked_at=NOW, status_index=7)
    not_listed: list[dict[str, Any]] = [{"access_expires_at": NOW - 60}, {"status_index": None}, {"revoked_at": None}]

    assert revoked_session_status(revoked) == RevokedStatus(7, NOW + 660)
    assert revoked_session_status(revoked._replace(access_expires_at=NOW - 59)) == RevokedStatus(7, NOW + 1)
    assert [revoked_session_status(revoked._replace(**it)) for it in not_listed] == [None] * 3


@pytest.mark.requirement("Q04")
def test_disabled_client_is_listed_for_the_longest_lifetime() -> None:
    assert revoked_client_status(client(status_index=3), NOW, 86400) == RevokedStatus(3, NOW + 86460)
    assert revoked_client_status(client(), NOW, 86400) is None
