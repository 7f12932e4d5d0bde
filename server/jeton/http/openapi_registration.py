"""The part of the OpenAPI description that concerns registration (RFC 7591, RFC 7592), where it is switched on."""

from typing import Any, Final

from jeton.http.form_parsing import MAX_BYTES
from jeton.oauth.client_metadata import LINKS
from jeton.oauth.clients import ID_TOKEN_ALGORITHMS
from jeton.oauth.dynamic_registration import AUTH_METHODS, CLIENT_PATH, REGISTRATION_PATH

_STRING: Final = {"type": "string"}
_STRINGS: Final = {"type": "array", "items": _STRING}
_INTEGER: Final = {"type": "integer"}
_BOOLEAN: Final = {"type": "boolean"}
# All of it is optional but `redirect_uris`, and other members are ignored (RFC 7591 section 2).
_METADATA: Final[dict[str, Any]] = {
    "redirect_uris": _STRINGS,
    "token_endpoint_auth_method": {"enum": list(AUTH_METHODS)},
    "grant_types": _STRINGS,
    "response_types": _STRINGS,
    "application_type": {"enum": ["web", "native"]},
    "client_name": _STRING,
    "scope": _STRING,
    "post_logout_redirect_uris": _STRINGS,
    "id_token_signed_response_alg": {"enum": list(ID_TOKEN_ALGORITHMS)},
    "require_pushed_authorization_requests": _BOOLEAN,
    "dpop_bound_access_tokens": _BOOLEAN,
    "jwks": {"type": "object"},
    "jwks_uri": _STRING,
    **dict.fromkeys(LINKS, _STRING),
}
_REGISTERED: Final = ("client_id", "client_id_issued_at", "redirect_uris", "token_endpoint_auth_method", "grant_types")

REGISTRATION_SCHEMAS: Final[dict[str, Any]] = {
    "ClientMetadata": {"type": "object", "required": ["redirect_uris"], "properties": _METADATA},
    "ClientUpdate": {
        "type": "object",
        "required": ["client_id", "redirect_uris"],
        "properties": {"client_id": _STRING, "client_secret": _STRING, **_METADATA},
    },
    "ClientInformation": {
        "type": "object",
        "required": [*_REGISTERED, "response_types", "application_type"],
        "properties": {
            **_METADATA,
            "client_id": _STRING,
            "client_id_issued_at": _INTEGER,
            "client_secret": _STRING,
            "client_secret_expires_at": {"const": 0},
            "registration_client_uri": _STRING,
            "registration_access_token": _STRING,
        },
    },
}


def registration_paths() -> dict[str, Any]:
    """Return the operations by path."""
    register = _operation("registerClient", "Register a client (RFC 7591)", "201", "ClientMetadata")
    register["responses"]["429"] = _refused("Too many registrations", "Retry-After")
    register["security"] = [{}, {"registration_token": []}]
    update = _operation("updateClient", "Replace the metadata of a client (RFC 7592)", "200", "ClientUpdate")
    delete = _operation("deleteClient", "Delete a client (RFC 7592)", "204")
    client_id = {"name": "client_id", "in": "path", "required": True, "schema": _STRING}
    return {
        REGISTRATION_PATH: {"post": register},
        CLIENT_PATH: {
            "parameters": [client_id],
            "get": _operation("readClient", "What is registered of a client (RFC 7592)", "200"),
            "put": update,
            "delete": delete,
        },
    }


def _operation(operation: str, summary: str, success: str, request: str | None = None) -> dict[str, Any]:
    described: dict[str, Any] = {
        "operationId": operation,
        "summary": summary,
        "security": [{"registration_token": []}],
        "responses": {
            success: {"description": "Done", **({} if success == "204" else _content("ClientInformation"))},
            "400": _refused("Refused"),
            "401": _refused("The token is missing or wrong", "WWW-Authenticate", "Challenge"),
            "403": _refused("The client is disabled"),
            "429": _refused("Too many wrong tokens", "Retry-After"),
            "500": _refused("The server failed"),
            "503": _refused("Try again", "Retry-After"),
        },
    }
    if request is not None:
        described["requestBody"] = {"required": True, **_content(request)}
        described["responses"] |= {
            "413": _refused(f"The body has more than {MAX_BYTES} bytes"),
            "415": _refused("The body is compressed, or not JSON"),
        }
    return described


def _refused(description: str, header: str | None = None, schema: str = "Error") -> dict[str, Any]:
    headers = {"headers": {header: {"required": True, "schema": _STRING}}} if header else {}
    return {"description": description, **headers, **_content(schema)}


def _content(schema: str) -> dict[str, Any]:
    return {"content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}}
