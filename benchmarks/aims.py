"""Aims of the benchmark, and what tables and charts have in common."""

from collections.abc import Iterable, Sequence
from typing import Final

from results import Results, Signature

NAMES: Final = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}
OPERATIONS: Final = (
    *("refresh", "refresh with DPoP", "introspection", "revocation", "client_credentials", "key set", "metadata"),
)
# Shares of the signing limit. That of ES256 is relative to RS256; those of introspection and of the key set are 3.5 (3
# without IFMA) and 1.2 times the rate of node-oidc-provider on two cores where a signature took 0.25 (0.59) ms.
_REFRESH_AIM: Final = {"RS256": 0.50, "RS256 without IFMA": 0.62}
_ES256_TIMES: Final = 2.3
_AIMS: Final = {
    ("RS256", "introspection"): 3.5 * 1726 * 0.00025 / 2,
    ("RS256 without IFMA", "introspection"): 3 * 2002 * 0.00059 / 2,
    ("RS256", "key set"): 1.2 * 17_600 * 0.00025 / 2,
}
START_AIMS: Final = {1: 0.5, 2: 0.9}
MEMORY_AIMS: Final = (115.0, 125.0)
LOGIN_AIM: Final = 0.9
PARTS: Final = ("signature", "HTTP", "protocol", "ledger thread", "database")


def share_aim(results: Results, signature: Signature, operation: str) -> float | None:
    if operation == "refresh":
        rs256 = results.rate("postgresql", "RS256", operation).share
        return _REFRESH_AIM.get(signature, _ES256_TIMES * rs256)
    return _AIMS.get((signature, operation))


def signatures_of(results: Results) -> list[Signature]:
    return list(dict.fromkeys(it.signature for it in results.rates))


def operations_of(results: Results, signature: Signature) -> list[str]:
    """Return the operations that were measured with these signatures."""
    return [it for it in OPERATIONS if any(r.signature == signature and r.operation == it for r in results.rates)]


def refresh_parts(results: Results) -> Iterable[tuple[str, Sequence[float]]]:
    """Yield where the processor time goes: the protocol is what the event loop does besides signature and HTTP."""
    for signature in signatures_of(results):
        for database, name in NAMES.items():
            rate = results.rate(database, signature, "refresh")
            signing = results.es256_us if signature == "ES256" else rate.signature_us
            protocol = max(0.0, rate.loop_us - signing - results.http_us)
            label = f"{name}, {signature.replace('RS256 without', 'no')}"
            yield label, (signing, results.http_us, protocol, rate.threads_us, rate.database_us)
