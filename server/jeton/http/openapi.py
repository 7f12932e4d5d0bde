"""The OpenAPI 3.1 description of everything this server offers over HTTP."""

from typing import Any


def openapi_document(issuer: str) -> dict[str, Any]:
    return {}
