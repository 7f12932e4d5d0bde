"""Requests to an authorization server (RFC 6749 sections 4.1.3, 4.3, 4.4 and 6, RFC 7636, RFC 7009, RFC 7662)."""

from collections.abc import Mapping
from dataclasses import replace

from jeton_client.client_authentication import Client, credentials, signed_fields
from jeton_client.messages import Request


def log_in(endpoint: str, client: Client, username: str, password: str, scope: str | None = None) -> Request:
    return _form(endpoint, client, _with_scope({"grant_type": "password"}, scope), username=username, password=password)


def log_in_as_client(endpoint: str, client: Client, scope: str | None = None) -> Request:
    return _form(endpoint, client, _with_scope({"grant_type": "client_credentials"}, scope))


def redeem(
    endpoint: str, client: Client, code: str, redirect_uri: str, code_verifier: str, idempotency_key: str
) -> Request:
    """Redeem an authorization code. The same `idempotency_key` returns the same tokens, as for `refresh`."""
    fields = {"grant_type": "authorization_code", "code": code}
    request = _form(endpoint, client, fields, redirect_uri=redirect_uri, code_verifier=code_verifier)
    return _repeatable(request, idempotency_key)


def refresh(endpoint: str, client: Client, refresh_token: str, idempotency_key: str) -> Request:
    """Refresh. The same `idempotency_key` returns the same tokens, so that the request can be repeated."""
    request = _form(endpoint, client, {"grant_type": "refresh_token"}, refresh_token=refresh_token)
    return _repeatable(request, idempotency_key)


def revoke(endpoint: str, client: Client, token: str, hint: str) -> Request:
    """Revoke. `hint` is `refresh_token` or `access_token`."""
    return _form(endpoint, client, {}, token=token, token_type_hint=hint)


def introspect(endpoint: str, client: Client, token: str) -> Request:
    return _form(endpoint, client, {}, token=token, token_type_hint="access_token")


def _repeatable(request: Request, idempotency_key: str) -> Request:
    return replace(request, headers={**request.headers, "idempotency-key": idempotency_key})


def _with_scope(parameters: dict[str, str], scope: str | None) -> dict[str, str]:
    return parameters if scope is None else {**parameters, "scope": scope}


def _form(endpoint: str, client: Client, first: Mapping[str, str], **more: str) -> Request:
    headers, parameters = credentials(client)
    headers = {"accept": "application/json", "content-type": "application/x-www-form-urlencoded", **headers}
    return Request("POST", endpoint, headers, {**first, **more, **parameters}, signed_fields(client))
