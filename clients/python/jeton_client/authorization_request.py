"""Authorization requests with PKCE (RFC 6749 section 4.1.1, RFC 7636, RFC 8707, OpenID Connect Core 3.1.2.1)."""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from typing import Literal, Self

from jeton_client import base64url
from jeton_client.client_authentication import Client
from jeton_client.messages import encoded
from jeton_client.strict_json import is_number, parse_object


@dataclass(frozen=True, slots=True)
class AuthorizationRequest:
    """What the app asks for. `prompt` is for example `none` or `login`; `max_age` is in seconds.

    With `response_mode="form_post"` the server answers with a form (POST) instead of the query of the redirect URI.
    """

    redirect_uri: str
    scope: str | None = None
    resources: Sequence[str] = ()
    prompt: str | None = None
    max_age: int | None = None
    login_hint: str | None = None
    ui_locales: str | None = None
    response_mode: Literal["query", "form_post"] | None = None


@dataclass(frozen=True, slots=True)
class PendingAuthorization:
    """What must be remembered until the redirect comes back: once per login, where only this browser's user reaches it.

    The value is secret: who knows it, and the redirect, can finish the login.
    """

    issuer: str
    redirect_uri: str
    state: str = field(repr=False)
    nonce: str = field(repr=False)
    code_verifier: str = field(repr=False)
    idempotency_key: str = field(repr=False)  # of the redemption, which can be repeated with it
    begun_at: float
    scope: str | None = None
    max_age: int | None = None

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Return the value. Raise ValueError if the text is not the output of `to_json`."""
        members = parse_object(text.encode())
        numbers, optional = (members.get("begun_at"), members.get("max_age") or 0), members.get("scope") or ""
        texts = [members.get(name) for name in _TEXTS]
        if not all(map(is_number, numbers)) or not all(isinstance(one, str) for one in (*texts, optional)):
            raise ValueError("not a pending authorization")
        try:
            return cls(**members)
        except TypeError:
            raise ValueError("not a pending authorization") from None


_TEXTS = ("issuer", "redirect_uri", "state", "nonce", "code_verifier", "idempotency_key")


def begin(
    issuer: str, request: AuthorizationRequest, now: float, new_secret: Callable[[], str]
) -> PendingAuthorization:
    """Return new secrets for this request. `new_secret` returns 256 random bits in base64url."""
    state, nonce, code_verifier, key = (new_secret() for _ in range(4))
    return PendingAuthorization(
        issuer, request.redirect_uri, state, nonce, code_verifier, key, now, request.scope, request.max_age
    )


def authorization_url(
    endpoint: str, client: Client, request: AuthorizationRequest, pending: PendingAuthorization
) -> str:
    """Return the URL to which the browser is sent. The nonce is sent with the scope `openid` only."""
    parameters = {
        "response_type": "code",
        "client_id": client.client_id,
        "redirect_uri": request.redirect_uri,
        "scope": request.scope,
        "state": pending.state,
        "nonce": pending.nonce if "openid" in (request.scope or "").split() else None,
        "code_challenge": code_challenge(pending.code_verifier),
        "code_challenge_method": "S256",
        "prompt": request.prompt,
        "max_age": None if request.max_age is None else str(request.max_age),
        "login_hint": request.login_hint,
        "ui_locales": request.ui_locales,
        "response_mode": request.response_mode,
    }
    pairs = [(name, value) for name, value in parameters.items() if value is not None]
    return url_with(endpoint, [*pairs, *(("resource", uri) for uri in request.resources)])


def url_with(endpoint: str, pairs: Sequence[tuple[str, str]]) -> str:
    """Return the endpoint with these parameters, after its own query (RFC 6749 section 3.1)."""
    query = "&".join(f"{encoded(name)}={encoded(value)}" for name, value in pairs)
    return f"{endpoint}{'&' if '?' in endpoint else '?'}{query}"


def code_challenge(code_verifier: str) -> str:
    """Return the challenge of a verifier, by the method S256 (RFC 7636 section 4.2)."""
    return base64url.encode(sha256(code_verifier.encode()).digest())
