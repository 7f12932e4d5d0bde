"""A relying party as in the OpenID Foundation's suite: it sends alice to the server, and checks the responses."""

import hashlib
from dataclasses import dataclass
from typing import Any, Final

import httpx2
import jwt
from jwt.types import Options

from support.authorization_codes import add_app
from support.base64url import base64url
from support.browsing import Browser, authorization_parameters
from support.builders import CALLBACK
from support.in_process_server import ISSUER, App, Running

SIGNED_OUT: Final = "https://app.example/signed-out"
SCOPES: Final = frozenset({"openid", "profile", "email", "address", "phone", "offline_access"})
PROFILE: Final[dict[str, Any]] = {
    "name": "Alice Archer",
    "given_name": "Alice",
    "family_name": "Archer",
    "zoneinfo": "Europe/Oslo",
    "locale": "nb-NO",
    "address": {"locality": "Oslo", "country": "Norway"},
    "phone_number": "+4712345678",
    "phone_number_verified": True,
}


def add_alice(jeton: Running) -> None:
    """Add a user with a value for every claim that a scope covers."""
    jeton.add_user("alice", profile=PROFILE, email="alice@example.com", email_verified=True)


@dataclass(frozen=True, slots=True)
class RelyingParty:
    """A client, the browser of one person, and the response mode."""

    jeton: Running
    browser: Browser
    app: App
    response_mode: str = "query"

    @classmethod
    def registered(
        cls, jeton: Running, browser: Browser, response_mode: str = "query", **fields: Any
    ) -> "RelyingParty":
        """Return a confidential client that may omit PKCE, as in the suite except for modules about PKCE."""
        uris = frozenset({SIGNED_OUT})
        app = add_app(jeton, scope=SCOPES, require_pkce=False, post_logout_redirect_uris=uris, **fields)
        return cls(jeton, browser, app, response_mode)

    async def request(self, **more: Any) -> httpx2.Response:
        """Open the authorization request. `more` overrides its parameters; None leaves one out."""
        given = {"scope": "openid", "code_challenge": None, "code_challenge_method": None, "nonce": "a nonce"}
        mode = None if self.response_mode == "query" else self.response_mode
        parameters = authorization_parameters(self.app, response_mode=mode, **given | more)
        return await self.browser.get("/oauth/authorize", **parameters)

    async def authorized(self, **more: Any) -> dict[str, str]:
        """Open the authorization request, sign in and consent as needed. Return the authorization response."""
        await self.request(**more)
        return await self.go_through_pages()

    async def go_through_pages(self) -> dict[str, str]:
        await self.browser.finish()
        return self.answer

    @property
    def answer(self) -> dict[str, str]:
        """The authorization response that the redirect URI receives in this response mode."""
        if self.response_mode == "query":
            return self.browser.answer
        form = self.browser.form("/callback")
        assert form.action == CALLBACK
        return form.fields

    async def redeem(self, answer: dict[str, str], **more: str) -> httpx2.Response:
        parameters = {"grant_type": "authorization_code", "code": answer["code"], "redirect_uri": CALLBACK}
        return await self.jeton.token(self.app, None, **parameters, **more)

    async def signed_in(self, **more: Any) -> dict[str, Any]:
        """Complete the code flow. Return the token response."""
        response = await self.redeem(await self.authorized(**more))
        assert response.status_code == 200, response.text
        return dict(response.json())

    async def claims(self, tokens: dict[str, Any]) -> dict[str, Any]:
        """Return the claims of the ID token, verified by another library with the published keys."""
        token = tokens["id_token"]
        keys = jwt.PyJWKSet.from_dict((await self.jeton.http.get("/.well-known/jwks.json")).json())
        key = keys[jwt.get_unverified_header(token)["kid"]]
        options: Options = {"verify_exp": False, "verify_iat": False}
        claims = jwt.decode(token, key, ["RS256"], options, audience=self.app.client_id, issuer=ISSUER)
        digest = hashlib.sha256(tokens["access_token"].encode()).digest()[:16]
        assert claims["at_hash"] == base64url(digest)
        assert claims["iat"] <= self.jeton.clock.now() < claims["exp"]
        return dict(claims)

    async def userinfo(self, tokens: dict[str, Any], method: str = "GET") -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {tokens['access_token']}"}
        response = await self.jeton.http.request(method, "/oauth/userinfo", headers=headers)
        assert response.status_code == 200, response.text
        return dict(response.json())
