"""Refresh tokens in cookies, for clients in cookie mode: scripts never have them (RFC 10017 sections 6.1.3 and 6.2).

The cookie of a client holds the newest refresh token of its session in this browser. It is named after the client, and
the token is the client's own, so that no cookie is ever used for another client.
"""

import hashlib
from collections.abc import Mapping
from typing import Any, Final

from jeton.crypto.refresh_token import PREFIX
from jeton.endpoints.cookies import Cookie
from jeton.endpoints.messages import FormRequest, Json
from jeton.frozen import Frozen, replace
from jeton.oauth.clients import Client
from jeton.oauth.cookie_mode import FORWARD_AUTH_HEADER, HEADER_VALUE, initiator_rejection_reason
from jeton.oauth.decisions import Issue
from jeton.oauth.errors import ErrorCode, OAuthError, malformed_request

_REFRESH_TOKEN: Final = "refresh_token"
_TOKENS: Final = ("access_token", "id_token", _REFRESH_TOKEN)
_FORWARD_AUTH: Final = FORWARD_AUTH_HEADER.lower().encode()
_LEAVE_OUT: Final = "The refresh token of this client is in its cookie: leave the parameter out."


class RefreshCookies(Frozen):
    """The cookies of the clients of one issuer."""

    issuer: str

    def name(self, client_id: str) -> str:
        """Return the name of a client's cookie.

        By the prefix, browsers accept it from this host over https only, and from no script (draft-ietf-httpbis-
        layered-cookies); those that do not know `__Host-Http-` treat it as `__Host-`.
        """
        prefix = "__Host-Http-" if self.issuer.startswith("https:") else ""
        return f"{prefix}jeton-{hashlib.sha256(f'{self.issuer} {client_id}'.encode()).hexdigest()[:12]}"

    def presented(self, request: FormRequest, client: Client) -> str | None:
        """Return the refresh token in the client's cookie, or None without one.

        Raise OAuthError unless a page of the client sends the request: before anything is looked up or changed.
        """
        reason = initiator_rejection_reason(request.initiator, client.origins)
        if reason is not None:
            raise malformed_request(reason, 403)
        return request.cookies.get(self.name(client.client_id))

    def token_request(self, request: FormRequest, client: Client) -> FormRequest:
        """Return a request to the token endpoint with the refresh token that it uses, which is taken from the cookie
        and nowhere else. Raise OAuthError if it may not use one."""
        presented = self.presented(request, client)
        if _REFRESH_TOKEN in request.parameters:
            raise malformed_request(_LEAVE_OUT)
        if request.parameters.get("grant_type") != _REFRESH_TOKEN:
            return request
        if presented is None:
            raise OAuthError(ErrorCode.INVALID_GRANT, "refresh_cookie_missing")
        return replace(request, parameters={**request.parameters, _REFRESH_TOKEN: presented})

    def token_to_revoke(self, request: FormRequest, client: Client) -> str | None:
        """Return the access token of a revocation request, else the refresh token in the cookie, or None without one.

        Raise OAuthError if the request may not use it, or sends a refresh token.
        """
        presented = self.presented(request, client)
        sent = request.parameters.get("token")
        if sent is not None and sent.startswith(PREFIX):
            raise malformed_request(_LEAVE_OUT)
        return sent or presented

    def token_response(self, content: Mapping[str, Any], issue: Issue, request: FormRequest) -> Json:
        """Return the token response with the refresh token in the cookie, which ends with it, instead of the body.

        A web server that uses forward authentication keeps the other tokens from the page as well.
        """
        hidden = _TOKENS if request.headers.get(_FORWARD_AUTH) == HEADER_VALUE else (_REFRESH_TOKEN,)
        body, family = {name: it for name, it in content.items() if name not in hidden}, issue.family
        if family is None or _REFRESH_TOKEN not in content:
            return Json(body)
        max_age = family.expires_at - issue.issued_at
        return Json(body, cookies=(self._cookie(issue.client, content[_REFRESH_TOKEN], max_age),))

    def deleted(self, client: Client) -> Cookie:
        """Return the cookie that deletes the client's."""
        return self._cookie(client, "", 0)

    def _cookie(self, client: Client, value: str, max_age: int) -> Cookie:
        return Cookie(self.name(client.client_id), value, max(0, max_age), same_site="Strict")
