"""Token Status List (draft-ietf-oauth-status-list): entries, their duration, and the encoding."""

import zlib
from base64 import urlsafe_b64decode
from dataclasses import replace

import pytest

from jeton.oauth.clients import Client
from jeton.oauth.sessions import Family
from jeton.oauth.token_status_list import (
    STATUSES_PER_LIST,
    RevokedStatus,
    encode_status_list,
    revoked_client_status,
    revoked_session_status,
    status_claim,
    status_list_claims,
)

NOW = 1_000_000
ISSUER = "https://id.example"
ENDED = Family(
    sid="session",
    client_id="web",
    sub="u_1",
    scope=frozenset(),
    audience=(),
    auth_time=NOW,
    amr=(),
    created_at=NOW,
    rotated_at=NOW,
    idle_expires_at=NOW + 9000,
    absolute_expires_at=NOW + 9000,
    master_key_id="0" * 8,
    secret=b"",
    access_expires_at=NOW + 600,
    revoked_at=NOW,
    status_index=7,
)


def unpacked(lst: str) -> bytes:
    assert "=" not in lst
    return zlib.decompress(urlsafe_b64decode(lst + "=" * (-len(lst) % 4)))


@pytest.mark.requirement("Q02")
def test_bits_are_ordered_as_in_the_example_of_the_draft() -> None:
    """Section 4.1: the statuses 1 0 0 1 1 1 0 1, 1 1 0 0 0 1 0 1 are the octets b9 a3, which `eNrbuRgAAhcBXQ` is."""
    bits = unpacked(encode_status_list([0, 3, 4, 5, 7, 8, 9, 13, 15]))

    assert unpacked("eNrbuRgAAhcBXQ") == b"\xb9\xa3"
    assert bits[:2] == b"\xb9\xa3"
    assert not any(bits[2:])


@pytest.mark.requirement("Q02")
@pytest.mark.parametrize("places", [[], [0], [STATUSES_PER_LIST - 1], range(0, STATUSES_PER_LIST, 3)])
def test_every_list_has_the_same_length(places: list[int]) -> None:
    bits = unpacked(encode_status_list(places))

    assert len(bits) * 8 == STATUSES_PER_LIST
    assert sum(octet.bit_count() for octet in bits) == len(places)


@pytest.mark.requirement("Q01")
@pytest.mark.parametrize(
    ("index", "number", "place"),
    [(0, 0, 0), (2**20 - 1, 0, 2**20 - 1), (2**20, 1, 0), (5 * 2**20 + 3, 5, 3)],
)
def test_status_index_is_global(index: int, number: int, place: int) -> None:
    assert status_claim(ISSUER, index) == {"status_list": {"idx": place, "uri": f"{ISSUER}/oauth/status/{number}"}}


@pytest.mark.requirement("Q01")
def test_trailing_slash_of_the_issuer_is_not_doubled() -> None:
    assert status_claim(ISSUER + "/", 0)["status_list"]["uri"] == f"{ISSUER}/oauth/status/0"


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
@pytest.mark.parametrize(
    ("family", "expected"),
    [
        (ENDED, RevokedStatus(7, NOW + 660)),
        (replace(ENDED, access_expires_at=NOW - 59), RevokedStatus(7, NOW + 1)),
        (replace(ENDED, access_expires_at=NOW - 60), None),
        (replace(ENDED, status_index=None), None),
    ],
    ids=["until its last token and clock skew are over", "still within clock skew", "past", "has no place"],
)
def test_revoked_session_is_listed_until_its_access_tokens_expire(
    family: Family, expected: RevokedStatus | None
) -> None:
    assert revoked_session_status(family) == expected


@pytest.mark.requirement("Q04")
def test_disabled_client_is_listed_for_the_longest_lifetime() -> None:
    client = Client("nightly", public=False, created_at=0, status_index=3)

    assert revoked_client_status(client, NOW, 86400) == RevokedStatus(3, NOW + 86460)
    assert revoked_client_status(replace(client, status_index=None), NOW, 86400) is None
