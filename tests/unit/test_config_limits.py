"""Validation of settings: ranges, combinations, addresses and the issuer (RFC 8414 section 2)."""

from contextlib import nullcontext
from pathlib import Path

import pytest

from jeton.config.checks import split_listen
from jeton.config.loading import load_settings
from jeton.config.settings import Settings
from jeton.config.sources import ConfigError
from jeton.rules.loopback import is_loopback


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory without a configuration file."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


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
"""


@pytest.mark.parametrize("row", RANGES.strip().splitlines())
def test_value_out_of_range_is_refused_by_name(row: str) -> None:
    name, *values = row.split()
    for value in [*values, ""] if name in ("SERVER__PORT", "GRANTS__PASSWORD") else values:
        with pytest.raises(ConfigError, match=name.lower().replace("__", r"\.")):
            load(**{name: value})


def test_argon2_needs_8_kib_for_each_lane() -> None:
    load(PASSWORDS__MEMORY_KIB="32", PASSWORDS__LANES="4")
    with pytest.raises(ConfigError, match=r"passwords\.memory_kib"):
        load(PASSWORDS__MEMORY_KIB="31", PASSWORDS__LANES="4")


@pytest.mark.requirement("O02")
@pytest.mark.parametrize(("idle", "absolute"), [("101", "100"), ("7776001", "7776000")])
def test_idle_lifetime_may_equal_but_not_exceed_the_absolute_lifetime(idle: str, absolute: str) -> None:
    load(TOKENS__REFRESH_IDLE_SECONDS=absolute, TOKENS__REFRESH_ABSOLUTE_SECONDS=absolute)
    with pytest.raises(ConfigError, match="must not exceed"):
        load(TOKENS__REFRESH_IDLE_SECONDS=idle, TOKENS__REFRESH_ABSOLUTE_SECONDS=absolute)


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


@pytest.mark.parametrize(
    ("scopes", "reason"),
    [
        ("photos openid", "must not hold openid"),
        ('photos"', "is not a scope"),
        (" ".join(f"s{it}" for it in range(25)), "must not hold more than 24"),
    ],
)
def test_optional_scopes_are_scopes_that_can_be_left_out_and_fit_into_a_form(scopes: str, reason: str) -> None:
    assert load(SCOPES__OPTIONAL="photos, profile").scopes.optional == ("photos", "profile")
    with pytest.raises(ConfigError, match=rf"scopes\.optional.* {reason}"):
        load(SCOPES__OPTIONAL=scopes)


def test_only_claims_that_need_no_proof_can_be_editable() -> None:
    for claim in ["email", "phone_number", "sub", "colour"]:
        with pytest.raises(ConfigError, match=rf"pages\.editable_claims: '{claim}' is not one of name, given_name"):
            load(PAGES__EDITABLE_CLAIMS=f"name {claim}")


def test_invalid_default_audience_is_refused() -> None:
    for audience in ["a b", " a", "a\t", "a\u00a0b", "\udcff"]:
        with pytest.raises(ConfigError, match=r"(?i)tokens(\.|__)default_audience"):
            load(TOKENS__DEFAULT_AUDIENCE=audience)


ISSUERS = """
https://as.example https://as.example/ https://as.example:8443 https://as.example/tenant https://as.example/tenant/
https://[2001:db8::1] http://127.0.0.1:8000 http://127.8.8.8 http://localhost:8000/jeton http://[::1]:8000
"""
INVALID_ISSUERS = """
http://as.example http://10.0.0.1 http://0.0.0.0:8000 http://127.0.0.1.evil.example http://localhost.evil.example
ftp://as.example as.example //as.example https:// https:///path https://as.example?tenant=1 https://as.example?
https://as.example#top https://as.example# https://user@as.example https://user:password@as.example
https://[2001:db8::1 https://as.example:port https://as.example:65536 https://as.example/" https://as.example/é
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


@pytest.mark.requirement("MT06")
@pytest.mark.parametrize(
    ("header", "proxies", "problem"),
    [
        ("", "", None),
        ("rfc9440", "10.0.0.1", None),
        ("rfc9440 X-Cert", "10.0.0.1", None),
        ("nginx X-Cert", "10.0.0.1", None),
        ("nginx X-Cert", "", "needs server.trusted_proxies"),
        *((text, "10.0.0.1", "client_certificate_header") for text in ("nginx", "apache X", "X-Cert", "rfc9440 a b")),
    ],
)
def test_the_header_of_certificates_has_a_format_and_a_trusted_sender(
    header: str, proxies: str, problem: str | None
) -> None:
    with nullcontext() if problem is None else pytest.raises(ConfigError, match=problem):
        load(SERVER__CLIENT_CERTIFICATE_HEADER=header, SERVER__TRUSTED_PROXIES=proxies)


@pytest.mark.parametrize(
    ("listen", "address"),
    [
        ("127.0.0.1:9464", ("127.0.0.1", 9464)),
        ("[::1]:1", ("::1", 1)),
        ("monitoring.internal:65535", ("monitoring.internal", 65535)),
        *(
            (text, None)
            for text in ("9464", ":9464", "127.0.0.1", "127.0.0.1:0", "127.0.0.1:65536", "::1:9464", "a b:1")
        ),
    ],
)
def test_listener_of_metrics_is_an_address_and_a_port(listen: str, address: tuple[str, int] | None) -> None:
    if address is None:
        with pytest.raises(ConfigError, match=r"metrics\.listen"):
            load(METRICS__LISTEN=listen)
    else:
        assert split_listen("metrics.listen", load(METRICS__LISTEN=listen).metrics.listen) == address
