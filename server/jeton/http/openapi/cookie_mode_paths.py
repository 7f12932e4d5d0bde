"""Cookie mode in the OpenAPI description: pages whose refresh token is in a cookie, and forward authentication."""

from typing import Any

from jeton.http.openapi.operations import STRING, form_operation, refused
from jeton.oauth.cookie_mode import (
    COOKIE_LOGOUT_PATH,
    COOKIE_SESSION_PATH,
    FORWARD_AUTH_PATH,
    HEADER,
    HEADER_VALUE,
)


def cookie_mode_paths() -> dict[str, Any]:
    """Return the paths for such pages, and for the web server in front of their API."""
    client_id = {"name": "client_id", "in": "query", "required": True, "schema": STRING}
    header = {"name": HEADER, "in": "header", "schema": {"const": HEADER_VALUE}}
    session = form_operation(
        "cookieSession", "Who is signed in, in cookie mode", "CookieLogoutRequest", "CookieSession"
    )
    del session["requestBody"]
    session |= {"security": [], "parameters": [client_id, header]}
    log_out = form_operation("cookieLogout", "Sign out, in cookie mode", "CookieLogoutRequest", "Empty")
    log_out |= {"security": [], "parameters": [header]}
    for operation in (session, log_out):
        operation["responses"]["403"] = refused("The request is not of a page of the client")
    forward = session | {"operationId": "forwardAuth", "summary": "Forward authentication, for a web server"}
    passes = {"description": "Forward the request, with this access token if there is one"}
    forward["responses"] = {
        "204": passes | {"headers": {"Authorization": {"required": False, "schema": STRING}}},
        **{status: it for status, it in session["responses"].items() if status not in ("200", "401")},
        "401": refused("There is no session", "WWW-Authenticate"),
    }
    return {
        COOKIE_SESSION_PATH: {"get": session},
        COOKIE_LOGOUT_PATH: {"post": log_out},
        FORWARD_AUTH_PATH: {"get": forward},
    }
