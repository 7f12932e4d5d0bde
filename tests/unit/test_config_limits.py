"""Settings that are known but not acceptable: out of range, at odds with each other, unsafe (RFC 8414 section 2)."""

from pathlib import Path

import pytest

from jeton.config import Settings, load_settings
from jeton.config_sources import ConfigError
from jeton.rules.loopback import is_loopback


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory without a configuration file."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def load(**variables: str) -> Settings:
    return load_settings(environment={f"JETON_{name}": value for name, value in variables.items()})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SERVER__PORT", "0"),
        ("SERVER__PORT", "65536"),
        ("SERVER__PORT", "http"),
        ("SERVER__PORT", ""),
        ("SERVER__PORT", "8000.5"),
        ("SERVER__WORKERS", "0"),
        ("SERVER__WORKERS", "-1"),
        ("TOKENS__ACCESS_SECONDS", "0"),
        ("TOKENS__ACCESS_SECONDS", "86401"),
        ("TOKENS__ACCESS_SECONDS", "10m"),
        ("TOKENS__REFRESH_IDLE_SECONDS", "0"),
        ("TOKENS__REFRESH_ABSOLUTE_SECONDS", "0"),
        ("TOKENS__RETRY_GRACE_SECONDS", "-1"),
        ("TOKENS__RETRY_GRACE_SECONDS", "301"),
        ("KEYS__ALGORITHM", "HS256"),
        ("KEYS__ALGORITHM", "none"),
        ("KEYS__RSA_BITS", "1024"),
        ("KEYS__RSA_BITS", "2047"),
        ("KEYS__ROTATE_SECONDS", "0"),
        ("PASSWORDS__MIN_LENGTH", "7"),
        ("PASSWORDS__MEMORY_KIB", "7"),
        ("PASSWORDS__ITERATIONS", "0"),
        ("PASSWORDS__LANES", "0"),
        ("LIMITS__LOGIN_FAILURES_PER_ACCOUNT", "101"),
        ("LIMITS__LOGIN_FAILURES_PER_ADDRESS", "-1"),
        ("LIMITS__REFRESH_SPACING_SECONDS", "3601"),
        ("LIMITS__SESSIONS_PER_USER", "-1"),
        ("GRANTS__PASSWORD", "maybe"),
        ("GRANTS__PASSWORD", ""),
    ],
)
def test_value_out_of_range_is_refused_by_name(name: str, value: str) -> None:
    with pytest.raises(ConfigError, match=name.lower().replace("__", r"\.")):
        load(**{name: value})


@pytest.mark.requirement("O02")
@pytest.mark.parametrize(("idle", "absolute"), [("101", "100"), ("7776001", "7776000")])
def test_idle_lifetime_must_not_exceed_absolute_lifetime(idle: str, absolute: str) -> None:
    with pytest.raises(ConfigError, match="must not exceed"):
        load(TOKENS__REFRESH_IDLE_SECONDS=idle, TOKENS__REFRESH_ABSOLUTE_SECONDS=absolute)


@pytest.mark.requirement("O02")
def test_idle_and_absolute_lifetime_may_be_equal() -> None:
    tokens = load(TOKENS__REFRESH_IDLE_SECONDS="100", TOKENS__REFRESH_ABSOLUTE_SECONDS="100").tokens

    assert (tokens.refresh_idle_seconds, tokens.refresh_absolute_seconds) == (100, 100)


@pytest.mark.requirement("I16", "O17")
@pytest.mark.parametrize("text", ["*", "10.0.0.1,*", "0.0.0.0/0", "::/0"])
def test_trusting_every_address_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r"server\.trusted_proxies must not trust every address"):
        load(SERVER__TRUSTED_PROXIES=text)


@pytest.mark.requirement("I16")
@pytest.mark.parametrize("text", ["10.0.0.0/8", "10.0.0.1/32", "::1", "2001:db8::/32", "10.0.0.1 fd00::/8"])
def test_addresses_and_networks_can_be_trusted_proxies(text: str) -> None:
    assert load(SERVER__TRUSTED_PROXIES=text).server.trusted_proxies == tuple(text.split())


