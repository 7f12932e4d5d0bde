"""The OpenAPI 3.1 description of all endpoints. Tests compare the server with it."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from jeton.grants.description import Grant
from jeton.http.account_routes import ACCOUNT_PATH, PASSWORD_PATH, SESSION_PATH, SESSIONS_PATH
from jeton.http.form_parsing import MAX_BYTES
from jeton.http.openapi_pages import page_paths
from jeton.http.openapi_registration import REGISTRATION_SCHEMAS, registration_paths
from jeton.http.schemas import schemas
from jeton.oauth.cookie_mode import (
    COOKIE_LOGOUT_PATH,
    COOKIE_SESSION_PATH,
    FORWARD_AUTH_PATH,
    HEADER,
    HEADER_VALUE,
)
from jeton.oauth.discovery import USERINFO_PATH
from jeton.oauth.metadata import (
    INTROSPECTION_PATH,
    JWKS_PATH,
    METADATA_PATHS,
    PAR_PATH,
    REVOCATION_PATH,
    STATUS_LISTS_PATH,
    TOKEN_PATH,
)
from jeton.oauth.protected_resource import PROTECTED_RESOURCE_PATH
from jeton.oauth.self_service import ACCOUNT_SCOPE

_STRING: Final = {"type": "string"}
_ACCESS_TOKEN: Final[list[dict[str, Any]]] = [{"access_token": []}, {"bound_access_token": []}]
_REGISTRATION_TOKEN: Final = {
    "type": "http",
    "scheme": "bearer",
    "description": "An initial access token (RFC 7591), or the registration access token of the client (RFC 7592)",
}
_FORM: Final = "application/x-www-form-urlencoded"


def openapi_document(
    issuer: str, version: str, grants: Sequence[Grant], *, registration: bool = False
) -> dict[str, Any]:
    """Return the document (OpenAPI 3.1.0) of a server with this issuer that offers these grants.

    `registration` says whether programs can register themselves.
    """
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Jeton",
            "version": version,
            "description": "An OAuth 2 authorization server.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": issuer}],
        "paths": {**_paths(), **(registration_paths() if registration else {})},
        "components": {
            "schemas": {**schemas(grants), **(REGISTRATION_SCHEMAS if registration else {})},
            "securitySchemes": {
                "client_secret_basic": {
                    "type": "http",
                    "scheme": "basic",
                    "description": "client_id and client_secret, each form-encoded (RFC 6749 section 2.3.1)",
                },
                **({"registration_token": _REGISTRATION_TOKEN} if registration else {}),
                "access_token": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "JWT",
                    "description": f"A user's access token with the scope {ACCOUNT_SCOPE} (RFC 6750)",
                },
                "bound_access_token": {
                    "type": "http",
                    "scheme": "dpop",
                    "description": "The same, bound to a key, with a proof in the header DPoP (RFC 9449)",
                },
            },
        },
    }


def _paths() -> dict[str, Any]:
    proof = {"DPoP": _STRING}
    headers = {"Idempotency-Key": {"type": "string", "pattern": "^[ -~]{1,255}$"}, **proof}
    push = _form("push", "Push an authorization request (RFC 9126)", "AuthorizationRequest", "PushedRequest", proof)
    push["responses"]["201"] = push["responses"].pop("200") | {"description": "Accepted"}
    return {
        PAR_PATH: {"post": push},
        TOKEN_PATH: {"post": _form("token", "Redeem a grant (RFC 6749)", "TokenRequest", "TokenResponse", headers)},
        REVOCATION_PATH: {"post": _form("revoke", "Revoke a token (RFC 7009)", "RevocationRequest", "Empty")},
        INTROSPECTION_PATH: {
            "post": _form("introspect", "Introspect a token (RFC 7662)", "IntrospectionRequest", "Introspection")
        },
        **page_paths(),
        **_account_paths(),
        **_cookie_mode_paths(),
        USERINFO_PATH: _userinfo(),
        STATUS_LISTS_PATH: {"get": _document("statusLists", "All status lists, by address", "StatusLists")},
        STATUS_LISTS_PATH + "/{number}": {"get": _status_list()},
        JWKS_PATH: {"get": _document("keySet", "Keys that verify access tokens (RFC 7517)", "KeySet")},
        **{
            path: {"get": _document(operation, "Server metadata (RFC 8414)", "Metadata")}
            for path, operation in zip(METADATA_PATHS, ("metadata", "openidConfiguration"), strict=True)
        },
        PROTECTED_RESOURCE_PATH: {
            "get": _document("protectedResource", "Metadata of /account and userinfo (RFC 9728)", "ProtectedResource")
        },
        "/openapi.json": {"get": _document("openapi", "This document", "OpenApi")},
        "/livez": {"get": _health("livez", "The process answers")},
        "/readyz": {"get": _health("readyz", "The server is able to serve", unready=True)},
    }


def _form(
    operation: str, summary: str, request: str, response: str, headers: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Return the operation of a form endpoint. Clients authenticate by Basic, or by parameters of the form."""
    return {
        "operationId": operation,
        "summary": summary,
        "security": [{"client_secret_basic": []}, {}],
        "parameters": [{"name": name, "in": "header", "schema": schema} for name, schema in (headers or {}).items()],
        "requestBody": {"required": True, "content": {_FORM: {"schema": _reference(request)}}},
        "responses": {
            "200": {"description": "Done", "content": _json(response)},
            "400": _refused("Refused"),
            "401": _refused("The client did not authenticate", "WWW-Authenticate"),
            "413": _refused(f"The body has more than {MAX_BYTES} bytes"),
            "415": _refused("The body is compressed"),
            "429": _refused("Too many requests", "Retry-After"),
            "500": _refused("The server failed"),
            "503": _refused("Try again", "Retry-After"),
        },
    }


