"""Endpoints of self-service as ASGI applications: one per path, each with its operations by method."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

from starlette.types import Receive, Scope, Send

from jeton.background.maintenance import Maintenance
from jeton.endpoints.account import change_password, show_account
from jeton.endpoints.account_sessions import end_session, end_sessions, list_sessions
from jeton.endpoints.bearer_authentication import Operation, for_bearer
from jeton.endpoints.messages import FormRequest
from jeton.grants.services import Services
from jeton.http.cors import allow_registered_origin, answer_options, parse_preflight
from jeton.http.dispatch import ask
from jeton.http.form_parsing import parse_form
from jeton.http.request_parsing import check_single, header_fields, read_form_request, source_of
from jeton.http.responses import render_method_not_allowed
from jeton.oauth.errors import AccessTokenError, ErrorCode, OAuthError

ACCOUNT_PATH: Final = "/account"
PASSWORD_PATH: Final = "/account/password"
SESSIONS_PATH: Final = "/account/sessions"
SESSION_PATH: Final = "/account/sessions/{sid}"
OPERATIONS: Final[Mapping[str, Mapping[str, Operation]]] = {
    ACCOUNT_PATH: {"GET": show_account},
    PASSWORD_PATH: {"POST": change_password},
    SESSIONS_PATH: {"GET": list_sessions, "DELETE": end_sessions},
    SESSION_PATH: {"DELETE": end_session},
}
# What the URI may say; all else, and a token above all, has no place there.
_IN_THE_URI: Final[Mapping[Operation, Collection[str]]] = {end_sessions: ("keep_current",)}


@dataclass(frozen=True, slots=True)
class AccountEndpoint:
    """One path, for pages of registered origins too."""

    operations: Mapping[str, Operation]
    services: Services
    maintenance: Maintenance

    @property
    def methods(self) -> list[str]:
        head = ("HEAD",) if "GET" in self.operations else ()
        return [*self.operations, *head, "OPTIONS"]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = header_fields(scope)
        origin, announced = headers.get(b"origin"), self.maintenance.client_capabilities.origins
        if scope["method"] == "OPTIONS":
            await answer_options(parse_preflight(scope), self.methods, announced).send(send)
            return
        operation = self.operations.get("GET" if scope["method"] == "HEAD" else scope["method"])
        if operation is None:
            await render_method_not_allowed(self.methods).send(send, *allow_registered_origin(origin, announced))
            return
        reading = _read(operation, scope, headers, receive)
        rendered, origins = await ask(for_bearer(operation), reading, scope, self.services)
        await rendered.send(send, *allow_registered_origin(origin, announced if origins is None else origins))


async def _read(operation: Operation, scope: Scope, headers: Mapping[bytes, str], receive: Receive) -> FormRequest:
    """The request, its parameters from the body of a POST, and else from the URI."""
    given = _in_the_uri(scope["query_string"], _IN_THE_URI.get(operation, ()))
    if scope["method"] == "POST":
        return await read_form_request(scope, headers, receive)
    check_single(headers)
    parameters = {**given, **scope["path_params"]}
    return FormRequest(parameters, headers.get(b"authorization"), source=source_of(scope, headers))


def _in_the_uri(query: bytes, permitted: Collection[str]) -> Mapping[str, str]:
    """What the URI says. A value left empty is a mistake here: a session may end by it."""
    if not query:
        return {}
    try:
        given = parse_form(query).parameters
    except OAuthError:
        given = {}
    if len(given) != query.count(b"&") + 1 or not given.keys() <= set(permitted):
        raise AccessTokenError(
            ErrorCode.INVALID_REQUEST, "The URI is malformed, or holds a parameter that has no place there."
        )
    return given
