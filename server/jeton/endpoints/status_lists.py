"""Token status lists: GET /oauth/status/{list} and /oauth/status (draft-ietf-oauth-status-list section 8).

The lists are in memory, as of the last update by maintenance. A list is signed on request, if its last token is
outdated: unused lists cost nothing, and popular ones at most one signature per update.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, Final

from jeton.frozen import Frozen, field
from jeton.keys.keyring import Keyring
from jeton.oauth.token_status_list import (
    LIST_SECONDS,
    STATUSES_PER_LIST,
    encode_status_list,
    status_list_claims,
    status_list_uri,
)

_TYPE: Final = "statuslist+jwt"
_NO_INDEXES: Final[frozenset[int]] = frozenset()
_MAX_DIGITS: Final = 12


class SignedList(Frozen):
    """A status list token, ready to send, and what it was built from."""

    token: bytes
    etag: str
    lst: str
    kid: str
    issued_at: int


class _Snapshot(Frozen):
    """The state of one update: the INVALID indexes by list, packed lists, and the number of the newest list."""

    indexes: Mapping[int, frozenset[int]] = field(default_factory=dict)
    packed: Mapping[int, str] = field(default_factory=dict)
    newest: int = -1
    taken_at: int = 0


class StatusLists:
    """The status lists of this issuer. Caches may keep a signed one for `ttl_seconds`."""

    def __init__(self, issuer: str, ttl_seconds: int, keyring: Keyring) -> None:
        self._issuer = issuer
        self._keyring = keyring
        self._empty = encode_status_list(())
        self._snapshot = _Snapshot()
        self._signed: dict[int, SignedList] = {}
        self.ttl_seconds = ttl_seconds

    def update(self, invalid_indexes: Iterable[int], next_index: int, now: int) -> None:
        """Replace the state by the indexes that are INVALID now. Only lists that changed are packed.

        The list after the newest exists already: its first token may be presented here before the next update.
        """
        before, found = self._snapshot, defaultdict[int, set[int]](set)
        for index in invalid_indexes:
            found[index // STATUSES_PER_LIST].add(index % STATUSES_PER_LIST)
        indexes = {number: frozenset(it) for number, it in found.items()}
        packed = {
            number: before.packed[number] if it == before.indexes.get(number, _NO_INDEXES) else encode_status_list(it)
            for number, it in indexes.items()
        }
        self._snapshot = _Snapshot(indexes, packed, next_index // STATUSES_PER_LIST + 1, now)

    async def signed(self, number: str) -> SignedList | None:
        """Return the list of that number, or None if there is none."""
        snapshot = self._snapshot
        # One address for each list: no other spelling of its number is accepted.
        if not (number.isascii() and number.isdecimal() and len(number) <= _MAX_DIGITS and str(int(number)) == number):
            return None
        return await self._signed_list(snapshot, int(number)) if int(number) <= snapshot.newest else None

    def aggregation(self) -> dict[str, Any]:
        """Return the addresses of all lists (section 9)."""
        return {"status_lists": [status_list_uri(self._issuer, it) for it in range(self._snapshot.newest + 1)]}

    async def _signed_list(self, snapshot: _Snapshot, number: int) -> SignedList:
        lst, signer = snapshot.packed.get(number, self._empty), self._keyring.signer
        known = self._signed.get(number)
        # A token from the future is signed again: the clock was ahead, and has been put back.
        is_recent = known is not None and 0 <= snapshot.taken_at - known.issued_at < LIST_SECONDS // 2
        if known and is_recent and known.lst == lst and known.kid == signer.kid:
            return known
        # The time of the snapshot: a server without its database must not make an old list look fresh.
        claims = status_list_claims(
            self._issuer, number, lst, issued_at=snapshot.taken_at, ttl_seconds=self.ttl_seconds
        )
        token = (await self._keyring.sign(signer, claims, _TYPE)).encode()
        etag = f'"{hashlib.sha256(token).hexdigest()[:32]}"'
        new = self._signed[number] = SignedList(token, etag, lst, signer.kid, snapshot.taken_at)
        return new
