"""Checks of settings. Each raises ConfigError, which names the setting and the reason."""

import re
from collections.abc import Iterable, Mapping, Sequence
from ipaddress import ip_network
from typing import Final
from urllib.parse import urlsplit

import msgspec

from jeton.config.settings import KeySettings, Pkcs11Settings, Settings
from jeton.config.sources import ConfigError
from jeton.oauth.registration.registration_rules import is_audience
from jeton.oauth.scope import is_scope_token
from jeton.oauth.user_claims import SELF_SET_CLAIMS
from jeton.rules.domain_policy import ANY_DOMAIN
from jeton.rules.loopback import is_loopback

_URL_CHARACTERS: Final = re.compile(r"[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-]+")
_DOMAIN: Final = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*")
_LISTEN: Final = re.compile(r"(\[(?P<ipv6>[0-9A-Fa-f:.]+)\]|(?P<host>[A-Za-z0-9.-]+)):(?P<port>[0-9]{1,5})")
# The consent page has a form field for each, and a form has at most 32.
MAX_OPTIONAL_SCOPES: Final = 24


def check_settings(settings: Settings) -> None:
    """Raise ConfigError if a setting is invalid, or does not fit another."""
    server, tokens, registration = settings.server, settings.tokens, settings.registration
    _check_nul(settings)
    check_issuer(server.issuer)
    if not server.host:
        # The system would take it for every address.
        raise ConfigError("server.host must not be empty: 127.0.0.1 is this machine only, 0.0.0.0 every address")
    if tokens.refresh_idle_seconds > tokens.refresh_absolute_seconds:
        raise ConfigError("tokens.refresh_idle_seconds must not exceed tokens.refresh_absolute_seconds")
    if settings.sessions.idle_seconds > settings.sessions.absolute_seconds:
        raise ConfigError("sessions.idle_seconds must not exceed sessions.absolute_seconds")
    if settings.passwords.memory_kib < 8 * settings.passwords.lanes:
        raise ConfigError("passwords.memory_kib must be at least 8 for each of passwords.lanes (RFC 9106 section 3.1)")
    _check_pkcs11(settings.keys, settings.pkcs11)
    check_trusted_proxies(server.trusted_proxies)
    if server.client_certificate_header and not server.trusted_proxies:
        raise ConfigError("server.client_certificate_header needs server.trusted_proxies: others could forge it")
    if settings.metrics.listen:
        split_listen("metrics.listen", settings.metrics.listen)
    check_optional_scopes(settings.scopes.optional)
    check_editable_claims(settings.pages.editable_claims)
    check_domains({"deny": registration.deny, "allow": registration.allow, "ask": registration.ask})
    check_scopes("registration.scopes", registration.scopes)
    if not is_audience(tokens.default_audience):
        raise ConfigError("tokens.default_audience must not contain white space")


def check_issuer(issuer: str) -> None:
    """Raise ConfigError unless the issuer is an https URL without query and fragment (RFC 8414 section 2).

    Plain http is allowed on loopback, where no other machine can listen.
    """
    try:
        parts = urlsplit(issuer)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable or not _URL_CHARACTERS.fullmatch(issuer):
        # Without the value, which comes from the wrong file if JETON_SERVER__ISSUER_FILE names one.
        raise ConfigError("server.issuer must be a URL such as https://id.example")
    if not issuer.startswith(("https:", "http:")):
        # Whether cookies are for https only depends on these letters.
        raise ConfigError(f"server.issuer: write {parts.scheme} in lower case")
    if "?" in issuer or "#" in issuer or "@" in parts.netloc:
        raise ConfigError("server.issuer must have no query, fragment or user name (RFC 8414 section 2)")
    if parts.scheme == "http" and not is_loopback(parts.hostname or ""):
        raise ConfigError("server.issuer must be https, except on loopback: passwords and tokens travel to it")


def check_trusted_proxies(proxies: Iterable[str]) -> None:
    """Raise ConfigError if an entry is not an address or network, or trusts every address."""
    for proxy in proxies:
        try:
            trusts_all = proxy == "*" or ip_network(proxy).prefixlen == 0
        except ValueError:
            raise ConfigError(
                f"server.trusted_proxies: {proxy!r} is not an address or network such as 10.0.0.1 or 10.0.0.0/8"
            ) from None
        if trusts_all:
            raise ConfigError(
                "server.trusted_proxies must not trust every address: any client could then claim any other"
            )


def split_listen(name: str, listen: str) -> tuple[str, int]:
    """Return the address and the port of the setting `name`. Raise ConfigError if it is not such a pair."""
    found = _LISTEN.fullmatch(listen)
    if found is None or not 0 < int(found["port"]) < 65536:
        raise ConfigError(f"{name}: {listen!r} is not an address and a port such as 127.0.0.1:9464 or [::1]:9464")
    return found["ipv6"] or found["host"], int(found["port"])


def check_domains(domains: Mapping[str, Sequence[str]]) -> None:
    """Raise ConfigError if a domain is not one, or if it is in two lists, of which only one can hold.

    `domains` are the lists of section `registration`, by their names.
    """
    for name, domain in ((name, domain) for name, listed in domains.items() for domain in listed):
        if domain != ANY_DOMAIN and not _DOMAIN.fullmatch(domain):
            raise ConfigError(
                f"registration.{name}: {domain!r} is neither a domain such as example.com, in lower case (IDN: xn--…),"
                f" nor {ANY_DOMAIN}"
            )
        if sum(domain in listed for listed in domains.values()) > 1:
            raise ConfigError(f"registration.{name}: {domain} is in two of the lists deny, allow and ask")


def check_scopes(name: str, scopes: Iterable[str]) -> None:
    """Raise ConfigError if one of these scopes of the setting `name` is malformed."""
    for scope in scopes:
        if not is_scope_token(scope):
            raise ConfigError(f"{name}: {scope!r} is not a scope (RFC 6749 section 3.3)")


def check_optional_scopes(scopes: Sequence[str]) -> None:
    """Raise ConfigError if a scope is malformed or cannot be optional, or if there are too many for one form."""
    check_scopes("scopes.optional", scopes)
    if "openid" in scopes:
        raise ConfigError("scopes.optional must not hold openid: an app that signs people in needs it")
    if len(scopes) > MAX_OPTIONAL_SCOPES:
        raise ConfigError(f"scopes.optional must not hold more than {MAX_OPTIONAL_SCOPES} scopes")


def check_editable_claims(claims: Iterable[str]) -> None:
    """Raise ConfigError if a claim would have to be proved, or does not exist."""
    for claim in claims:
        if claim not in SELF_SET_CLAIMS:
            raise ConfigError(f"pages.editable_claims: {claim!r} is not one of {', '.join(SELF_SET_CLAIMS)}")


def _check_nul(settings: Settings) -> None:
    """Raise ConfigError if a setting contains a NUL character, which system calls reject in paths and host names."""
    for section, of_section in msgspec.structs.asdict(settings).items():
        for key, value in msgspec.structs.asdict(of_section).items():
            if isinstance(value, str) and "\0" in value:
                raise ConfigError(f"{section}.{key} must not contain a NUL character")


def _check_pkcs11(keys: KeySettings, pkcs11: Pkcs11Settings) -> None:
    """Raise ConfigError if [pkcs11] is incomplete: it must be complete or empty, and complete if it stores new keys."""
    missing = [name for name in ("module", "token_label", "pin") if not getattr(pkcs11, name)]
    if missing and (keys.store == "pkcs11" or len(missing) < 3):
        raise ConfigError(
            f"pkcs11.{missing[0]} is missing: keys on a PKCS#11 token need the module, the token's label and its PIN"
        )
