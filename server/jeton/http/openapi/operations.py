"""Operations of the OpenAPI description: their requests, responses and refusals."""

from collections.abc import Mapping
from typing import Any, Final

from jeton.http.form_parsing import MAX_BYTES

STRING: Final = {"type": "string"}
STRINGS: Final = {"type": "array", "items": STRING}
INTEGER: Final = {"type": "integer"}
BOOLEAN: Final = {"type": "boolean"}
FORM: Final = "application/x-www-form-urlencoded"
# Ways to send the access token of a user.
ACCESS_TOKEN: Final[list[dict[str, Any]]] = [{"access_token": []}, {"bound_access_token": []}]


def reference(schema: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{schema}"}


def json_content(schema: str) -> dict[str, Any]:
    return {"application/json": {"schema": reference(schema)}}


def refused(description: str, header: str | None = None, schema: str = "Error") -> dict[str, Any]:
    """Return the response of a refusal, with a header that it always has."""
    headers = {"headers": {header: {"required": True, "schema": STRING}}} if header else {}
    return {"description": description, **headers, "content": json_content(schema)}


def body_refusals(unsupported: str = "The body is compressed") -> dict[str, Any]:
    """Return the refusals of a request body, by status."""
    return {"413": refused(f"The body has more than {MAX_BYTES} bytes"), "415": refused(unsupported)}


def form_operation(
    operation: str, summary: str, request: str, response: str, headers: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Return the operation of a form endpoint. Clients authenticate by Basic, or by parameters of the form."""
    return {
        "operationId": operation,
        "summary": summary,
        "security": [{"client_secret_basic": []}, {}],
        "parameters": [{"name": name, "in": "header", "schema": schema} for name, schema in (headers or {}).items()],
        "requestBody": {"required": True, "content": {FORM: {"schema": reference(request)}}},
        "responses": {
            "200": {"description": "Done", "content": json_content(response)},
            "400": refused("Refused"),
            "401": refused("The client did not authenticate", "WWW-Authenticate"),
            **body_refusals(),
            "429": refused("Too many requests", "Retry-After"),
            "500": refused("The server failed"),
            "503": refused("Try again", "Retry-After"),
        },
    }


def public_operation(operation: str, summary: str, responses: Mapping[str, Any]) -> dict[str, Any]:
    """Return an operation without authentication."""
    return {"operationId": operation, "summary": summary, "security": [], "responses": responses}