@pytest.mark.requirement("I16")
@pytest.mark.parametrize("text", ["proxy.example", "localhost", "10.0.0", "10.0.0.1/33", "10.0.0.1/8", "10.0.0.1:80"])
def test_trusted_proxy_that_is_not_an_address_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=rf"server\.trusted_proxies: '{text}' is not an address or network"):
        load(SERVER__TRUSTED_PROXIES=f"10.0.0.1,{text}")


def test_empty_issuer_is_refused() -> None:
    """A template may leave the variable empty."""
    with pytest.raises(ConfigError, match=r"server\.issuer must be an https URL, not ''"):
        load(SERVER__ISSUER="")


@pytest.mark.parametrize("audience", ["a b", " a", "a\t", "a\u00a0b", "\udcff"])
def test_invalid_default_audience_is_refused(audience: str) -> None:
    with pytest.raises(ConfigError, match=r"(?i)tokens(\.|__)default_audience"):
        load(TOKENS__DEFAULT_AUDIENCE=audience)


@pytest.mark.requirement("A08", "A11", "H02")
@pytest.mark.parametrize(
    "issuer",
    [
        "https://as.example",
        "https://as.example/",
        "https://as.example:8443",
        "https://as.example/tenant",
        "https://as.example/tenant/",
        "https://[2001:db8::1]",
        "http://127.0.0.1:8000",
        "http://127.8.8.8",
        "http://localhost:8000/jeton",
        "http://[::1]:8000",
    ],
)
def test_issuer_is_kept_unchanged(issuer: str) -> None:
    settings = load(SERVER__ISSUER=issuer)

    assert settings.server.issuer == issuer
    assert settings.tokens.default_audience == issuer


@pytest.mark.requirement("A08", "A11", "H02", "I14")
@pytest.mark.parametrize(
    "issuer",
    [
        pytest.param("http://as.example", id="http"),
        pytest.param("http://10.0.0.1", id="http on a private network"),
        pytest.param("http://0.0.0.0:8000", id="http on all addresses"),
        pytest.param("http://127.0.0.1.evil.example", id="almost loopback"),
        pytest.param("http://localhost.evil.example", id="almost localhost"),
        pytest.param("ftp://as.example", id="another scheme"),
        pytest.param("as.example", id="no scheme"),
        pytest.param("//as.example", id="relative"),
        pytest.param("https://", id="no host"),
        pytest.param("https:///path", id="empty host"),
        pytest.param("https://as.example?tenant=1", id="query"),
        pytest.param("https://as.example?", id="empty query"),
        pytest.param("https://as.example#top", id="fragment"),
        pytest.param("https://as.example#", id="empty fragment"),
        pytest.param("https://user@as.example", id="user"),
        pytest.param("https://user:password@as.example", id="user and password"),
        pytest.param("https://[2001:db8::1", id="bracket left open"),
        pytest.param("https://as.example:port", id="port that is no number"),
        pytest.param("https://as.example:65536", id="port out of range"),
        pytest.param("https://as example", id="space inside"),
        pytest.param("https://as.example ", id="space after"),
        pytest.param(" https://as.example", id="space before"),
        pytest.param("https://as.example\n", id="line feed"),
        pytest.param("https://as.exam\tple", id="tab"),
        pytest.param('https://as.example/"', id="quote"),
        pytest.param("https://as.example/é", id="not ASCII"),
    ],
)
def test_issuer_that_is_not_an_https_url_is_refused(issuer: str) -> None:
    with pytest.raises(ConfigError, match=r"server\.issuer"):
        load(SERVER__ISSUER=issuer)


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True),
        ("127.255.255.254", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("10.0.0.1", False),
        ("localhost.example", False),
        ("", False),
    ],
)
def test_loopback_addresses_are_recognised(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected
