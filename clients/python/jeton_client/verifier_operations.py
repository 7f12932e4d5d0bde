"""Verification as operations: keys, claims, status. Concurrent callers share each fetch, and results are cached."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Final, Literal

from jeton_client.access_token import AccessToken, Rules, StatusReference
from jeton_client.cached_document import Ask
from jeton_client.errors import ClientError, InvalidTokenError, VerificationUnavailableError
from jeton_client.issuer_keys import IssuerKeys
from jeton_client.key_set import ALGORITHMS, MAX_STALE_SECONDS, KeySet
from jeton_client.messages import Answer
from jeton_client.operations import Operation, Shared
from jeton_client.status_list import (
    VALID,
    CachedList,
    may_follow,
    read_status_list_token,
)
from jeton_client.verified_tokens import VerifiedTokens

_MAX_LISTS: Final = 64


@dataclass(frozen=True, slots=True)
class StatusPolling:
    """How ended sessions are noticed: by the status list that a token names, fetched again after its `ttl`.

    If it cannot be fetched, the last one is used for `max_stale_seconds` more (never past its `exp`). After that,
    its tokens are refused (VerificationUnavailableError), or accepted until they expire.
    """

    max_stale_seconds: float = 60.0
    on_unavailable: Literal["refuse", "accept"] = "refuse"


DEFAULT_STATUS_POLLING: Final = StatusPolling()


class VerifierOperations:
    """Cached keys, lists and tokens of one issuer. `clock` is the time of day; `monotonic` never steps back."""

    def __init__(
        self,
        rules: Rules,
        polling: StatusPolling | None,
        max_cache_entries: int,
        clock: Callable[[], float],
        monotonic: Callable[[], float],
        key_max_stale_seconds: float = MAX_STALE_SECONDS,
    ) -> None:
        if not rules.algorithms or not ALGORITHMS.keys() >= set(rules.algorithms):
            raise ValueError(f"algorithms must be among {', '.join(ALGORITHMS)}")
        self._rules = rules
        self._polling = polling
        self._clock = clock
        self._monotonic = monotonic
        self._keys = IssuerKeys(rules.issuer, monotonic, key_max_stale_seconds)
        self._lists: dict[str, CachedList] = {}
        self._verified = VerifiedTokens(max_cache_entries)

    def cached(self, token: str) -> AccessToken | None:
        """Return the token if it was verified before with keys and status that are fresh, otherwise None."""
        found = self._verified.get(token, self._keys.cached.keys, self._clock())
        if found is None or self._monotonic() >= self._keys.cached.freshness.fresh_until:
            return None
        if found.status is None or self._polling is None:
            return found
        known = self._lists.get(found.status.uri)
        if known is None or self._monotonic() >= known.freshness.fresh_until:
            return None
        return found if _status(known, found.status) == VALID else None

    def verify(self, token: str) -> Operation[AccessToken]:
        """Return the token. Raise InvalidTokenError, or VerificationUnavailableError without keys or status."""
        unverified = self._rules.read(token)
        keys = yield from self._keys.keys_for(unverified.kid)
        now = self._clock()
        verified = self._verified.get(token, keys, now)
        if verified is None:
            verified = self._rules.judge(unverified, keys, now)
            self._verified.add(token, verified, keys)
        if verified.status is not None and self._polling is not None:
            yield from self._check_status(verified.status, self._polling)
        return verified

    def _check_status(self, reference: StatusReference, polling: StatusPolling) -> Operation[None]:
        known = self._lists.get(reference.uri) or self._new_list(reference)
        ask = known.ask(self._monotonic())
        if ask is not Ask.NO:
            yield Shared(f"list {known.uri}", partial(self._fetch_list, known), background=ask is Ask.BACKGROUND)
            known = self._lists.get(reference.uri, known)
        if not known.is_usable(self._monotonic(), polling.max_stale_seconds):
            if polling.on_unavailable == "accept":
                return
            raise VerificationUnavailableError(f"the status list {known.uri} is unavailable")
        status = _status(known, reference)
        if status != VALID:
            raise InvalidTokenError("status" if status is None else "ended")

    def _new_list(self, reference: StatusReference) -> CachedList:
        if not may_follow(reference, self._rules.issuer):
            raise InvalidTokenError("status")
        for oldest in list(self._lists)[: 1 - _MAX_LISTS]:  # a copy, because other threads add lists
            self._lists.pop(oldest, None)
        return self._lists.setdefault(reference.uri, CachedList(reference.uri))

    def _fetch_list(self, known: CachedList) -> Operation[None]:
        now = self._monotonic()
        answer: Answer | None = yield known.request()
        keys: KeySet = {}
        if answer is not None and answer.status == 200:
            with suppress(ClientError):  # the response is judged as a whole below
                keys = yield from self._keys.keys_for(read_status_list_token(answer, self._rules).kid)
        self._lists[known.uri] = known.answered(answer, self._rules, keys, now, self._clock())


def _status(known: CachedList, reference: StatusReference) -> int | None:
    """Return the status, or None if the list is too short."""
    try:
        return None if known.status_list is None else known.status_list.status(reference.idx)
    except IndexError:
        return None
