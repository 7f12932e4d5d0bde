"""Which client identifiers are URLs of metadata documents (draft-ietf-oauth-client-id-metadata-document-02 3)."""

import pytest

from jeton.oauth.metadata_document_urls import host_name, host_of, is_document_url

DOCUMENT = "https://app.example/client.json"


@pytest.mark.requirement("CI01")
@pytest.mark.parametrize(
    ("client_id", "is_one"),
    [
        (DOCUMENT, True),
        ("https://app.example:8443/client.json", True),
        ("https://app.example/", True),
        ("https://app.example/a/b%20c?v=2", True),
        ("https://app.example/.well-known/client", True),
        ("https://app.example/a..b/...", True),
        ("https://[2001:db8::1]/client", True),
        ("https://xn--bcher-kva.example/client", True),
        ("https://app.example/" + "a" * 492, True),
        ("https://app.example/" + "a" * 493, False),
        ("https://app.example", False),
        ("https://app.example?client", False),
        ("https://app.example/client#part", False),
        ("https://app.example/client?v=[1]", False),
        ("https://user@app.example/client", False),
        ("https://user:word@app.example/client", False),
        ("https://app.example/./client", False),
        ("https://app.example/a/../client", False),
        ("https://app.example/a/..", False),
        ("https://app.example/%2E%2e/client", False),
        ("https://app.example/.%2e/client", False),
        ("https://app.example/a\\..\\client", False),
        ("https://app.example/a b", False),
        ("https://app.example/ä", False),
        ("https://App.example/client", False),
        ("HTTPS://app.example/client", False),
        ("https://app.example:443/client", False),
        ("https://app.example:0/client", False),
        ("https://app.example:99999/client", False),
        ("https://b\u00fccher.example/client", False),
        ("https:///client", False),
        ("https:/app.example/client", False),
        ("http://app.example/client", False),
        ("http://127.0.0.1/client", False),
        ("com.example.app:/client", False),
        ("web", False),
        ("", False),
    ],
)
def test_client_identifiers(client_id: str, is_one: bool) -> None:
    assert is_document_url(client_id) is is_one


@pytest.mark.parametrize(
    ("client_id", "is_one"),
    [
        ("http://127.0.0.1:8080/client", True),
        ("http://[::1]/client", True),
        ("http://localhost:8080/client", True),
        ("http://192.168.0.1/client", False),
        ("http://app.example/client", False),
        (DOCUMENT, True),
    ],
)
def test_plain_http_is_for_loopback_in_development(client_id: str, is_one: bool) -> None:
    assert is_document_url(client_id, loopback=True) is is_one


@pytest.mark.parametrize(
    ("client_id", "host", "name"),
    [
        (DOCUMENT, "app.example", "app.example"),
        ("https://app.example:8443/client", "app.example:8443", "app.example"),
        ("https://[2001:db8::1]:8443/client", "[2001:db8::1]:8443", "2001:db8::1"),
    ],
)
def test_host_stands_for_the_client(client_id: str, host: str, name: str) -> None:
    assert (host_of(client_id), host_name(client_id)) == (host, name)
