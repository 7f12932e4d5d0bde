"""A protected API, as one of your own services might be: it lets in whoever shows a good access token.

It verifies tokens by itself, with the keys that the authorization server publishes, and never asks the server about a
token (RFC 9068 section 4). It needs to know two things: whose tokens it trusts, and by which name it is meant in them.

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

_KEYS_SECONDS: Final = 300
_ASK_AGAIN_SECONDS: Final = 10
_LEEWAY_SECONDS: Final = 5


class Refused(Exception):
    """The request is not let in; the caller is told why in a `WWW-Authenticate` header (RFC 6750 section 3)."""

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
    """The issuer's signing keys, fetched where they are needed and kept for some minutes.

    A key that was never heard of makes us ask again, but not more often than every ten seconds: anybody can write any
    `kid` into a token. The server publishes each key long before it signs with it, so that a rotation finds it here.
    """

    issuer: str
    _keys: dict[str, RSAKey] = field(default_factory=dict)
    _asked_at: float = -_KEYS_SECONDS
    _lock: Lock = field(default_factory=Lock)

    def find(self, kid: str) -> RSAKey | None:
        with self._lock:
            age = time.monotonic() - self._asked_at
            if age >= _KEYS_SECONDS or (kid not in self._keys and age >= _ASK_AGAIN_SECONDS):
                self._ask()
            return self._keys.get(kid)

    def _ask(self) -> None:
        """While the server does not answer, the keys that are known stay good."""
        self._asked_at = time.monotonic()
        try:
            metadata = _get_json(_metadata_url(self.issuer))
            # RFC 8414 section 3.3: metadata that speaks of another issuer must not be used.
            if metadata["issuer"] == self.issuer:
                published = _get_json(metadata["jwks_uri"])["keys"]
                usable = [jwk for jwk in published if jwk.get("kty") == "RSA" and "kid" in jwk]
                self._keys = {jwk["kid"]: RSAKey.import_key(jwk) for jwk in usable}
        except (OSError, ValueError, KeyError, JoseError) as error:
            print(f"the keys of {self.issuer} could not be fetched: {error!r}")


def _metadata_url(issuer: str) -> str:
    """RFC 8414 section 3.1: between the host and the path of the issuer, not after it."""
    parts = urlsplit(issuer)
    return urlunsplit(parts._replace(path=f"/.well-known/oauth-authorization-server{parts.path.rstrip('/')}"))


def _get_json(url: str) -> dict[str, Any]:
    with urllib.request.urlopen(url, timeout=5) as answer:
        return dict(json.load(answer))


@dataclass(frozen=True, slots=True)
class AccessTokens:
    """Verifies the access tokens of one issuer that are meant for this API."""

    keys: PublishedKeys
    audience: str

    def claims(self, unverified: str) -> dict[str, Any]:
        """The claims of a good token (RFC 9068 section 4); Refused for any other."""
        try:
            # The algorithm is ours to choose, and the key is looked up among the issuer's: nothing is taken on trust.
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


def _invalid_token() -> Refused:
    """One answer for all that may be wrong: expired, forged, revoked key, for somebody else."""
    return Refused(401, error="invalid_token", error_description="The access token is not valid here.")


@dataclass(frozen=True, slots=True)
class Orders:
    """The API itself: reading orders needs the scope `read`, placing one needs `write`."""

    tokens: AccessTokens
    placed: list[dict[str, str]] = field(default_factory=list)

    def read(self, request: Request) -> Response:
        claims = self._admit(request, "read")
        return JSONResponse({"orders": [order for order in self.placed if order["by"] == claims["sub"]]})

    def place(self, request: Request) -> Response:
        claims = self._admit(request, "write")
        self.placed.append({"order": f"order {len(self.placed) + 1}", "by": claims["sub"]})
        return JSONResponse(self.placed[-1], 201)

    def _admit(self, request: Request, scope: str) -> dict[str, Any]:
        """The claims of a request's token, where it has the scope. The header is the only place we look at."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            raise Refused(401)
        claims = self.tokens.claims(token.strip())
        if scope not in str(claims.get("scope", "")).split():
            raise Refused(403, error="insufficient_scope", scope=scope)
        return claims


def _refuse(_: Request, refused: Exception) -> Response:
    assert isinstance(refused, Refused)
    return refused.response()


def create() -> Starlette:
    """The application, for uvicorn. The endpoints are plain functions: starlette runs them in threads."""
    tokens = AccessTokens(PublishedKeys(os.environ["DEMO_ISSUER"]), os.environ["DEMO_AUDIENCE"])
    orders = Orders(tokens)
    routes = [
        Route("/orders", orders.read, methods=["GET"]),
        Route("/orders", orders.place, methods=["POST"]),
    ]
    return Starlette(routes=routes, exception_handlers={Refused: _refuse})
