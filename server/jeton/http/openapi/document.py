"""The OpenAPI document: all paths, schemas and ways to authenticate."""

from collections.abc import Sequence
from typing import Any, Final

from jeton.grants.description import Grant
from jeton.http.openapi.cookie_mode_paths import cookie_mode_paths
from jeton.http.openapi.operations import STRING, form_operation, json_content, public_operation, reference, refused
from jeton.http.openapi.page_paths import page_paths
from jeton.http.openapi.registration_paths import REGISTRATION_SCHEMAS, registration_paths
from jeton.http.openapi.schemas import schemas
from jeton.http.openapi.self_service_paths import self_service_paths, userinfo_operations
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

_REGISTRATION_TOKEN: Final = {
    "type": "http",
    "scheme": "bearer",
    "description": "An initial access token (RFC 7591), or the registration access token of the client (RFC 7592)",
}


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
    return {
        **_client_paths(),
        **page_paths(),
        **self_service_paths(),
        **cookie_mode_paths(),
        USERINFO_PATH: userinfo_operations(),
        **_public_paths(),
        "/livez": {"get": _health("livez", "The process answers")},
        "/readyz": {"get": _health("readyz", "The server is able to serve", unready=True)},
    }


def _client_paths() -> dict[str, Any]:
    """Return the paths of endpoints where clients authenticate."""
    proof = {"DPoP": STRING}
    headers = {"Idempotency-Key": {"type": "string", "pattern": "^[ -~]{1,255}$"}, **proof}
    push = form_operation(
        "push", "Push an authorization request (RFC 9126)", "AuthorizationRequest", "PushedRequest", proof
    )
    push["responses"]["201"] = push["responses"].pop("200") | {"description": "Accepted"}
    token = form_operation("token", "Redeem a grant (RFC 6749)", "TokenRequest", "TokenResponse", headers)
    introspect = ("Introspect a token (RFC 7662)", "IntrospectionRequest", "Introspection")
    return {
        PAR_PATH: {"post": push},
        TOKEN_PATH: {"post": token},
        REVOCATION_PATH: {"post": form_operation("revoke", "Revoke a token (RFC 7009)", "RevocationRequest", "Empty")},
        INTROSPECTION_PATH: {"post": form_operation("introspect", *introspect)},
    }


def _public_paths() -> dict[str, Any]:
    """Return the paths of the public documents."""
    described = {
        STATUS_LISTS_PATH: _document("statusLists", "All status lists, by address", "StatusLists"),
        STATUS_LISTS_PATH + "/{number}": _status_list(),
        JWKS_PATH: _document("keySet", "Keys that verify access tokens (RFC 7517)", "KeySet"),
        **{
            path: _document(operation, "Server metadata (RFC 8414)", "Metadata")
            for path, operation in zip(METADATA_PATHS, ("metadata", "openidConfiguration"), strict=True)
        },
        PROTECTED_RESOURCE_PATH: _document(
            "protectedResource", "Metadata of /account and userinfo (RFC 9728)", "ProtectedResource"
        ),
        "/openapi.json": _document("openapi", "This document", "OpenApi"),
    }
    return {path: {"get": operation} for path, operation in described.items()}


def _document(operation: str, summary: str, schema: str) -> dict[str, Any]:
    media_type = "application/jwk-set+json" if schema == "KeySet" else "application/json"
    return public_operation(
        operation,
        summary,
        {
            "200": {"description": "The document", "content": {media_type: {"schema": reference(schema)}}},
            "304": {"description": "Not modified: the ETag is still the same"},
        },
    )


def _status_list() -> dict[str, Any]:
    """Return the operation of a status list. If they are switched off, both paths answer 404."""
    document = _document("statusList", "Which access tokens ended early (draft-ietf-oauth-status-list)", "StatusList")
    document["parameters"] = [
        {"name": "number", "in": "path", "required": True, "schema": {"type": "integer", "minimum": 0}}
    ]
    document["responses"]["200"]["content"] = {"application/statuslist+jwt": {"schema": STRING}}
    document["responses"]["404"] = refused("There is no such list")
    document["responses"]["501"] = refused("Asked for by `time`: only the present list is kept")
    return document


def _health(operation: str, summary: str, *, unready: bool = False) -> dict[str, Any]:
    responses: dict[str, Any] = {"200": {"description": "Healthy", "content": json_content("Health")}}
    if unready:
        responses["503"] = {"description": "Not ready", "content": json_content("Health")}
    return public_operation(operation, summary, responses)
