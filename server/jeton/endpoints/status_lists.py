"""GET /oauth/status/{list} and /oauth/status: which access tokens ended early (draft-ietf-oauth-status-list section 8).

The lists are in memory, as of the upkeep's last look. One is signed when it is asked for and the signed one is
outdated: nothing is done for lists that nobody wants, and for those that all want one signature per look at most.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from jeton.keys.keyring import Keyring
from jeton.oauth.token_status_list import (
    LIST_SECONDS,
    STATUSES_PER_LIST,
    encode_status_list,
    status_list_claims,
    status_list_uri,
)

_TYPE: Final = "statuslist+jwt"
_NOBODY: Final[frozenset[int]] = frozenset()
_MAX_DIGITS: Final = 12


@dataclass(frozen=True, slots=True)
class SignedList:
    """A status list token, ready to send, and what it was made of."""

    token: bytes
    etag: str
    lst: str
    kid: str
    issued_at: int


@dataclass(frozen=True, slots=True)
class _Look:
    """What one look has found: the places that are INVALID by list, those packed, and the newest list there is."""

    places: Mapping[int, frozenset[int]] = field(default_factory=dict)
    packed: Mapping[int, str] = field(default_factory=dict)
    newest: int = -1
    at: int = 0


class StatusLists:
    """Every list of this issuer. Signed ones are good for `ttl_seconds` in caches."""

    def __init__(self, issuer: str, ttl_seconds: int, keyring: Keyring) -> None:
        self._issuer = issuer
        self._keyring = keyring
        self._empty = encode_status_list(())
        self._look = _Look()
        self._signed: dict[int, SignedList] = {}
        self.ttl_seconds = ttl_seconds

    def follow(self, invalid_indexes: Iterable[int], next_index: int, now: int) -> None:
        """Takes over what is INVALID now; a list is packed where it has changed.

        The list after the newest is there already: its first token may be shown to us before our next look.
        """
        before, found = self._look, defaultdict[int, set[int]](set)
        for index in invalid_indexes:
            found[index // STATUSES_PER_LIST].add(index % STATUSES_PER_LIST)
        places = {number: frozenset(it) for number, it in found.items()}
        packed = {
            number: before.packed[number] if it == before.places.get(number, _NOBODY) else encode_status_list(it)
            for number, it in places.items()
        }
        self._look = _Look(places, packed, next_index // STATUSES_PER_LIST + 1, now)

    async def signed(self, number: str) -> SignedList | None:
        """The list of that number; None where there is none."""
        look = self._look
        # One address for each list: no other spelling of its number.
        if not (number.isascii() and number.isdecimal() and len(number) <= _MAX_DIGITS and str(int(number)) == number):
            return None
        return await self._signed_list(look, int(number)) if int(number) <= look.newest else None

    def aggregation(self) -> dict[str, Any]:
        """The addresses of all lists (section 9)."""
        return {"status_lists": [status_list_uri(self._issuer, it) for it in range(self._look.newest + 1)]}

    async def _signed_list(self, look: _Look, number: int) -> SignedList:
        lst, signer = look.packed.get(number, self._empty), self._keyring.signer
        known = self._signed.get(number)
        # Also signed again if it is of a time to come: the clock was ahead, and has been put back.
        is_recent = known is not None and 0 <= look.at - known.issued_at < LIST_SECONDS // 2
        if known and is_recent and known.lst == lst and known.kid == signer.kid:
            return known
        # As of the look: a server that cannot hear its database must not make an old list look fresh.
        claims = status_list_claims(self._issuer, number, lst, issued_at=look.at, ttl_seconds=self.ttl_seconds)
        token = (await self._keyring.sign(signer, claims, _TYPE)).encode()
        etag = f'"{hashlib.sha256(token).hexdigest()[:32]}"'
        new = self._signed[number] = SignedList(token, etag, lst, signer.kid, look.at)
        return new
