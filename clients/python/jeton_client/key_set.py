"""Public keys by `kid` (RFC 7517): which ones can verify, how long they are cached, when to fetch them again."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from joserfc.jwk import ECKey, OKPKey, RSAKey

from jeton_client import base64url
from jeton_client.cached_document import COOL_DOWN_SECONDS, RETRY_SECONDS, Ask, Freshness, conditional, fresh_seconds
from jeton_client.messages import Answer, Request

ALGORITHMS: Final[Mapping[str, str]] = {"RS256": "RSA", "PS256": "RSA", "ES256": "EC", "EdDSA": "OKP", "Ed25519": "OKP"}
MIN_RSA_BITS: Final = 2048
MAX_RSA_BITS: Final = 16384  # the maximum of OpenSSL
MAX_STALE_SECONDS: Final = 3600.0
MAX_KEYS: Final = 100
_MEMBERS: Final = {"RSA": ("kty", "n", "e"), "EC": ("kty", "crv", "x", "y"), "OKP": ("kty", "crv", "x")}
_CURVES: Final = {"EC": "P-256", "OKP": "Ed25519"}


@dataclass(frozen=True, slots=True)
class VerificationKey:
    """A key and the algorithms that it can be used with."""

    key: RSAKey | ECKey | OKPKey
    algorithms: frozenset[str]


KeySet = Mapping[str, VerificationKey]


def parse_key_set(members: Mapping[str, Any]) -> KeySet:
    """Return the keys that can verify a signature; ignore the others. Raise ValueError if it is not a key set."""
    keys = members.get("keys")
    if not isinstance(keys, list) or len(keys) > MAX_KEYS:
        raise ValueError(f"not a key set of at most {MAX_KEYS} keys")
    found: dict[str, VerificationKey] = {}
    for jwk in keys:
        kid = jwk.get("kid") if isinstance(jwk, dict) else None
        if isinstance(kid, str) and kid and (usable := usable_key(jwk)) is not None:
            found.setdefault(kid, usable)
    return found


@dataclass(frozen=True, slots=True)
class CachedKeys:
    """The keys of one issuer, as last fetched. When no longer fresh, they are used for `max_stale_seconds` more.

    That bridges an unavailable server, without trusting a withdrawn key indefinitely.
    """

    keys: KeySet | None = field(default=None, repr=False)
    freshness: Freshness = Freshness()
    max_stale_seconds: float = MAX_STALE_SECONDS

    def usable(self, now: float) -> KeySet | None:
        """Return the keys that are trusted now, or None if there are none."""
        return self.keys if now < self.freshness.fresh_until + self.max_stale_seconds else None

    def ask_for(self, kid: str, now: float) -> Ask:
        """Return whether to fetch the set for a token with this `kid`. Limited, because anyone can write any `kid`."""
        keys = self.usable(now)
        if not self.freshness.may_ask(now, RETRY_SECONDS if keys is None else COOL_DOWN_SECONDS):
            return Ask.NO
        if keys is None or kid not in keys:
            return Ask.BLOCKING
        return Ask.BACKGROUND if now >= self.freshness.fresh_until else Ask.NO

    def request(self, jwks_uri: str) -> Request:
        return Request("GET", jwks_uri, {"accept": "application/json", **conditional(self.freshness.etag)})

    def answered(self, answer: Answer | None, now: float) -> "CachedKeys":
        """Return the state after the response to a request at `now`; an unusable one only delays the next request."""
        if answer is not None and answer.status == 304 and self.keys is not None:
            etag = answer.headers.get("etag", self.freshness.etag)
            return replace(self, freshness=self.freshness.fetched(now, fresh_seconds(answer.headers), etag))
        members = None if answer is None or answer.status != 200 else answer.json_object(unique_names=False)
        if answer is None or members is None:
            return replace(self, freshness=self.freshness.asked(now))
        try:
            keys = parse_key_set(members)
        except ValueError:
            return replace(self, freshness=self.freshness.asked(now))
        freshness = self.freshness.fetched(now, fresh_seconds(answer.headers), answer.headers.get("etag"))
        return replace(self, keys=self.keys if _are_same(keys, self.keys) else keys, freshness=freshness)


def usable_key(jwk: Mapping[str, Any]) -> VerificationKey | None:
    """Return the key, or None if it cannot verify signatures, is malformed or weak. Private members are ignored."""
    kty, operations = jwk.get("kty"), jwk.get("key_ops", ["verify"])
    if not isinstance(kty, str) or kty not in _MEMBERS or jwk.get("use", "sig") != "sig":
        return None
    if not isinstance(operations, list) or "verify" not in operations:
        return None
    public = {name: jwk.get(name) for name in _MEMBERS[kty]}  # no private and no unknown members
    algorithms = frozenset(name for name, for_kty in ALGORITHMS.items() if for_kty == kty)
    if "alg" in jwk:
        algorithms &= {jwk["alg"]} if isinstance(jwk["alg"], str) else set()
    key = _imported(public)
    return None if key is None or not algorithms else VerificationKey(key, algorithms)


def _imported(public: dict[str, Any]) -> RSAKey | ECKey | OKPKey | None:
    """Return the key, or None if it is malformed or weak. No error of one key may affect the others."""
    try:
        numbers = {name: base64url.decode(public[name]) for name in ("n", "e", "x", "y") if name in public}
        if public["kty"] == "RSA":
            bits = int.from_bytes(numbers["n"]).bit_length()
            is_good = MIN_RSA_BITS <= bits <= MAX_RSA_BITS and _is_exponent(numbers["e"])
            return RSAKey.import_key(public) if is_good else None
        if public["crv"] != _CURVES[public["kty"]]:
            return None
        return ECKey.import_key(public) if public["kty"] == "EC" else OKPKey.import_key(public)
    except Exception:  # noqa: BLE001 - see above
        return None


def _is_exponent(octets: bytes) -> bool:
    """Return whether it is odd, at least 3, and at most eight octets long. With 1, anyone could sign."""
    exponent = int.from_bytes(octets)
    return len(octets) <= 8 and exponent >= 3 and exponent % 2 == 1


def _are_same(keys: KeySet, others: KeySet | None) -> bool:
    """Return whether the keys are unchanged, so that tokens verified by the old ones remain verified."""
    return others is not None and {kid: _facts(key) for kid, key in keys.items()} == {
        kid: _facts(key) for kid, key in others.items()
    }


def _facts(key: VerificationKey) -> tuple[str, frozenset[str]]:
    return key.key.thumbprint(), key.algorithms
