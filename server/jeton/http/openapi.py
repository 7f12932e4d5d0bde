"""The OpenAPI 3.1 description of everything that is offered over HTTP. The suite holds the server to it."""

from collections.abc import Mapping
from typing import Any, Final

from jeton.http.account_routes import ACCOUNT_PATH, PASSWORD_PATH, SESSION_PATH, SESSIONS_PATH
from jeton.http.form_parsing import MAX_BYTES
from jeton.http.schemas import SCHEMAS
from jeton.oauth.metadata import (
    INTROSPECTION_PATH,
    JWKS_PATH,
    METADATA_PATHS,
    REVOCATION_PATH,
    STATUS_LISTS_PATH,
    TOKEN_PATH,
)
from jeton.oauth.self_service import ACCOUNT_SCOPE

_STRING: Final = {"type": "string"}
_FORM: Final = "application/x-www-form-urlencoded"


def openapi_document(issuer: str, version: str) -> dict[str, Any]:
    """The document (OpenAPI 3.1.0) of a server with this issuer."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Jeton",
            "version": version,
            "description": "An OAuth 2 authorization server.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": issuer}],
        "paths": _paths(),
        "components": {
            "schemas": SCHEMAS,
            "securitySchemes": {
                "client_secret_basic": {
                    "type": "http",
                    "scheme": "basic",
                    "description": "client_id and client_secret, each form-encoded (RFC 6749 section 2.3.1)",
                },
                "access_token": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "JWT",
                    "description": f"A user's access token with the scope {ACCOUNT_SCOPE} (RFC 6750)",
                },
            },
        },
    }


def _paths() -> dict[str, Any]:
    retry = {"Idempotency-Key": {"type": "string", "pattern": "^[ -~]{1,255}$"}}
    return {
        TOKEN_PATH: {"post": _form("token", "Redeem a grant (RFC 6749)", "TokenRequest", "TokenResponse", retry)},
        REVOCATION_PATH: {"post": _form("revoke", "End a token (RFC 7009)", "TokenToEnd", "Empty")},
        INTROSPECTION_PATH: {"post": _form("introspect", "What a token is (RFC 7662)", "TokenToRead", "Introspection")},
        **_account_paths(),
        STATUS_LISTS_PATH: {"get": _document("statusLists", "All status lists, by address", "StatusLists")},
        STATUS_LISTS_PATH + "/{number}": {"get": _status_list()},
        JWKS_PATH: {"get": _document("keySet", "Keys that verify access tokens (RFC 7517)", "KeySet")},
        **{
            path: {"get": _document(operation, "What this server offers (RFC 8414)", "Metadata")}
            for path, operation in zip(METADATA_PATHS, ("metadata", "openidConfiguration"), strict=True)
        },
        "/openapi.json": {"get": _document("openapi", "This document", "OpenApi")},
        "/livez": {"get": _health("livez", "The process answers")},
        "/readyz": {"get": _health("readyz", "The server is able to serve", unready=True)},
    }


def _form(
    operation: str, summary: str, request: str, response: str, headers: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """A form endpoint. A client names itself by Basic, or by client_id (and client_secret) in the form."""
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
            "429": _refused("Held back: come again later", "Retry-After"),
            "500": _refused("The server failed"),
            "503": _refused("Try again", "Retry-After"),
        },
    }


def _account_paths() -> dict[str, Any]:
    """Self-service: what a user does with a token of their own."""
    keep = {
        "name": "keep_current",
        "in": "query",
        "schema": {"type": "boolean"},
        "description": "Spare the session that asks",
    }
    sid = {"name": "sid", "in": "path", "required": True, "schema": _STRING | {"pattern": "^[A-Za-z0-9_-]{22}$"}}
    change = _for_user("changePassword", "Change the password, and end sessions", "SessionsEnded")
    change["requestBody"] = {"required": True, "content": {_FORM: {"schema": _reference("PasswordChange")}}}
    change["responses"] |= {
        "413": _refused(f"The body has more than {MAX_BYTES} bytes"),
        "415": _refused("The body is compressed"),
        "429": _refused("Held back: come again later", "Retry-After"),
    }
    end_one = _for_user("endSession", "End one session", "SessionsEnded", sid)
    end_one["responses"]["404"] = _refused("You have no such session, or it has ended")
    return {
        ACCOUNT_PATH: {"get": _for_user("account", "What is known of the user", "Account")},
        PASSWORD_PATH: {"post": change},
        SESSIONS_PATH: {
            "get": _for_user("sessions", "Where the user is logged in", "Sessions"),
            "delete": _for_user("endSessions", "End all sessions", "SessionsEnded", keep),
        },
        SESSION_PATH: {"delete": end_one},
    }


def _for_user(operation: str, summary: str, response: str, *parameters: dict[str, Any]) -> dict[str, Any]:
    return {
        "operationId": operation,
        "summary": summary,
        "security": [{"access_token": []}],
        "parameters": list(parameters),
        "responses": {
            "200": {"description": "Done", "content": _json(response)},
            "400": _refused("Refused"),
            "401": _refused("No access token that is good here", "WWW-Authenticate", "Challenge"),
            "403": _refused("The access token has not the scope", "WWW-Authenticate"),
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
            "304": {"description": "You have it: the ETag is still the same"},
        },
    }


def _status_list() -> dict[str, Any]:
    """Some deployments have no lists: then there is nothing at these two paths."""
    document = _document("statusList", "Which access tokens ended early (draft-ietf-oauth-status-list)", "StatusList")
    document["parameters"] = [
        {"name": "number", "in": "path", "required": True, "schema": {"type": "integer", "minimum": 0}}
    ]
    document["responses"]["200"]["content"] = {"application/statuslist+jwt": {"schema": _STRING}}
    document["responses"]["404"] = _refused("There is no such list")
    return document


def _health(operation: str, summary: str, *, unready: bool = False) -> dict[str, Any]:
    responses = {"200": {"description": "Yes", "content": _json("Health")}}
    if unready:
        responses["503"] = {"description": "Not now", "content": _json("Health")}
    return {"operationId": operation, "summary": summary, "security": [], "responses": responses}


def _json(schema: str) -> dict[str, Any]:
    return {"application/json": {"schema": _reference(schema)}}


def _reference(schema: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{schema}"}
