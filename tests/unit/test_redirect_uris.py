"""Which redirect URIs may be registered, and which of them a request names."""

import pytest

from jeton.oauth.authorization.redirect_uris import (
    MAX_CHARACTERS,
    is_registered_redirect_uri,
    redirect_uri_rejection_reason,
)
from jeton.oauth.clients import Client

HTTPS = "https://app.example/callback"


def client(*redirect_uris: str, application_type: str = "web") -> Client:
    return Client("app", True, 1, redirect_uris=frozenset(redirect_uris), application_type=application_type)


VALID = """
https://app.example/callback https://app.example https://app.example/ https://app.example/@me:1
https://app.example:8443/callback?tenant=1&x=%C3%A4 https://xn--mnchen-3ya.example/cb http://127.0.0.1/callback
http://127.0.0.1:3000/callback http://[::1]:3000/callback http://localhost:3000/callback?x=1
"""
REJECTED = {
    "fragment": "https://app.example/cb#x https://app.example/cb#",
    "user name": "https://alice@app.example/cb https://alice:secret@app.example/cb http://127.0.0.1@evil.example/cb",
    "must be https": """
        http://app.example/cb http://127.0.0.2/cb http://127.1/cb http://2130706433/cb http://0x7f000001/cb
        http://0177.0.0.1/cb http://0.0.0.0/cb http://[::]/cb http://[0:0:0:0:0:0:0:1]/cb http://LOCALHOST/cb
        http://localhost.evil.example/cb http://app.localhost/cb http://localhost:0/cb
        """,
    "port": "http://localhost:99999/cb",
    "write https://app.example": "https://App.example/cb https://app.example:443/cb",
    "origin": "https:///cb https://app.example:x/cb",
    "wildcard": "https://*.app.example/cb https://app.example/*",
    "parameter code": "https://app.example/cb?a=1&code=2",
    "parameter state": "https://app.example/cb?%73tate",
    "percent-encode": """
        https://app.example/c\u00e4b https://app.example/cb% https://app.example/cb%0g https://app.example/\\cb
        https://app.example/"cb"
        """,
    "longer than": "https://app.example/" + "a" * MAX_CHARACTERS,
    "complete": """
        /callback //app.example/callback app.example/callback https:app.example/callback javascript:alert(1)
        data:text/html,x file:///etc/passwd blob:https://app.example/1 about:blank vbscript:x myapp:/callback
        Com.example.app:/callback com.example.app: .example:/callback com.example.app://[x/cb com.example.app:/cb?x[]=1
        """,
}
WITH_SPACES = ["https://app.example/c b", "https://app.example/cb\n", ""]
each_type = pytest.mark.parametrize("application_type", ["web", "spa", "native"])


@each_type
@pytest.mark.requirement("MC07", "RA06", "RA09", "NA01", "A29")
def test_https_and_loopback_uris_may_be_registered_by_every_type_of_client(application_type: str) -> None:
    assert {it for it in VALID.split() if redirect_uri_rejection_reason(it, application_type)} == set()


@each_type
@pytest.mark.requirement("RA09", "NA07")
@pytest.mark.parametrize("reason", REJECTED)
def test_unsafe_and_incomplete_uris_are_rejected_with_a_reason(reason: str, application_type: str) -> None:
    uris = [*REJECTED[reason].split(), *(WITH_SPACES if reason == "percent-encode" else [])]
    found = {uri: redirect_uri_rejection_reason(uri, application_type) or "" for uri in uris}

    assert {uri: said for uri, said in found.items() if reason not in said} == {}


@pytest.mark.requirement("RA09", "NA01", "NA02")
def test_only_native_apps_may_register_private_schemes() -> None:
    uri = "com.example.app:/callback"

    assert redirect_uri_rejection_reason(uri, "native") is None
    assert redirect_uri_rejection_reason("com.example.app://callback?x=1", "native") is None
    for application_type in ("web", "spa"):
        reason = redirect_uri_rejection_reason(uri, application_type)
        assert reason is not None
        assert "--application-type native" in reason


OTHER_SPELLINGS = """
https://app.example/callback/ https://app.example/callback?x=1 https://app.example/callback#
https://app.example/Callback https://APP.example/callback https://app.example:443/callback
https://app.example/call%62ack https://app.example/x/../callback https://app.example//callback
https://app.example/callback%00 https://app.example.evil.example/callback http://app.example/callback https://app.example
"""


@each_type
@pytest.mark.requirement("RA06", "I01")
def test_redirect_uris_are_compared_byte_for_byte(application_type: str) -> None:
    app, others = client(HTTPS, application_type=application_type), [*OTHER_SPELLINGS.split(), f"{HTTPS} ", ""]

    assert [it for it in [HTTPS, *others] if is_registered_redirect_uri(it, app)] == [HTTPS]


OTHER_URIS = """
http://127.0.0.1:3000/other http://127.0.0.1:3000/cb?x=1 http://127.0.0.1:3000/cb/ http://127.0.0.1:3000
http://127.0.0.1:0/cb http://127.0.0.1:65536/cb http://127.0.0.1:03000/cb http://127.0.0.1:/cb
http://127.0.0.1:3000x/cb http://127.0.0.1:\u0663/cb https://127.0.0.1:3000/cb http://localhost:3000/cb
http://[::1]:3000/cb http://127.1:3000/cb http://2130706433:3000/cb http://0.0.0.0:3000/cb http://[::]:3000/cb
http://127.0.0.1@evil.example:3000/cb http://127.0.0.1:3000@evil.example/cb http://127.0.0.1.evil.example:3000/cb
"""


@pytest.mark.requirement("RA07", "RA08", "NA07")
@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "localhost"])
def test_only_the_port_of_a_native_app_s_loopback_uri_may_differ(host: str) -> None:
    presented = [f"http://{host}{port}/cb?x=1" for port in ("", ":1", ":49152", ":65535")]
    for registered_port in ("", ":8400"):
        app = client(f"http://{host}{registered_port}/cb?x=1", application_type="native")
        assert [it for it in presented if not is_registered_redirect_uri(it, app)] == []

    app = client("http://127.0.0.1/cb", application_type="native")
    assert [it for it in OTHER_URIS.split() if is_registered_redirect_uri(it, app)] == []


@pytest.mark.requirement("RA07", "RA08")
@pytest.mark.parametrize(("scheme", "application_type"), [("http", "web"), ("http", "spa"), ("https", "native")])
def test_the_port_of_every_other_uri_is_exact(scheme: str, application_type: str) -> None:
    app = client(f"{scheme}://localhost:3000/cb", application_type=application_type)
    presented = [f"{scheme}://localhost{port}/cb" for port in (":3000", ":3001", "")]

    assert [is_registered_redirect_uri(it, app) for it in presented] == [True, False, False]
