"""Requests in cookie mode that are sent by GET: `client_id` is in the query, and the token in a cookie."""

from collections.abc import Mapping

from starlette.types import Receive, Scope

from jeton.endpoints.messages import FormRequest
from jeton.http.form_parsing import MAX_BYTES, parse_form
from jeton.http.request_parsing import check_single, source_of
from jeton.oauth.errors import malformed_request


async def read_cookie_request(scope: Scope, headers: Mapping[bytes, str], _: Receive) -> FormRequest:
    """Return the request. Raise OAuthError if it is malformed.

    An Authorization header is not for this server: a proxy passes on what the page sent to its own.
    """
    if len(scope["query_string"]) > MAX_BYTES:
        raise malformed_request("The URI is too long.", 414)
    check_single(headers)
    form = parse_form(scope["query_string"])
    return FormRequest(form.parameters, source=source_of(scope, headers), headers=headers)
