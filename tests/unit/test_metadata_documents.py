"""Which metadata documents are valid, and for how long (draft-ietf-oauth-client-id-metadata-document-02)."""

import json
from typing import Any, Final

import pytest

from jeton.oauth.registration.metadata_documents import MetadataDocumentError, cache_seconds, parse_document
from support.tables import rows

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


@pytest.mark.requirement("CI02", "CI04", "CI05")
def test_document_describes_a_public_client_or_one_with_keys() -> None:
    for media_type in ("application/json", "Application/JSON; charset=utf-8", "application/cimd+json"):
        metadata = parse_document(URL, 200, {"content-type": media_type}, document(unknown={"a": [1]}))
        assert (metadata.public, metadata.name) == (True, "App")
        assert metadata.redirect_uris == ("https://app.example/callback",)
    keys = {"keys": [KEY]}
    metadata = parse_document(URL, 200, JSON, document(token_endpoint_auth_method="private_key_jwt", jwks=keys))
    assert (metadata.public, metadata.jwks) == (False, keys)


NO_DOCUMENTS: Final[dict[str, list[dict[str, Any]]]] = {
    "status_not_200": [{"status": it} for it in (404, 201, 301)],
    "content_type_not_json": [{"headers": {"content-type": it}} for it in ("text/html", "", "application/jsonp")],
    "document_not_json": [
        {"body": it}
        for it in (
            b"",
            b"\xff",
            b"[" * 5000,
            b'{"a": NaN}',
            b'{"client_id": 1, "client_id": 2}',
            b"[]",
            b'"%b"' % URL.encode(),
        )
    ],
}


@pytest.mark.parametrize(("reason", "response"), rows(NO_DOCUMENTS))
@pytest.mark.requirement("CI02")
def test_other_responses_are_no_documents(reason: str, response: dict[str, Any]) -> None:
    usual: dict[str, Any] = {"status": 200, "headers": JSON, "body": document()}
    with pytest.raises(MetadataDocumentError) as refused:
        parse_document(URL, **usual | response)
    assert refused.value.reason == reason


INVALID: Final[dict[str, list[dict[str, Any]]]] = {
    "client_id_is_not_the_url": [
        {"client_id": it} for it in (None, URL + "/", "https://APP.example/client.json", [URL])
    ],
    "document_with_secret": [{"client_secret": ""}, {"client_secret_expires_at": 0}],
    "token_endpoint_auth_method": [
        {"token_endpoint_auth_method": it} for it in ("client_secret_basic", "client_secret_jwt")
    ],
    "jwks": [{"token_endpoint_auth_method": "private_key_jwt"}],
    "private or secret": [{"jwks": {"keys": [it]}} for it in ({**KEY, "d": "AA"}, {"kty": "oct", "k": "AA"})],
    "redirect_uris": [{"redirect_uris": it} for it in (None, ["http://app.example/"])],
    "grant_types": [{"grant_types": ["password"]}],
}


@pytest.mark.parametrize(("reason", "members"), rows(INVALID))
@pytest.mark.requirement("CI03", "CI04", "CI05")
def test_invalid_document_is_refused(reason: str, members: dict[str, Any]) -> None:
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
