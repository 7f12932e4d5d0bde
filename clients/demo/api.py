"""A protected API, like one of your own services: it requires a valid access token.

It verifies tokens locally, with the published keys of the authorization server (RFC 9068 section 4). Its settings are
the issuer that it trusts and its own audience.

    DEMO_ISSUER=http://127.0.0.1:8000 DEMO_AUDIENCE=https://orders.example uvicorn api:create --factory
"""

import json
import os
import time
import urllib.request
from dataclasses import dataclass, field
from threading import Lock
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import GuestProtocol, RSAKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

_MAX_AGE_SECONDS: Final = 300
_REFETCH_SECONDS: Final = 10
_LEEWAY_SECONDS: Final = 5


class RequestRefused(Exception):
    """A refused request, answered with a `WWW-Authenticate` header (RFC 6750 section 3)."""

    def __init__(self, status: int, **challenge: str) -> None:
        super().__init__(challenge.get("error_description", "no access token"))
        self.status = status
        self.challenge = {"realm": "orders", **challenge}

    def response(self) -> Response:
        challenge = ", ".join(f'{name}="{value}"' for name, value in self.challenge.items())
        body = {"error": self.challenge.get("error", "unauthorized")}
        return JSONResponse(body, self.status, {"WWW-Authenticate": f"Bearer {challenge}"})


@dataclass(slots=True)
class PublishedKeys:
    """The issuer's signing keys, fetched on demand and cached for some minutes.

    An unknown `kid` causes another fetch, but not more often than every ten seconds, because anyone can write any `kid`
    into a token. The server publishes each key long before it signs with it, so that rotation causes no refusals.
    """

    issuer: str
    _keys: dict[str, RSAKey] = field(default_factory=dict)
    _fetched_at: float = -_MAX_AGE_SECONDS
    _lock: Lock = field(default_factory=Lock)

    def find(self, kid: str) -> RSAKey | None:
        with self._lock:
            age = time.monotonic() - self._fetched_at
            if age >= _MAX_AGE_SECONDS or (kid not in self._keys and age >= _REFETCH_SECONDS):
                self._fetch()
            return self._keys.get(kid)

    def _fetch(self) -> None:
        """Fetch the keys. Keep the old ones if the server is unavailable."""
        self._fetched_at = time.monotonic()
        try:
            metadata = _get_json(_metadata_url(self.issuer))
            # RFC 8414 section 3.3: metadata of another issuer must not be used.
            if metadata["issuer"] == self.issuer:
                published = _get_json(metadata["jwks_uri"])["keys"]
                usable = [jwk for jwk in published if jwk.get("kty") == "RSA" and "kid" in jwk]
                self._keys = {jwk["kid"]: RSAKey.import_key(jwk) for jwk in usable}
        except (OSError, ValueError, KeyError, JoseError) as error:
            print(f"cannot fetch the keys of {self.issuer}: {error!r}")


def _metadata_url(issuer: str) -> str:
    """Return the URL of the metadata: the well-known path precedes the issuer's path (RFC 8414 section 3.1)."""
    parts = urlsplit(issuer)
    return urlunsplit(parts._replace(path=f"/.well-known/oauth-authorization-server{parts.path.rstrip('/')}"))


def _get_json(url: str) -> dict[str, Any]:
    with urllib.request.urlopen(url, timeout=5) as response:
        return dict(json.load(response))


@dataclass(frozen=True, slots=True)
class AccessTokens:
    """Verification of access tokens of one issuer for one audience."""

    keys: PublishedKeys
    audience: str

    def verify(self, unverified: str) -> dict[str, Any]:
        """Return the claims (RFC 9068 section 4). Raise RequestRefused if the token is not valid."""
        try:
            # The algorithm is fixed and the key is one of the issuer's: the token chooses neither.
            token = jwt.decode(unverified, self._key, algorithms=["RS256"])
            self._rules().validate(token.claims)
        except (JoseError, ValueError, KeyError):
            raise _invalid_token() from None
        if str(token.header.get("typ")).lower().removeprefix("application/") != "at+jwt":
            raise _invalid_token()
        return token.claims

    def _key(self, unverified: GuestProtocol) -> RSAKey:
        key = self.keys.find(str(unverified.headers()["kid"]))
        if key is None:
            raise KeyError("kid")
        return key

    def _rules(self) -> jwt.JWTClaimsRegistry:
        return jwt.JWTClaimsRegistry(
            leeway=_LEEWAY_SECONDS,
            iss={"essential": True, "value": self.keys.issuer},
            aud={"essential": True, "value": self.audience},
            exp={"essential": True},
            sub={"essential": True},
        )


def _invalid_token() -> RequestRefused:
    """Return the same refusal for every reason: expired, forged, unknown key, another audience."""
    return RequestRefused(401, error="invalid_token", error_description="The access token is not valid here.")


@dataclass(frozen=True, slots=True)
class Orders:
    """The API: reading orders requires the scope `read`, placing one requires `write`."""

    tokens: AccessTokens
    placed: list[dict[str, str]] = field(default_factory=list)

    def read(self, request: Request) -> Response:
        claims = self._authenticate(request, "read")
        return JSONResponse({"orders": [order for order in self.placed if order["by"] == claims["sub"]]})

    def place(self, request: Request) -> Response:
        claims = self._authenticate(request, "write")
        self.placed.append({"order": f"order {len(self.placed) + 1}", "by": claims["sub"]})
        return JSONResponse(self.placed[-1], 201)

    def _authenticate(self, request: Request, scope: str) -> dict[str, Any]:
        """Return the claims of the token in the Authorization header. Raise RequestRefused if it lacks the scope."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            raise RequestRefused(401)
        claims = self.tokens.verify(token.strip())
        if scope not in str(claims.get("scope", "")).split():
            raise RequestRefused(403, error="insufficient_scope", scope=scope)
        return claims


def _refuse(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestRefused)
    return error.response()


def create() -> Starlette:
    """Return the application for uvicorn. The endpoints are plain functions, which starlette runs in threads."""
    tokens = AccessTokens(PublishedKeys(os.environ["DEMO_ISSUER"]), os.environ["DEMO_AUDIENCE"])
    orders = Orders(tokens)
    routes = [
        Route("/orders", orders.read, methods=["GET"]),
        Route("/orders", orders.place, methods=["POST"]),
    ]
    return Starlette(routes=routes, exception_handlers={RequestRefused: _refuse})
