"""Which tokens are ended: IETF Token Status List (draft-ietf-oauth-status-list-21), as JWT."""

import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from jeton_client import base64url
from jeton_client.access_token import Rules, StatusReference
from jeton_client.addresses import origin_of
from jeton_client.cached_document import (
    MAX_SECONDS,
    RETRY_SECONDS,
    Ask,
    Freshness,
    age_seconds,
    conditional,
    fresh_seconds,
)
from jeton_client.errors import InvalidTokenError, UntrustedServerError
from jeton_client.key_set import KeySet
from jeton_client.messages import Answer, Request
from jeton_client.signed_jwt import UnverifiedJwt, read_jwt, verified_claims
from jeton_client.strict_json import is_number

TYPE: Final = "statuslist+jwt"
VALID: Final = 0
MAX_CHARACTERS: Final = 8 * 1024 * 1024
MAX_BYTES: Final = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class StatusList:
    """Statuses of `bits` bits each, packed; index 0 in the least significant bits of the first byte (section 4.1)."""

    bits: int
    statuses: bytes = field(repr=False)

    def status(self, idx: int) -> int:
        """IndexError where the list has no such index."""
        octet, place = divmod(idx * self.bits, 8)
        return (self.statuses[octet] >> place) & ((1 << self.bits) - 1)


def decode_status_list(members: object) -> StatusList:
    """From the claim `status_list` (section 4.2); ValueError where it is none, or inflates to more than 16 MiB."""
    if not isinstance(members, Mapping):
        raise ValueError("not a status list")
    bits, lst = members.get("bits"), members.get("lst")
    if isinstance(bits, bool) or bits not in (1, 2, 4, 8) or not isinstance(lst, str):
        raise ValueError("not a status list")
    inflate = zlib.decompressobj()
    try:
        statuses = inflate.decompress(base64url.decode(lst), MAX_BYTES)
    except zlib.error as error:
        raise ValueError(f"not a ZLIB stream: {error}") from None
    if not inflate.eof or inflate.unused_data:
        raise ValueError("not one whole ZLIB stream of at most 16 MiB")
    return StatusList(bits, statuses)


@dataclass(frozen=True, slots=True)
class PublishedList:
    """What a good Status List Token says; `ttl` and `good_for` are in seconds."""

    status_list: StatusList = field(repr=False)
    issued_at: float
    ttl: float | None
    good_for: float


@dataclass(frozen=True, slots=True)
class CachedList:
    """A list as it was last fetched."""

    uri: str
    status_list: StatusList | None = field(default=None, repr=False)
    issued_at: float = 0.0
    ttl: float | None = None
    ends_at: float = float("inf")
    freshness: Freshness = Freshness()

    def ask(self, now: float) -> Ask:
        """Once it is stale nobody goes on without asking, so that an end is noticed in time; one asks for all.

        While the server is away one asks now and then, and the others are not held up.
        """
        if now < self.freshness.fresh_until or not self.freshness.may_ask(now, RETRY_SECONDS):
            return Ask.NO
        return Ask.BACKGROUND if self.freshness.is_away and self.status_list is not None else Ask.BLOCKING

    def is_usable(self, now: float, max_stale_seconds: float) -> bool:
        """Whether it may still be believed: fresh, or the server has been away for not too long."""
        return self.status_list is not None and now < min(self.freshness.fresh_until + max_stale_seconds, self.ends_at)

    def request(self) -> Request:
        return Request("GET", self.uri, {"accept": "application/statuslist+jwt", **conditional(self.freshness.etag)})

    def answered(
        self, answer: Answer | None, rules: Rules, keys: KeySet, now: float, time_of_day: float
    ) -> "CachedList":
        """After an answer that was asked for at `now`. What is no good list changes nothing but when to ask again."""
        if answer is not None and answer.status == 304 and self.status_list is not None:
            return replace(self, freshness=self._fresh(self.ttl, answer, now))
        if answer is None or answer.status != 200:
            return replace(self, freshness=self.freshness.asked(now))
        try:
            unverified = read_status_list_token(answer, rules)
            published = judge_status_list_token(unverified, self.uri, rules, keys, time_of_day)
        except InvalidTokenError:
            return replace(self, freshness=self.freshness.asked(now))
        freshness = self._fresh(published.ttl, answer, now)
        # A list at hand of a time to come was signed by a clock that was ahead: any other one is newer.
        is_ahead = self.issued_at > time_of_day + rules.skew_seconds
        if self.status_list is not None and published.issued_at < self.issued_at and not is_ahead:
            # It is no news, but the server is there; it may be one look behind another one.
            return replace(self, freshness=replace(freshness, etag=None))
        ends_at = now + published.good_for
        return CachedList(self.uri, published.status_list, published.issued_at, published.ttl, ends_at, freshness)

    def _fresh(self, ttl: float | None, answer: Answer, now: float) -> Freshness:
        """`ttl` counts from the server on (section 5.1), so time spent in caches counts too."""
        seconds = fresh_seconds(answer.headers)
        if ttl is not None:
            seconds = max(min(ttl, MAX_SECONDS) - age_seconds(answer.headers), RETRY_SECONDS)
        return self.freshness.fetched(now, seconds, answer.headers.get("etag", self.freshness.etag))


def may_follow(reference: StatusReference, issuer: str) -> bool:
    """Whether to fetch from there: no token leads us anywhere but to its own issuer's host."""
    try:
        return origin_of(reference.uri) == origin_of(issuer)
    except UntrustedServerError:
        return False


def read_status_list_token(answer: Answer, rules: Rules) -> UnverifiedJwt:
    """InvalidTokenError where it is not even well formed (see `read_jwt`)."""
    text = answer.body.decode("ascii", "replace").strip()
    return read_jwt(text, TYPE, rules.algorithms, MAX_CHARACTERS)


def judge_status_list_token(
    unverified: UnverifiedJwt, uri: str, rules: Rules, keys: KeySet, now: float
) -> PublishedList:
    """The list of a good Status List Token (section 8.3); InvalidTokenError for any other."""
    claims = verified_claims(unverified, keys)
    if claims.get("iss", rules.issuer) != rules.issuer:
        raise InvalidTokenError("iss")
    if claims.get("sub") != uri:
        raise InvalidTokenError("sub")
    ttl = claims.get("ttl")
    if not is_number(claims.get("iat")) or not (ttl is None or (is_number(ttl) and ttl > 0)):
        raise InvalidTokenError("claims")
    if "exp" in claims and not (is_number(claims["exp"]) and now < claims["exp"]):
        raise InvalidTokenError("exp")
    try:
        status_list = decode_status_list(claims.get("status_list"))
    except ValueError:
        raise InvalidTokenError("claims") from None
    return PublishedList(status_list, claims["iat"], ttl, claims.get("exp", float("inf")) - now)
