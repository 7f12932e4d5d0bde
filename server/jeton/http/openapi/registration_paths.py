"""The part of the OpenAPI description that concerns registration (RFC 7591, RFC 7592), where it is switched on."""

from typing import Any, Final

from jeton.http.openapi.operations import BOOLEAN, INTEGER, STRING, STRINGS, body_refusals, json_content, refused
from jeton.oauth.clients import ID_TOKEN_ALGORITHMS
from jeton.oauth.registration.client_metadata import LINKS
from jeton.oauth.registration.dynamic_registration import AUTH_METHODS, CLIENT_PATH, REGISTRATION_PATH

# All of it is optional but `redirect_uris`, and other members are ignored (RFC 7591 section 2).
_METADATA: Final[dict[str, Any]] = {
    "redirect_uris": STRINGS,
    "token_endpoint_auth_method": {"enum": list(AUTH_METHODS)},
    "grant_types": STRINGS,
    "response_types": STRINGS,
    "application_type": {"enum": ["web", "native"]},
    "client_name": STRING,
    "scope": STRING,
    "post_logout_redirect_uris": STRINGS,
    "id_token_signed_response_alg": {"enum": list(ID_TOKEN_ALGORITHMS)},
    "require_pushed_authorization_requests": BOOLEAN,
    "dpop_bound_access_tokens": BOOLEAN,
    "jwks": {"type": "object"},
    "jwks_uri": STRING,
    **dict.fromkeys(LINKS, STRING),
}
_REGISTERED: Final = ("client_id", "client_id_issued_at", "redirect_uris", "token_endpoint_auth_method", "grant_types")

REGISTRATION_SCHEMAS: Final[dict[str, Any]] = {
    "ClientMetadata": {"type": "object", "required": ["redirect_uris"], "properties": _METADATA},
    "ClientUpdate": {
        "type": "object",
        "required": ["client_id", "redirect_uris"],
        "properties": {"client_id": STRING, "client_secret": STRING, **_METADATA},
    },
    "ClientInformation": {
        "type": "object",
        "required": [*_REGISTERED, "response_types", "application_type"],
        "properties": {
            **_METADATA,
            "client_id": STRING,
            "client_id_issued_at": INTEGER,
            "client_secret": STRING,
            "client_secret_expires_at": {"const": 0},
            "registration_client_uri": STRING,
            "registration_access_token": STRING,
        },
    },
}


def registration_paths() -> dict[str, Any]:
    """Return the operations by path."""
    register = _operation("registerClient", "Register a client (RFC 7591)", "201", "ClientMetadata")
    register["responses"]["429"] = refused("Too many registrations", "Retry-After")
    register["security"] = [{}, {"registration_token": []}]
    update = _operation("updateClient", "Replace the metadata of a client (RFC 7592)", "200", "ClientUpdate")
    delete = _operation("deleteClient", "Delete a client (RFC 7592)", "204")
    client_id = {"name": "client_id", "in": "path", "required": True, "schema": STRING}
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
    body = {} if success == "204" else {"content": json_content("ClientInformation")}
    described: dict[str, Any] = {
        "operationId": operation,
        "summary": summary,
        "security": [{"registration_token": []}],
        "responses": {
            success: {"description": "Done", **body},
            "400": refused("Refused"),
            "401": refused("The token is missing or wrong", "WWW-Authenticate", "Challenge"),
            "403": refused("The client is disabled"),
            "429": refused("Too many wrong tokens", "Retry-After"),
            "500": refused("The server failed"),
            "503": refused("Try again", "Retry-After"),
        },
    }
    if request is not None:
        described["requestBody"] = {"required": True, "content": json_content(request)}
        described["responses"] |= body_refusals("The body is compressed, or not JSON")
    return described
