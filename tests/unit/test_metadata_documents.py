"""Which metadata documents are valid, and for how long (draft-ietf-oauth-client-id-metadata-document-02)."""

import json
from typing import Any, Final

import pytest

from jeton.oauth.metadata_documents import MetadataDocumentError, cache_seconds, parse_document

URL: Final = "https://app.example/client.json"
DOCUMENT: Final = {"client_id": URL, "client_name": "App", "redirect_uris": ["https://app.example/callback"]}
JSON: Final = {"content-type": "application/json"}
KEY: Final = {
    "kty": "EC",
    "crv": "P-256",
    "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
    "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
}


def document(**members: Any) -> bytes:
    return json.dumps({name: it for name, it in {**DOCUMENT, **members}.items() if it is not None}).encode()


@pytest.mark.requirement("CI02", "CI05")
@pytest.mark.parametrize("media_type", ["application/json", "Application/JSON; charset=utf-8", "application/cimd+json"])
def test_document_describes_a_public_client(media_type: str) -> None:
    metadata = parse_document(URL, 200, {"content-type": media_type}, document(unknown={"a": [1]}))
    assert (metadata.public, metadata.name, metadata.redirect_uris) == (True, "App", ("https://app.example/callback",))


@pytest.mark.requirement("CI04")
def test_document_may_hold_public_keys() -> None:
    keys = {"keys": [KEY]}
    metadata = parse_document(URL, 200, JSON, document(token_endpoint_auth_method="private_key_jwt", jwks=keys))
    assert (metadata.public, metadata.jwks) == (False, keys)


@pytest.mark.parametrize(
    ("status", "media_type", "body", "reason"),
    [
        pytest.param(404, "application/json", document(), "status_not_200", id="not found"),
        pytest.param(201, "application/json", document(), "status_not_200", id="created"),
        pytest.param(301, "application/json", document(), "status_not_200", id="redirect"),
        pytest.param(200, "text/html", document(), "content_type_not_json", id="page"),
        pytest.param(200, "", document(), "content_type_not_json", id="no type"),
        pytest.param(200, "application/jsonp", document(), "content_type_not_json", id="script"),
        pytest.param(200, "application/json", b"", "document_not_json", id="empty"),
        pytest.param(200, "application/json", b"\xff", "document_not_json", id="not UTF-8"),
        pytest.param(200, "application/json", b"[" * 5000, "document_not_json", id="deep"),
        pytest.param(200, "application/json", b'{"a": NaN}', "document_not_json", id="not a number"),
        pytest.param(200, "application/json", b'{"client_id": 1, "client_id": 2}', "document_not_json", id="twice"),
        pytest.param(200, "application/json", b"[]", "document_not_json", id="array"),
        pytest.param(200, "application/json", b'"' + URL.encode() + b'"', "document_not_json", id="text"),
    ],
)
@pytest.mark.requirement("CI02")
def test_other_responses_are_no_documents(status: int, media_type: str, body: bytes, reason: str) -> None:
    with pytest.raises(MetadataDocumentError) as refused:
        parse_document(URL, status, {"content-type": media_type}, body)
    assert refused.value.reason == reason


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        pytest.param({"client_id": None}, "client_id_is_not_the_url", id="no client_id"),
        pytest.param({"client_id": URL + "/"}, "client_id_is_not_the_url", id="slash"),
        pytest.param({"client_id": "https://APP.example/client.json"}, "client_id_is_not_the_url", id="case"),
        pytest.param({"client_id": [URL]}, "client_id_is_not_the_url", id="list"),
        pytest.param({"client_secret": ""}, "document_with_secret", id="secret"),
        pytest.param({"client_secret_expires_at": 0}, "document_with_secret", id="end of a secret"),
        pytest.param({"token_endpoint_auth_method": "client_secret_basic"}, "token_endpoint_auth_method", id="basic"),
        pytest.param({"token_endpoint_auth_method": "client_secret_jwt"}, "token_endpoint_auth_method", id="jwt"),
        pytest.param({"token_endpoint_auth_method": "private_key_jwt"}, "jwks", id="no keys"),
        pytest.param({"jwks": {"keys": [{**KEY, "d": "AA"}]}}, "private or secret", id="private key"),
        pytest.param({"jwks": {"keys": [{"kty": "oct", "k": "AA"}]}}, "private or secret", id="symmetric key"),
        pytest.param({"redirect_uris": None}, "redirect_uris", id="no redirect URI"),
        pytest.param({"redirect_uris": ["http://app.example/"]}, "redirect_uris", id="redirect URI without TLS"),
        pytest.param({"grant_types": ["password"]}, "grant_types", id="password"),
    ],
)
@pytest.mark.requirement("CI03", "CI04", "CI05")
def test_invalid_document_is_refused(members: dict[str, Any], reason: str) -> None:
    with pytest.raises(MetadataDocumentError, match=reason):
        parse_document(URL, 200, JSON, document(**members))


DATE: Final = "Sun, 29 Nov 2026 12:00:00 GMT"


@pytest.mark.requirement("CI07")
@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, 3600),
        ({"cache-control": "max-age=600"}, 600),
        ({"cache-control": 'public, Max-Age="600", immutable'}, 600),
        ({"cache-control": "max-age=600, s-maxage=900"}, 900),
        ({"cache-control": "max-age=1000", "age": "400"}, 600),
        ({"cache-control": "max-age=1000", "age": "a lot"}, 1000),
        ({"cache-control": "max-age=0"}, 300),
        ({"cache-control": "max-age=60"}, 300),
        ({"cache-control": "max-age=31536000"}, 86400),
        ({"cache-control": "max-age=99999999999999"}, 86400),
        ({"cache-control": "max-age"}, 3600),
        ({"cache-control": "no-store"}, 300),
        ({"cache-control": "max-age=600, no-cache"}, 300),
        ({"cache-control": "private, max-age=600"}, 300),
        ({"expires": "Sun, 29 Nov 2026 13:30:00 GMT", "date": DATE}, 5400),
        ({"expires": "Sun, 29 Nov 2026 11:00:00 GMT", "date": DATE}, 300),
        ({"expires": "Mon, 29 Nov 2027 12:00:00 GMT", "date": DATE}, 86400),
        ({"expires": "0", "date": DATE}, 300),
        ({"expires": DATE}, 300),
        ({"expires": "Sun, 29 Nov 99999 13:30:00 GMT", "date": DATE}, 300),  # beyond the calendar
        ({"expires": DATE, "date": f"Sun, 29 Nov {'9' * 20} 12:00:00 GMT"}, 300),
        ({"cache-control": "max-age=600", "expires": "0", "date": DATE}, 600),
    ],
)
def test_documents_are_kept_as_their_servers_say_within_limits(headers: dict[str, str], seconds: int) -> None:
    assert cache_seconds(headers) == seconds
