"""The OpenAPI 3.1 description of everything that is offered over HTTP. The suite holds the server to it."""

from collections.abc import Mapping
from typing import Any, Final

from jeton.grants import GRANTS
from jeton.http.form import MOST_BYTES
from jeton.oauth.errors import ErrorCode
from jeton.oauth.metadata import (
    INTROSPECTION_PATH,
    JWKS_PATH,
    METADATA_PATH,
    REVOCATION_PATH,
    STATUS_LISTS_PATH,
    TOKEN_PATH,
)

_STRING: Final = {"type": "string"}
_INTEGER: Final = {"type": "integer"}
_STRINGS: Final = {"type": "array", "items": _STRING}
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
            "schemas": _SCHEMAS,
            "securitySchemes": {
                "client_secret_basic": {
                    "type": "http",
                    "scheme": "basic",
                    "description": "client_id and client_secret, each form-encoded (RFC 6749 section 2.3.1)",
                }
            },
        },
    }


def _paths() -> dict[str, Any]:
    retry = {"Idempotency-Key": {"type": "string", "pattern": "^[ -~]{1,255}$"}}
    return {
        TOKEN_PATH: {"post": _form("token", "Redeem a grant (RFC 6749)", "TokenRequest", "TokenResponse", retry)},
        REVOCATION_PATH: {"post": _form("revoke", "End a token (RFC 7009)", "TokenToEnd", None)},
        INTROSPECTION_PATH: {"post": _form("introspect", "What a token is (RFC 7662)", "TokenToRead", "Introspection")},
        STATUS_LISTS_PATH: {"get": _document("statusLists", "All status lists, by address", "StatusLists")},
        STATUS_LISTS_PATH + "/{number}": {"get": _status_list()},
        JWKS_PATH: {"get": _document("keySet", "Keys that verify access tokens (RFC 7517)", "KeySet")},
        METADATA_PATH: {"get": _document("metadata", "What this server offers (RFC 8414)", "Metadata")},
        "/openapi.json": {"get": _document("openapi", "This document", "OpenApi")},
        "/livez": {"get": _health("livez", "The process answers")},
        "/readyz": {"get": _health("readyz", "The server is able to serve", unready=True)},
    }


def _form(
    operation: str, summary: str, request: str, response: str | None, headers: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """A form endpoint. A client names itself by Basic, or by client_id (and client_secret) in the form."""
    content = {"content": _json(response)} if response else {}
    return {
        "operationId": operation,
        "summary": summary,
        "security": [{"client_secret_basic": []}, {}],
        "parameters": [{"name": name, "in": "header", "schema": schema} for name, schema in (headers or {}).items()],
        "requestBody": {"required": True, "content": {_FORM: {"schema": _reference(request)}}},
        "responses": {
            "200": {"description": "Done", **content},
            "400": _refused("Refused"),
            "401": _refused("The client did not authenticate", "WWW-Authenticate"),
            "413": _refused(f"The body has more than {MOST_BYTES} bytes"),
            "415": _refused("The body is compressed"),
            "429": _refused("Held back: come again later", "Retry-After"),
            "500": _refused("The server failed"),
            "503": _refused("Try again", "Retry-After"),
        },
    }


def _refused(description: str, header: str | None = None) -> dict[str, Any]:
    headers = {"headers": {header: {"required": True, "schema": _STRING}}} if header else {}
    return {"description": description, **headers, "content": _json("Error")}


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
    document["parameters"] = [{"name": "number", "in": "path", "required": True, "schema": _INTEGER | {"minimum": 0}}]
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


def _object(required: tuple[str, ...], /, **properties: Any) -> dict[str, Any]:
    return {"type": "object", "required": list(required), "properties": properties}


def _key(kty: str, alg: str, **numbers: Any) -> dict[str, Any]:
    """A public key (RFC 7517 section 4): one that verifies, by one algorithm."""
    shared = {"kty": {"const": kty}, "alg": {"const": alg}, "use": {"const": "sig"}, "kid": _STRING}
    return _object((*shared, *numbers), **shared, **numbers)


_CLIENT: Final = {"client_id": _STRING, "client_secret": _STRING}
_TOKEN: Final = {"token": _STRING, "token_type_hint": _STRING}
_AUDIENCE: Final = {"oneOf": [_STRING, _STRINGS]}

_SCHEMAS: Final = {
    "TokenRequest": _object(
        ("grant_type",),
        grant_type={"type": "string", "enum": sorted(GRANTS)},
        scope=_STRING,
        username=_STRING,
        password=_STRING,
        refresh_token=_STRING,
        **_CLIENT,
    ),
    "TokenResponse": _object(
        ("access_token", "token_type", "expires_in"),
        access_token=_STRING,
        token_type={"const": "Bearer"},
        expires_in=_INTEGER,
        refresh_token=_STRING,
        scope=_STRING,
    ),
    "TokenToEnd": _object(("token",), **_TOKEN, **_CLIENT),
    "TokenToRead": _object(("token",), **_TOKEN, **_CLIENT),
    "Introspection": _object(
        ("active",),
        active={"type": "boolean"},
        token_type={"const": "Bearer"},
        iss=_STRING,
        sub=_STRING,
        aud=_AUDIENCE,
        exp=_INTEGER,
        iat=_INTEGER,
        jti=_STRING,
        client_id=_STRING,
        username=_STRING,
        scope=_STRING,
        sid=_STRING,
        auth_time=_INTEGER,
        amr=_STRINGS,
        roles=_STRINGS,
        preferred_username=_STRING,
        email=_STRING,
    ),
    "Error": _object(
        ("error", "error_description"),
        error={"type": "string", "enum": [code.value for code in ErrorCode]},
        error_description=_STRING,
    ),
    "KeySet": _object(
        ("keys",),
        keys={
            "type": "array",
            "items": {
                "oneOf": [
                    _key("RSA", "RS256", n=_STRING, e=_STRING),
                    _key("EC", "ES256", crv={"const": "P-256"}, x=_STRING, y=_STRING),
                    _key("OKP", "EdDSA", crv={"const": "Ed25519"}, x=_STRING),
                ]
            },
        },
    ),
    "Metadata": _object(
        ("issuer", "token_endpoint", "jwks_uri", "response_types_supported", "grant_types_supported"),
        issuer=_STRING,
        token_endpoint=_STRING,
        revocation_endpoint=_STRING,
        introspection_endpoint=_STRING,
        jwks_uri=_STRING,
        response_types_supported=_STRINGS,
        grant_types_supported=_STRINGS,
        token_endpoint_auth_methods_supported=_STRINGS,
        revocation_endpoint_auth_methods_supported=_STRINGS,
        introspection_endpoint_auth_methods_supported=_STRINGS,
        status_list_aggregation_endpoint=_STRING,
    ),
    "StatusLists": _object(("status_lists",), status_lists=_STRINGS),
    "OpenApi": _object(("openapi",), openapi={"const": "3.1.0"}),
    "Health": _object(("status",), status=_STRING),
}
