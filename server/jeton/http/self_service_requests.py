"""Paths of self-service, and how requests with a user's access token are read."""

from collections.abc import Collection, Mapping
from typing import Final

from starlette.types import Receive, Scope

from jeton.endpoints.messages import FormRequest
from jeton.http.form_parsing import parse_form
from jeton.http.method_router import Read
from jeton.http.request_parsing import check_single, read_form_request, source_of
from jeton.oauth.errors import OAuthError, malformed_bearer_request

ACCOUNT_PATH: Final = "/account"
PASSWORD_PATH: Final = "/account/password"
SESSIONS_PATH: Final = "/account/sessions"
SESSION_PATH: Final = "/account/sessions/{sid}"


def read_self_service_request(*query_parameters: str) -> Read:
    """Return a reader of requests whose URI may hold these parameters only, and above all no token.

    Parameters come from the body of a POST, and else from the path and the query.
    """

    async def read(scope: Scope, headers: Mapping[bytes, str], receive: Receive) -> FormRequest:
        query = _parse_query(scope["query_string"], query_parameters)
        if scope["method"] == "POST":
            return await read_form_request(scope, headers, receive)
        check_single(headers)
        # Paths without parameters are dispatched without Starlette, which sets them.
        parameters = {**query, **scope.get("path_params", {})}
        return _without_body(parameters, scope, headers)

    return read


async def read_userinfo_request(scope: Scope, headers: Mapping[bytes, str], receive: Receive) -> FormRequest:
    """Return a request to the userinfo endpoint. A POST may have no body: then the token is in the header."""
    if scope["method"] == "POST" and b"content-type" in headers:
        return await read_form_request(scope, headers, receive)
    _parse_query(scope["query_string"], ())
    check_single(headers)
    return _without_body({}, scope, headers)


def _without_body(parameters: Mapping[str, str], scope: Scope, headers: Mapping[bytes, str]) -> FormRequest:
    source, authorization = source_of(scope, headers), headers.get(b"authorization")
    return FormRequest(parameters, authorization, source=source, headers=headers, method=scope["method"])


def _parse_query(query: bytes, permitted: Collection[str]) -> Mapping[str, str]:
    """Return the parameters of the query. Refuse an empty value: a session may end by that mistake."""
    if not query:
        return {}
    try:
        parameters = parse_form(query).parameters
    except OAuthError:
        parameters = {}
    if len(parameters) != query.count(b"&") + 1 or not parameters.keys() <= set(permitted):
        raise malformed_bearer_request("The URI is malformed, or holds a parameter that has no place there.")
    return parameters