def _account_paths() -> dict[str, Any]:
    """Return the paths of self-service, which take a user's access token."""
    keep = {
        "name": "keep_current",
        "in": "query",
        "schema": {"type": "boolean"},
        "description": "Keep the current session",
    }
    sid = {"name": "sid", "in": "path", "required": True, "schema": _STRING | {"pattern": "^[A-Za-z0-9_-]{22}$"}}
    change = _for_user("changePassword", "Change the password, and end sessions", "SessionsEnded")
    change["requestBody"] = {"required": True, "content": {_FORM: {"schema": _reference("PasswordChange")}}}
    change["responses"] |= {
        "413": _refused(f"The body has more than {MAX_BYTES} bytes"),
        "415": _refused("The body is compressed"),
        "429": _refused("Too many requests", "Retry-After"),
    }
    end_one = _for_user("endSession", "End one session", "SessionsEnded", sid)
    end_one["responses"]["404"] = _refused("You have no such session, or it has ended")
    return {
        ACCOUNT_PATH: {"get": _for_user("account", "Show the account", "Account")},
        PASSWORD_PATH: {"post": change},
        SESSIONS_PATH: {
            "get": _for_user("sessions", "List the live sessions", "Sessions"),
            "delete": _for_user("endSessions", "End all sessions", "SessionsEnded", keep),
        },
        SESSION_PATH: {"delete": end_one},
    }


