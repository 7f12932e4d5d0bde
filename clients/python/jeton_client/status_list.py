"""Status lists of revoked tokens: IETF Token Status List (draft-ietf-oauth-status-list-21), as JWT."""

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
    """Packed statuses of `bits` bits each; index 0 is in the least significant bits of the first byte (section 4.1)."""

    bits: int
    statuses: bytes = field(repr=False)

    def status(self, idx: int) -> int:
        """Return the status. Raise IndexError if the list has no such index."""
        octet, place = divmod(idx * self.bits, 8)
        return (self.statuses[octet] >> place) & ((1 << self.bits) - 1)


def decode_status_list(members: object) -> StatusList:
    """Decode the claim `status_list` (section 4.2). Raise ValueError if malformed, or above 16 MiB decompressed."""
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
    """The content of a verified Status List Token; `ttl` and `good_for` are in seconds."""

    status_list: StatusList = field(repr=False)
    issued_at: float
    ttl: float | None
    good_for: float


@dataclass(frozen=True, slots=True)
class CachedList:
    """A list, as last fetched."""

    uri: str
    status_list: StatusList | None = field(default=None, repr=False)
    issued_at: float = 0.0
    ttl: float | None = None
    ends_at: float = float("inf")
    freshness: Freshness = Freshness()

    def ask(self, now: float) -> Ask:
        """Return whether to fetch the list. If it is stale, every caller waits for one fetch, so that ends are noticed.

        While the server is unavailable, one caller tries from time to time, and the others do not wait.
        """
        if now < self.freshness.fresh_until or not self.freshness.may_ask(now, RETRY_SECONDS):
            return Ask.NO
        return Ask.BACKGROUND if self.freshness.is_away and self.status_list is not None else Ask.BLOCKING

    def is_usable(self, now: float, max_stale_seconds: float) -> bool:
        """Return whether the list can be used: fresh, or stale for at most `max_stale_seconds`."""
        return self.status_list is not None and now < min(self.freshness.fresh_until + max_stale_seconds, self.ends_at)

    def request(self) -> Request:
        return Request("GET", self.uri, {"accept": "application/statuslist+jwt", **conditional(self.freshness.etag)})

    def answered(
        self, answer: Answer | None, rules: Rules, keys: KeySet, now: float, time_of_day: float
    ) -> "CachedList":
        """Return the state after the response to a request at `now`; an unusable one only delays the next request."""
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
        # A cached list from the future was signed by a clock that was ahead: any other list is newer.
        is_ahead = self.issued_at > time_of_day + rules.skew_seconds
        if self.status_list is not None and published.issued_at < self.issued_at and not is_ahead:
            # The list is unchanged or older (another node can be behind), but the server responds.
            return replace(self, freshness=replace(freshness, etag=None))
        ends_at = now + published.good_for
        return CachedList(self.uri, published.status_list, published.issued_at, published.ttl, ends_at, freshness)

    def _fresh(self, ttl: float | None, answer: Answer, now: float) -> Freshness:
        """Return the freshness. `ttl` starts at the server (section 5.1): time spent in caches is subtracted."""
        seconds = fresh_seconds(answer.headers)
        if ttl is not None:
            seconds = max(min(ttl, MAX_SECONDS) - age_seconds(answer.headers), RETRY_SECONDS)
        return self.freshness.fetched(now, seconds, answer.headers.get("etag", self.freshness.etag))


def may_follow(reference: StatusReference, issuer: str) -> bool:
    """Return whether to fetch from this URL: only from the host of the token's issuer."""
    try:
        return origin_of(reference.uri) == origin_of(issuer)
    except UntrustedServerError:
        return False


def read_status_list_token(answer: Answer, rules: Rules) -> UnverifiedJwt:
    """Parse the token. Raise InvalidTokenError if it is malformed (see `read_jwt`)."""
    text = answer.body.decode("ascii", "replace").strip()
    return read_jwt(text, [TYPE], rules.algorithms, MAX_CHARACTERS)


def judge_status_list_token(
    unverified: UnverifiedJwt, uri: str, rules: Rules, keys: KeySet, now: float
) -> PublishedList:
    """Return the list of a Status List Token (section 8.3). Raise InvalidTokenError if it is not valid."""
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
