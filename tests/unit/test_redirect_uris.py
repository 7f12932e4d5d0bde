"""Which redirect URIs may be registered, and which of them a request names."""

import pytest

from jeton.oauth.clients import Client
from jeton.oauth.redirect_uris import MAX_CHARACTERS, is_registered_redirect_uri, redirect_uri_rejection_reason

HTTPS = "https://app.example/callback"


def client(*redirect_uris: str, application_type: str = "web") -> Client:
    return Client("app", True, 1, redirect_uris=frozenset(redirect_uris), application_type=application_type)


@pytest.mark.requirement("MC07", "RA06", "RA09", "NA01", "A29")
@pytest.mark.parametrize("application_type", ["web", "spa", "native"])
@pytest.mark.parametrize(
    "uri",
    [
        HTTPS,
        "https://app.example",
        "https://app.example/",
        "https://app.example:8443/callback?tenant=1&x=%C3%A4",
        "https://xn--mnchen-3ya.example/cb",
        "https://app.example/@me:1",
        "http://127.0.0.1/callback",
        "http://127.0.0.1:3000/callback",
        "http://[::1]:3000/callback",
        "http://localhost:3000/callback?x=1",
    ],
)
def test_https_and_loopback_uris_may_be_registered_by_every_type_of_client(uri: str, application_type: str) -> None:
    assert redirect_uri_rejection_reason(uri, application_type) is None


@pytest.mark.requirement("RA09", "NA07")
@pytest.mark.parametrize("application_type", ["web", "spa", "native"])
@pytest.mark.parametrize(
    ("uri", "reason"),
    [
        ("https://app.example/cb#x", "fragment"),
        ("https://app.example/cb#", "fragment"),
        ("https://alice@app.example/cb", "user name"),
        ("https://alice:secret@app.example/cb", "user name"),
        ("http://127.0.0.1@evil.example/cb", "user name"),
        ("http://app.example/cb", "must be https"),
        ("http://127.0.0.2/cb", "must be https"),
        ("http://127.1/cb", "must be https"),
        ("http://2130706433/cb", "must be https"),
        ("http://0x7f000001/cb", "must be https"),
        ("http://0177.0.0.1/cb", "must be https"),
        ("http://0.0.0.0/cb", "must be https"),
        ("http://[::]/cb", "must be https"),
        ("http://[0:0:0:0:0:0:0:1]/cb", "must be https"),
        ("http://LOCALHOST/cb", "must be https"),
        ("http://localhost.evil.example/cb", "must be https"),
        ("http://app.localhost/cb", "must be https"),
        ("http://localhost:0/cb", "must be https"),
        ("http://localhost:99999/cb", "port"),
        ("https://App.example/cb", "write https://app.example"),
        ("https://app.example:443/cb", "write https://app.example"),
        ("https:///cb", "origin"),
        ("https://app.example:x/cb", "origin"),
        ("https://*.app.example/cb", "wildcard"),
        ("https://app.example/*", "wildcard"),
        ("https://app.example/cb?a=1&code=2", "parameter code"),
        ("https://app.example/cb?%73tate", "parameter state"),
        ("https://app.example/c\u00e4b", "percent-encode"),
        ("https://app.example/c b", "percent-encode"),
        ("https://app.example/cb\n", "percent-encode"),
        ("https://app.example/cb%", "percent-encode"),
        ("https://app.example/cb%0g", "percent-encode"),
        ("https://app.example/\\cb", "percent-encode"),
        ('https://app.example/"cb"', "percent-encode"),
        ("", "percent-encode"),
        ("https://app.example/" + "a" * MAX_CHARACTERS, "longer than"),
        ("/callback", "complete"),
        ("//app.example/callback", "complete"),
        ("app.example/callback", "complete"),
        ("https:app.example/callback", "complete"),
        ("javascript:alert(1)", "complete"),
        ("data:text/html,x", "complete"),
        ("file:///etc/passwd", "complete"),
        ("blob:https://app.example/1", "complete"),
        ("about:blank", "complete"),
        ("vbscript:x", "complete"),
        ("myapp:/callback", "complete"),
        ("Com.example.app:/callback", "complete"),
        ("com.example.app:", "complete"),
        (".example:/callback", "complete"),
    ],
)
def test_unsafe_and_incomplete_uris_are_rejected_with_a_reason(uri: str, reason: str, application_type: str) -> None:
    found = redirect_uri_rejection_reason(uri, application_type)

    assert found is not None
    assert reason in found


