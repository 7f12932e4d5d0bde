"""The law of status lists (draft-ietf-oauth-status-list-21): which access tokens ended before their time (ADR 0009).

A *status index* counts through all lists: list `index // 2**20`, place `index % 2**20` in it.
"""

import zlib
from base64 import urlsafe_b64encode
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from jeton.oauth.clients import Client
from jeton.oauth.metadata import STATUS_LISTS_PATH
from jeton.oauth.sessions import Family
from jeton.rules.key_lifecycle import CLOCK_SKEW_SECONDS

STATUSES_PER_LIST: Final = 2**20
LIST_SECONDS: Final = 300


@dataclass(frozen=True, slots=True)
class RevokedStatus:
    """A status index that is INVALID, until no token that has it can be accepted anywhere."""

    status_index: int
    expires_at: int


def revoked_session_status(family: Family) -> RevokedStatus | None:
    """What is to be listed of a revoked family; None where no token of it could still be accepted."""
    assert family.revoked_at is not None
    until = family.access_expires_at + CLOCK_SKEW_SECONDS
    if family.status_index is None or until <= family.revoked_at:
        return None
    return RevokedStatus(family.status_index, until)


def revoked_client_status(client: Client, now: int, longest_access_seconds: int) -> RevokedStatus | None:
    """What is to be listed of a client that is refused from now on: the tokens in its own name."""
    if client.status_index is None:
        return None
    return RevokedStatus(client.status_index, now + longest_access_seconds + CLOCK_SKEW_SECONDS)


def status_claim(issuer: str, status_index: int) -> dict[str, Any]:
    """The `status` claim of an access token (section 6.2)."""
    number, place = divmod(status_index, STATUSES_PER_LIST)
    return {"status_list": {"idx": place, "uri": status_list_uri(issuer, number)}}


def status_list_uri(issuer: str, number: int) -> str:
    return f"{issuer.rstrip('/')}{STATUS_LISTS_PATH}/{number}"


def encode_status_list(places: Iterable[int]) -> str:
    """`lst`: one bit for each place, those given INVALID; compressed, in base64url (sections 4.1 and 4.2)."""
    bits = bytearray(STATUSES_PER_LIST // 8)
    for place in places:
        bits[place >> 3] |= 1 << (place & 7)
    # Not the level 9 that the draft recommends: a list that changes is packed at every look, and with 10,000 places
    # that would cost 17 times as much processor time for a tenth of the size.
    return urlsafe_b64encode(zlib.compress(bits, level=6)).rstrip(b"=").decode()


def status_list_claims(issuer: str, number: int, lst: str, *, issued_at: int, ttl_seconds: int) -> dict[str, Any]:
    """The claims of a status list token (section 5.1)."""
    return {
        "iss": issuer,
        "sub": status_list_uri(issuer, number),
        "iat": issued_at,
        "exp": issued_at + LIST_SECONDS,
        "ttl": ttl_seconds,
        "status_list": {"bits": 1, "lst": lst},
    }
