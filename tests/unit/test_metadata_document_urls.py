"""Which client identifiers are URLs of metadata documents (draft-ietf-oauth-client-id-metadata-document-02 3)."""

import pytest

from jeton.oauth.registration.metadata_document_urls import authority_of, host_name, is_document_url

DOCUMENT = "https://app.example/client.json"


VALID = f"""
{DOCUMENT} https://app.example:8443/client.json https://app.example/ https://app.example/a/b%20c?v=2
https://app.example/.well-known/client https://app.example/a..b/... https://[2001:db8::1]/client
https://xn--bcher-kva.example/client https://app.example/{"a" * 492}
""".split()
INVALID = f"""
https://app.example/{"a" * 493} https://app.example https://app.example?client https://app.example/client#part
https://app.example/client?v=[1] https://user@app.example/client https://user:word@app.example/client
https://app.example/./client https://app.example/a/../client https://app.example/a/.. https://app.example/%2E%2e/client
https://app.example/.%2e/client https://app.example/a\\..\\client https://app.example/ä https://App.example/client
HTTPS://app.example/client https://app.example:443/client https://app.example:0/client https://app.example:99999/client
https://bücher.example/client https:///client https:/app.example/client http://app.example/client
http://127.0.0.1/client com.example.app:/client web
""".split()
LOOPBACK = ["http://127.0.0.1:8080/client", "http://[::1]/client", "http://localhost:8080/client", DOCUMENT]


@pytest.mark.requirement("CI01")
def test_only_https_urls_with_a_path_are_document_urls() -> None:
    assert [it for it in [*VALID, *INVALID, "https://app.example/a b", ""] if is_document_url(it)] == VALID


def test_plain_http_is_for_loopback_in_development() -> None:
    others = ["http://192.168.0.1/client", "http://app.example/client"]

    assert [it for it in LOOPBACK + others if is_document_url(it, loopback=True)] == LOOPBACK


def test_host_identifies_the_client() -> None:
    hosts = {
        DOCUMENT: ("app.example", "app.example"),
        "https://app.example:8443/client": ("app.example:8443", "app.example"),
        "https://[2001:db8::1]:8443/client": ("[2001:db8::1]:8443", "2001:db8::1"),
    }

    assert {it: (authority_of(it), host_name(it)) for it in hosts} == hosts
