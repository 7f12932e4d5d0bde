"""Public keys by `kid` (RFC 7517): which of a set can verify, how long they are good, when to ask for them again."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey

from jeton_client import base64url
from jeton_client.cached_document import COOL_DOWN_SECONDS, RETRY_SECONDS, Ask, Freshness, conditional, fresh_seconds
from jeton_client.messages import Answer, Request

ALGORITHMS: Final[Mapping[str, str]] = {"RS256": "RSA", "PS256": "RSA", "ES256": "EC", "EdDSA": "OKP", "Ed25519": "OKP"}
LEAST_RSA_BITS: Final = 2048
MOST_KEYS: Final = 100
_MEMBERS: Final = {"RSA": ("kty", "n", "e"), "EC": ("kty", "crv", "x", "y"), "OKP": ("kty", "crv", "x")}
_CURVES: Final = {"EC": "P-256", "OKP": "Ed25519"}


@dataclass(frozen=True, slots=True)
class VerificationKey:
    """A key, and the algorithms that it may be used with."""

    key: RSAKey | ECKey | OKPKey
    algorithms: frozenset[str]


KeySet = Mapping[str, VerificationKey]


def parse_key_set(members: Mapping[str, Any]) -> KeySet:
    """The keys that can verify a signature; the rest is left out. ValueError where this is no key set at all."""
    keys = members.get("keys")
    if not isinstance(keys, list) or len(keys) > MOST_KEYS:
        raise ValueError(f"not a key set of at most {MOST_KEYS} keys")
    found: dict[str, VerificationKey] = {}
    for jwk in keys:
        usable = _usable(jwk) if isinstance(jwk, dict) else None
        if usable is not None:
            found.setdefault(jwk["kid"], usable)
    return found


@dataclass(frozen=True, slots=True)
class CachedKeys:
    """The keys of one issuer, as they were last fetched; they stay good while the server is away."""

    keys: KeySet | None = field(default=None, repr=False)
    freshness: Freshness = Freshness()

    def ask_for(self, kid: str, now: float) -> Ask:
        """Whether to fetch the set, for a token that names this key. Anybody can write any `kid`: so not too often."""
        cool_down = COOL_DOWN_SECONDS if self.keys is not None else RETRY_SECONDS
        if not self.freshness.may_ask(now, cool_down):
            return Ask.NO
        if self.keys is None or kid not in self.keys:
            return Ask.FIRST
        return Ask.ASIDE if now >= self.freshness.fresh_until else Ask.NO

    def request(self, jwks_uri: str) -> Request:
        return Request("GET", jwks_uri, {"accept": "application/json", **conditional(self.freshness.etag)})

    def answered(self, answer: Answer | None, now: float) -> "CachedKeys":
        """After an answer that was asked for at `now`; one that is none changes nothing but when to ask again."""
        if answer is not None and answer.status == 304 and self.keys is not None:
            etag = answer.headers.get("etag", self.freshness.etag)
            return replace(self, freshness=self.freshness.fetched(now, fresh_seconds(answer.headers), etag))
        members = None if answer is None or answer.status != 200 else answer.json_object()
        if answer is None or members is None:
            return replace(self, freshness=self.freshness.asked(now))
        try:
            keys = parse_key_set(members)
        except ValueError:
            return replace(self, freshness=self.freshness.asked(now))
        freshness = self.freshness.fetched(now, fresh_seconds(answer.headers), answer.headers.get("etag"))
        return CachedKeys(self.keys if _are_same(keys, self.keys) else keys, freshness)


def _usable(jwk: Mapping[str, Any]) -> VerificationKey | None:
    kty, kid, operations = jwk.get("kty"), jwk.get("kid"), jwk.get("key_ops", ["verify"])
    if not isinstance(kid, str) or not kid or kty not in _MEMBERS or jwk.get("use", "sig") != "sig":
        return None
    if not isinstance(operations, list) or "verify" not in operations:
        return None
    public = {name: jwk.get(name) for name in _MEMBERS[kty]}  # nothing private, nothing unknown
    algorithms = frozenset(name for name, for_kty in ALGORITHMS.items() if for_kty == kty)
    if "alg" in jwk:
        algorithms &= {jwk["alg"]} if isinstance(jwk["alg"], str) else set()
    key = _imported(public)
    return None if key is None or not algorithms else VerificationKey(key, algorithms)


def _imported(public: dict[str, Any]) -> RSAKey | ECKey | OKPKey | None:
    try:
        if public["kty"] == "RSA":
            modulus = int.from_bytes(base64url.decode(public["n"]))
            return RSAKey.import_key(public) if modulus.bit_length() >= LEAST_RSA_BITS else None
        if public["crv"] != _CURVES[public["kty"]]:
            return None
        return ECKey.import_key(public) if public["kty"] == "EC" else OKPKey.import_key(public)
    except (JoseError, ValueError, TypeError, KeyError, AttributeError):
        return None


def _are_same(keys: KeySet, others: KeySet | None) -> bool:
    """Whether nothing changed, so that what was verified by the old ones stays verified."""
    return others is not None and {kid: _facts(key) for kid, key in keys.items()} == {
        kid: _facts(key) for kid, key in others.items()
    }


def _facts(key: VerificationKey) -> tuple[str, frozenset[str]]:
    return key.key.thumbprint(), key.algorithms