@pytest.mark.requirement("RA09", "NA01", "NA02")
def test_only_native_apps_may_register_private_schemes() -> None:
    uri = "com.example.app:/callback"

    assert redirect_uri_rejection_reason(uri, "native") is None
    assert redirect_uri_rejection_reason("com.example.app://callback?x=1", "native") is None
    for application_type in ("web", "spa"):
        reason = redirect_uri_rejection_reason(uri, application_type)
        assert reason is not None
        assert "--application-type native" in reason


@pytest.mark.requirement("RA06", "I01")
@pytest.mark.parametrize(
    "presented",
    [
        "https://app.example/callback/",
        "https://app.example/callback?x=1",
        "https://app.example/callback#",
        "https://app.example/Callback",
        "https://APP.example/callback",
        "https://app.example:443/callback",
        "https://app.example/call%62ack",
        "https://app.example/x/../callback",
        "https://app.example//callback",
        "https://app.example/callback%00",
        "https://app.example/callback ",
        "https://app.example.evil.example/callback",
        "http://app.example/callback",
        "https://app.example",
        "",
    ],
)
@pytest.mark.parametrize("application_type", ["web", "spa", "native"])
def test_redirect_uris_are_compared_byte_for_byte(presented: str, application_type: str) -> None:
    app = client(HTTPS, application_type=application_type)

    assert is_registered_redirect_uri(HTTPS, app)
    assert not is_registered_redirect_uri(presented, app)


@pytest.mark.requirement("RA07", "RA08", "NA07")
@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "localhost"])
@pytest.mark.parametrize("registered_port", ["", ":8400"])
@pytest.mark.parametrize("port", ["", ":1", ":49152", ":65535"])
def test_a_native_app_s_loopback_uri_matches_with_any_port(host: str, registered_port: str, port: str) -> None:
    registered, presented = f"http://{host}{registered_port}/cb?x=1", f"http://{host}{port}/cb?x=1"

    assert is_registered_redirect_uri(presented, client(registered, application_type="native"))


@pytest.mark.requirement("RA07", "RA08")
@pytest.mark.parametrize(
    "presented",
    [
        "http://127.0.0.1:3000/other",
        "http://127.0.0.1:3000/cb?x=1",
        "http://127.0.0.1:3000/cb/",
        "http://127.0.0.1:3000",
        "http://127.0.0.1:0/cb",
        "http://127.0.0.1:65536/cb",
        "http://127.0.0.1:03000/cb",
        "http://127.0.0.1:/cb",
        "http://127.0.0.1:3000x/cb",
        "http://127.0.0.1:\u0663/cb",
        "https://127.0.0.1:3000/cb",
        "http://localhost:3000/cb",
        "http://[::1]:3000/cb",
        "http://127.1:3000/cb",
        "http://2130706433:3000/cb",
        "http://0.0.0.0:3000/cb",
        "http://[::]:3000/cb",
        "http://127.0.0.1@evil.example:3000/cb",
        "http://127.0.0.1:3000@evil.example/cb",
        "http://127.0.0.1.evil.example:3000/cb",
    ],
)
def test_only_the_port_of_a_loopback_uri_may_differ(presented: str) -> None:
    assert not is_registered_redirect_uri(presented, client("http://127.0.0.1/cb", application_type="native"))


@pytest.mark.requirement("RA07", "RA08")
@pytest.mark.parametrize("application_type", ["web", "spa"])
def test_the_port_of_other_clients_loopback_uris_is_exact(application_type: str) -> None:
    app = client("http://localhost:3000/cb", application_type=application_type)

    assert is_registered_redirect_uri("http://localhost:3000/cb", app)
    assert not is_registered_redirect_uri("http://localhost:3001/cb", app)
    assert not is_registered_redirect_uri("http://localhost/cb", app)


def test_the_port_of_an_https_uri_is_exact_for_native_apps_too() -> None:
    app = client("https://localhost:3000/cb", application_type="native")

    assert not is_registered_redirect_uri("https://localhost:3001/cb", app)
