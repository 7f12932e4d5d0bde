"""Validation of settings: ranges, combinations, addresses and the issuer (RFC 8414 section 2)."""

import pytest

from jeton.config.checks import split_listen
from jeton.config.loading import load_settings
from jeton.config.settings import Settings
from jeton.config.sources import ConfigError
from jeton.rules.loopback import is_loopback
from support.tables import rows

pytestmark = pytest.mark.usefixtures("folder")


def load(**variables: str) -> Settings:
    return load_settings(environment={f"JETON_{name}": value for name, value in variables.items()})


RANGES = """
SERVER__PORT 0 65536 http 8000.5
SERVER__WORKERS 0 -1
TOKENS__ACCESS_SECONDS 0 86401 10m
TOKENS__REFRESH_IDLE_SECONDS 0
TOKENS__REFRESH_ABSOLUTE_SECONDS 0
TOKENS__RETRY_GRACE_SECONDS -1 301
KEYS__ALGORITHM HS256 none
KEYS__RSA_BITS 1024 2047
KEYS__ROTATE_SECONDS 0
PASSWORDS__MIN_LENGTH 7
PASSWORDS__MEMORY_KIB 7
PASSWORDS__ITERATIONS 0
PASSWORDS__LANES 0
LIMITS__LOGIN_FAILURES_PER_ACCOUNT 101
LIMITS__LOGIN_FAILURES_PER_ADDRESS -1
LIMITS__REFRESH_SPACING_SECONDS 3601
LIMITS__SESSIONS_PER_USER -1
GRANTS__PASSWORD maybe
METRICS__LISTEN 9464 :9464 127.0.0.1 127.0.0.1:0 127.0.0.1:65536 ::1:9464
REGISTRATION__DENY Example.com ex\u00e4mple.com
REGISTRATION__ALLOW https://example.com example.com.
REGISTRATION__ASK *.example.com
REGISTRATION__SCOPES a"b
REGISTRATION__DYNAMIC on
REGISTRATION__UNUSED_SECONDS 0
"""
LANES, CLAIMS = {"PASSWORDS__LANES": "4"}, "PAGES__EDITABLE_CLAIMS"
IDLE, ABSOLUTE = "TOKENS__REFRESH_IDLE_SECONDS", "TOKENS__REFRESH_ABSOLUTE_SECONDS"
HEADER, PROXY = "SERVER__CLIENT_CERTIFICATE_HEADER", {"SERVER__TRUSTED_PROXIES": "10.0.0.1"}
PKCS11 = {"PKCS11__MODULE": "/lib/hsm.so", "PKCS11__TOKEN_LABEL": "jeton"}
ACCEPTED = [
    *(PKCS11 | {"PKCS11__PIN": "1234", "KEYS__STORE": it} for it in ("pkcs11", "database")),
    LANES | {"PASSWORDS__MEMORY_KIB": "32"},
    *({IDLE: it, ABSOLUTE: it} for it in ("100", "7776000")),
    *(PROXY | {HEADER: it} for it in ("rfc9440", "rfc9440 X-Cert", "nginx X-Cert")),
]
REFUSED: dict[str, list[dict[str, str]]] = {
    r"passwords\.memory_kib": [LANES | {"PASSWORDS__MEMORY_KIB": "31"}],
    "must not exceed": [{IDLE: "101", ABSOLUTE: "100"}, {IDLE: "7776001", ABSOLUTE: "7776000"}],
    r"scopes\.optional.* must not hold openid": [{"SCOPES__OPTIONAL": "photos openid"}],
    r"scopes\.optional.* is not a scope": [{"SCOPES__OPTIONAL": 'photos"'}],
    r"scopes\.optional.* must not hold more than 24": [{"SCOPES__OPTIONAL": " ".join(f"s{it}" for it in range(25))}],
    **{
        rf"pages\.editable_claims: '{it}' is not one of name, given_name": [{CLAIMS: f"name {it}"}]
        for it in ("email", "phone_number", "sub", "colour")
    },
    r"(?i)tokens(\.|__)default_audience": [
        {"TOKENS__DEFAULT_AUDIENCE": it} for it in ("a b", " a", "a\t", "a\u00a0b", "\udcff")
    ],
    r"needs server\.trusted_proxies": [{HEADER: "nginx X-Cert"}],
    "client_certificate_header": [
        PROXY | {HEADER: it} for it in ("nginx", "apache X", "X-Cert", "rfc9440 a b", "rfc9440\n")
    ],
    r"metrics\.listen": [{"METRICS__LISTEN": "a b:1"}],
    r"pkcs11\.module is missing": [{"KEYS__STORE": "pkcs11"}, {"PKCS11__TOKEN_LABEL": "jeton", "PKCS11__PIN": "1234"}],
    r"pkcs11\.token_label is missing": [{"PKCS11__MODULE": "/lib/hsm.so"}],
    r"pkcs11\.pin is missing": [PKCS11],
    r"a\.example is in two of the lists": [
        {"REGISTRATION__DENY": "a.example", "REGISTRATION__ASK": "b.example, a.example"}
    ],
}


@pytest.mark.parametrize("row", RANGES.strip().splitlines())
def test_value_out_of_range_is_refused_by_name(row: str) -> None:
    name, *values = row.split()
    for value in [*values, ""] if name in ("SERVER__PORT", "GRANTS__PASSWORD") else values:
        with pytest.raises(ConfigError, match=name.lower().replace("__", r"\.")):
            load(**{name: value})


@pytest.mark.requirement("MT06", "O02")
@pytest.mark.parametrize(("message", "variables"), rows(REFUSED))
def test_values_that_are_invalid_or_contradict_each_other_are_refused(message: str, variables: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match=message):
        load(**variables)


@pytest.mark.parametrize("variables", ACCEPTED)
def test_values_that_fit_together_are_accepted(variables: dict[str, str]) -> None:
    load(**variables)
    assert load(SCOPES__OPTIONAL="photos, profile").scopes.optional == ("photos", "profile")
    assert load(REGISTRATION__DENY="a.example", REGISTRATION__ALLOW="b.a.example").registration.deny == ("a.example",)


@pytest.mark.requirement("I16", "O17")
def test_trusted_proxies_are_addresses_and_networks_but_not_all() -> None:
    for text in ["10.0.0.0/8", "10.0.0.1/32", "::1", "2001:db8::/32", "10.0.0.1 fd00::/8"]:
        assert load(SERVER__TRUSTED_PROXIES=text).server.trusted_proxies == tuple(text.split())
    for text in ["*", "10.0.0.1,*", "0.0.0.0/0", "::/0"]:
        with pytest.raises(ConfigError, match=r"server\.trusted_proxies must not trust every address"):
            load(SERVER__TRUSTED_PROXIES=text)
    for text in ["proxy.example", "localhost", "10.0.0", "10.0.0.1/33", "10.0.0.1/8", "10.0.0.1:80"]:
        with pytest.raises(ConfigError, match=rf"server\.trusted_proxies: '{text}' is not an address or network"):
            load(SERVER__TRUSTED_PROXIES=f"10.0.0.1,{text}")


ISSUERS = """
https://as.example https://as.example/ https://as.example:8443 https://as.example/tenant https://as.example/tenant/
https://[2001:db8::1] http://127.0.0.1:8000 http://127.8.8.8 http://localhost:8000/jeton http://[::1]:8000
"""
INVALID_ISSUERS = """
http://as.example http://10.0.0.1 http://0.0.0.0:8000 http://127.0.0.1.evil.example http://localhost.evil.example
ftp://as.example as.example //as.example https:// https:///path https://as.example?tenant=1 https://as.example?
https://as.example#top https://as.example# https://user@as.example https://user:password@as.example
https://[2001:db8::1 https://as.example:port https://as.example:65536 https://as.example/" https://as.example/é
HTTPS://as.example Http://127.0.0.1
"""


@pytest.mark.requirement("A08", "A11", "H02", "I14")
def test_issuer_is_an_https_url_without_query_and_fragment_and_kept_unchanged() -> None:
    for issuer in ISSUERS.split():
        settings = load(SERVER__ISSUER=issuer)
        assert settings.server.issuer == settings.tokens.default_audience == issuer
    spaces = ["https://as example", "https://as.example ", " https://as.example", "https://as.example\n"]
    for issuer in ["", *spaces, "https://as.exam\tple", *INVALID_ISSUERS.split()]:
        with pytest.raises(ConfigError, match=r"server\.issuer"):
            load(SERVER__ISSUER=issuer)


def test_loopback_addresses_are_recognised() -> None:
    loopback = ["127.0.0.1", "127.255.255.254", "::1", "localhost"]
    others = ["0.0.0.0", "::", "10.0.0.1", "localhost.example", ""]

    assert [host for host in loopback + others if is_loopback(host)] == loopback


def test_listener_of_metrics_is_an_address_and_a_port() -> None:
    listeners = {
        "127.0.0.1:9464": ("127.0.0.1", 9464),
        "[::1]:1": ("::1", 1),
        "monitoring.internal:65535": ("monitoring.internal", 65535),
    }

    found = {it: split_listen("metrics.listen", load(METRICS__LISTEN=it).metrics.listen) for it in listeners}
    assert found == listeners
