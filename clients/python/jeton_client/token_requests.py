"""Requests to an authorization server (RFC 6749 sections 4.3, 4.4 and 6, RFC 7009, RFC 7662)."""

from collections.abc import Mapping

from jeton_client.client_authentication import Client, credentials
from jeton_client.messages import Request


def log_in(endpoint: str, client: Client, username: str, password: str, scope: str | None = None) -> Request:
    return _form(endpoint, client, _with_scope({"grant_type": "password"}, scope), username=username, password=password)


def log_in_as_client(endpoint: str, client: Client, scope: str | None = None) -> Request:
    return _form(endpoint, client, _with_scope({"grant_type": "client_credentials"}, scope))


def refresh(endpoint: str, client: Client, refresh_token: str, idempotency_key: str) -> Request:
    """Refresh. The same `idempotency_key` returns the same tokens, so that the request can be repeated."""
    request = _form(endpoint, client, {"grant_type": "refresh_token"}, refresh_token=refresh_token)
    return Request(request.method, endpoint, {**request.headers, "idempotency-key": idempotency_key}, request.form)


def revoke(endpoint: str, client: Client, token: str, hint: str) -> Request:
    """Revoke. `hint` is `refresh_token` or `access_token`."""
    return _form(endpoint, client, {}, token=token, token_type_hint=hint)


def introspect(endpoint: str, client: Client, token: str) -> Request:
    return _form(endpoint, client, {}, token=token, token_type_hint="access_token")


def _with_scope(parameters: dict[str, str], scope: str | None) -> dict[str, str]:
    return parameters if scope is None else {**parameters, "scope": scope}


def _form(endpoint: str, client: Client, first: Mapping[str, str], **more: str) -> Request:
    headers, parameters = credentials(client)
    headers = {"accept": "application/json", "content-type": "application/x-www-form-urlencoded", **headers}
    return Request("POST", endpoint, headers, {**first, **more, **parameters})