def _cookie_mode_paths() -> dict[str, Any]:
    """Return the paths of pages whose refresh token is in a cookie, and of the web server in front of their API."""
    client_id = {"name": "client_id", "in": "query", "required": True, "schema": _STRING}
    header = {"name": HEADER, "in": "header", "schema": {"const": HEADER_VALUE}}
    session = _form("cookieSession", "Who is signed in, in cookie mode", "CookieLogoutRequest", "CookieSession")
    del session["requestBody"]
    session |= {"security": [], "parameters": [client_id, header]}
    log_out = _form("cookieLogout", "Sign out, in cookie mode", "CookieLogoutRequest", "Empty")
    log_out |= {"security": [], "parameters": [header]}
    for operation in (session, log_out):
        operation["responses"]["403"] = _refused("The request is not of a page of the client")
    forward = session | {"operationId": "forwardAuth", "summary": "Forward authentication, for a web server"}
    passes = {"description": "Forward the request, with this access token if there is one"}
    forward["responses"] = {
        "204": passes | {"headers": {"Authorization": {"required": False, "schema": _STRING}}},
        **{status: it for status, it in session["responses"].items() if status not in ("200", "401")},
        "401": _refused("There is no session", "WWW-Authenticate"),
    }
    return {
        COOKIE_SESSION_PATH: {"get": session},
        COOKIE_LOGOUT_PATH: {"post": log_out},
        FORWARD_AUTH_PATH: {"get": forward},
    }


def _userinfo() -> dict[str, Any]:
    """Return both operations of the userinfo endpoint. The token may be in the form of a POST."""
    post = _for_user("userinfoByPost", "Claims about the user (OpenID Connect)", "Userinfo")
    post["requestBody"] = {"required": False, "content": {_FORM: {"schema": _reference("UserinfoRequest")}}}
    post["security"] = [*_ACCESS_TOKEN, {}]
    post["responses"] |= {
        "413": _refused(f"The body has more than {MAX_BYTES} bytes"),
        "415": _refused("The body is compressed"),
    }
    return {"get": _for_user("userinfo", "Claims about the user (OpenID Connect)", "Userinfo"), "post": post}


def _for_user(operation: str, summary: str, response: str, *parameters: dict[str, Any]) -> dict[str, Any]:
    return {
        "operationId": operation,
        "summary": summary,
        "security": _ACCESS_TOKEN,
        "parameters": [*parameters, {"name": "DPoP", "in": "header", "schema": _STRING}],
        "responses": {
            "200": {"description": "Done", "content": _json(response)},
            "400": _refused("Refused"),
            "401": _refused("Missing or invalid access token", "WWW-Authenticate", "Challenge"),
            "403": _refused("Insufficient scope", "WWW-Authenticate"),
            "500": _refused("The server failed"),
            "503": _refused("Try again", "Retry-After"),
        },
    }


def _refused(description: str, header: str | None = None, schema: str = "Error") -> dict[str, Any]:
    headers = {"headers": {header: {"required": True, "schema": _STRING}}} if header else {}
    return {"description": description, **headers, "content": _json(schema)}


def _document(operation: str, summary: str, schema: str) -> dict[str, Any]:
    media_type = "application/jwk-set+json" if schema == "KeySet" else "application/json"
    content = {media_type: {"schema": _reference(schema)}}
    return {
        "operationId": operation,
        "summary": summary,
        "security": [],
        "responses": {
            "200": {"description": "The document", "content": content},
            "304": {"description": "Not modified: the ETag is still the same"},
        },
    }


def _status_list() -> dict[str, Any]:
    """Return the operation of a status list. If they are switched off, both paths answer 404."""
    document = _document("statusList", "Which access tokens ended early (draft-ietf-oauth-status-list)", "StatusList")
    document["parameters"] = [
        {"name": "number", "in": "path", "required": True, "schema": {"type": "integer", "minimum": 0}}
    ]
    document["responses"]["200"]["content"] = {"application/statuslist+jwt": {"schema": _STRING}}
    document["responses"]["404"] = _refused("There is no such list")
    return document


def _health(operation: str, summary: str, *, unready: bool = False) -> dict[str, Any]:
    responses = {"200": {"description": "Healthy", "content": _json("Health")}}
    if unready:
        responses["503"] = {"description": "Not ready", "content": _json("Health")}
    return {"operationId": operation, "summary": summary, "security": [], "responses": responses}


def _json(schema: str) -> dict[str, Any]:
    return {"application/json": {"schema": _reference(schema)}}


def _reference(schema: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{schema}"}
