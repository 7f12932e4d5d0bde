"""How requests to the registration endpoints are read (RFC 7591 section 3.1, RFC 7592 section 2)."""

from collections.abc import Mapping
from typing import Final

from starlette.types import Receive, Scope

from jeton.endpoints.messages import FormRequest
from jeton.http.request_parsing import check_single, read_body, source_of
from jeton.oauth.errors import ErrorCode, OAuthError, malformed_request
from jeton.rules.json_objects import parse_json_object

_MEDIA_TYPE: Final = "application/json"


async def read_registration_request(scope: Scope, headers: Mapping[bytes, str], receive: Receive) -> FormRequest:
    """Return the request, with the JSON object of a POST or PUT. Raise OAuthError if it is malformed or too large."""
    if scope["query_string"]:
        raise malformed_request("Send the metadata in the request body, not in the URI.")
    check_single(headers)
    document = await _read_document(headers, receive) if scope["method"] in ("POST", "PUT") else {}
    parameters = scope.get("path_params", {})
    return FormRequest(parameters, headers.get(b"authorization"), source=source_of(scope, headers), document=document)


async def _read_document(headers: Mapping[bytes, str], receive: Receive) -> dict[str, object]:
    media_type = headers.get(b"content-type", "").partition(";")[0].strip(" \t").lower()
    if media_type != _MEDIA_TYPE:
        raise malformed_request(f"The body must be of the type {_MEDIA_TYPE}.", 415)
    body = await read_body(headers, receive)
    try:
        return parse_json_object(body)
    except ValueError:
        raise OAuthError(
            ErrorCode.INVALID_CLIENT_METADATA,
            "The body must be one JSON object in UTF-8, without repeated members, nested a few levels deep.",
        ) from None
