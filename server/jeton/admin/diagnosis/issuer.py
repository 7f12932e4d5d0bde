"""Checks of the issuer as clients see it: its metadata, its keys, its certificate and its clock."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final

from jeton.admin.diagnosis.findings import Finding, fail, in_words, ok, warn
from jeton.frozen import Frozen
from jeton.rules.loopback import is_loopback

_CHECK: Final = "issuer"
_CERTIFICATE_WARNING_SECONDS: Final = 14 * 86400
_CLOCK_SECONDS: Final = 5


class PublishedIssuer(Frozen):
    """What is found at the issuer's address.

    `kids` are None if the key set could not be read. Seconds are None if they are not known; without TLS, there is no
    certificate.
    """

    metadata: Mapping[str, Any]
    kids: frozenset[str] | None
    certificate_seconds: float | None
    clock_ahead_seconds: float | None


def check_issuer(issuer: str, published: PublishedIssuer, kids: Collection[str]) -> Iterator[Finding]:
    """Yield what is found. `kids` are those of the keys that the database publishes, empty if they are not known."""
    named = published.metadata.get("issuer")
    if named != issuer:
        yield fail(
            _CHECK,
            f"the metadata at {issuer} name another issuer: {named}",
            "server.issuer must be the same at every server, and the address that clients use, character by character",
        )
    else:
        yield ok(_CHECK, f"{issuer} serves its metadata")
    yield from _check_keys(published.kids, kids)
    yield from _check_certificate(published.certificate_seconds)
    if published.clock_ahead_seconds is not None and abs(published.clock_ahead_seconds) > _CLOCK_SECONDS:
        apart = in_words(abs(published.clock_ahead_seconds))
        yield warn("clock", f"the server behind {issuer} and this machine differ by {apart}", "set both with NTP")


def _check_keys(published: frozenset[str] | None, stored: Collection[str]) -> Iterator[Finding]:
    if published is None:
        yield fail("key set", "the key set that the metadata name cannot be read", "let the proxy pass on jwks_uri")
    elif stored and not published & set(stored):
        yield fail(
            "key set",
            "it contains no key of this database",
            "another server answers at the issuer's address, or it uses another database: see database.url",
        )
    elif missing := set(stored) - published:
        yield warn(
            "key set",
            f"keys are missing there: {', '.join(sorted(missing))}",
            "wait for keys.jwks_max_age_seconds: a cache is in between, or a server does not read the database",
        )
    else:
        yield ok("key set", f"{len(published)} keys, those of this database" if stored else f"{len(published)} keys")


def _check_certificate(seconds: float | None) -> Iterator[Finding]:
    if seconds is None:
        return
    message = f"the certificate expires in {in_words(max(seconds, 0))}"
    if seconds < _CERTIFICATE_WARNING_SECONDS:
        yield warn("certificate", message, "renew it, and see why that did not happen by itself")
    else:
        yield ok("certificate", message)


def check_unreachable(issuer: str, reason: str, detail: str) -> Finding:
    """Return the failure to read the metadata. `reason` is a word of `outbound`, or "status" with the HTTP status."""
    advice = _ADVICE.get(reason, "is the server running, and does the proxy pass /.well-known/ on to it?")
    return fail(_CHECK, f"the metadata of {issuer} cannot be read: {detail or reason}", advice)


def check_address(issuer: str, host: str) -> Finding | None:
    """Return a warning if only this machine can use the issuer; `host` is the host in it."""
    if not is_loopback(host):
        return None
    return warn(_CHECK, f"{issuer} is reached from this machine only", "set server.issuer to the address for clients")


_ADVICE: Final = {
    "host_not_found": "create the DNS record of the issuer's host",
    "address_not_allowed": "the issuer's host resolves to an address that is not for servers: correct its DNS record",
    "tls_failed": "install a certificate of this name from an authority that clients trust, with its intermediates",
    "timed_out": "is the proxy running, and does a firewall drop connections to it?",
}
