"""Authorization codes that are issued to a signed-in user without the pages."""

import hashlib
import secrets
from typing import Any, Final

import httpx2
from sqlalchemy import insert

from jeton.bootstrap.token_endpoint import build_code_issuer
from jeton.frozen import Frozen, asdict, replace
from jeton.oauth.authorization.code_issuance import Approval
from jeton.oauth.browser_sessions import BrowserSession
from jeton.oauth.resources import Resource
from jeton.oauth.sessions import Source
from jeton.oauth.users import User
from jeton.storage.resources import insert_resource
from jeton.storage.tables import browser_sessions
from support.builders import CALLBACK, authorization_request
from support.in_process_server import App, Running, settings_for

# RFC 7636 appendix B.
VERIFIER: Final = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
CHALLENGE: Final = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
GRANTS: Final = frozenset({"authorization_code", "refresh_token"})


class SignedIn(Frozen):
    """A user who is signed in in a browser, and authorization codes for that user."""

    node: Running
    user: User
    browser_session: BrowserSession

    async def code(self, app: App, *, consented: bool = True, **fields: Any) -> str:
        """Return a code for a request with these fields of `AuthorizationRequest`."""
        node = self.node
        request = authorization_request(client_id=app.client_id, code_challenge=CHALLENGE, **fields)
        issuer = build_code_issuer(
            settings_for(node.database.url.render_as_string(hide_password=False)), node.server.parts
        )
        approval = Approval(app.client, self.browser_session, request.scope, consented)
        return await issuer.issue(request, approval, Source("192.0.2.1", "a browser"))

    async def redeemed(self, app: App, code: str | None = None, **more: str) -> dict[str, Any]:
        """Redeem a code. Return the members of the token response, which must be a success."""
        response = await redeem(self.node, app, code or await self.code(app), **more)
        assert response.status_code == 200, response.text
        return dict(response.json())


def add_app(node: Running, client_id: str = "app", **fields: Any) -> App:
    """Register a client that may use the grant."""
    given = {"grant_types": GRANTS, "redirect_uris": frozenset({CALLBACK}), **fields}
    return node.add_client(client_id, **given)


def sign_in(node: Running, username: str = "alice", **fields: Any) -> SignedIn:
    """Sign a new user in."""
    user = node.add_user(username)
    now = node.clock.now()
    name, digest = secrets.token_urlsafe(16), hashlib.sha256(secrets.token_bytes(32)).digest()
    session = BrowserSession(name, user.sub, digest, now, ("pwd",), now, now, now + 3600, now + 7200)
    session = replace(session, **fields)
    with node.database.write() as connection:
        connection.execute(insert(browser_sessions).values(**asdict(session)))
    return SignedIn(node, user, session)


def add_resource(node: Running, uri: str, *scope: str, **fields: Any) -> Resource:
    resource = replace(Resource(uri, uri, frozenset(scope), created_at=node.clock.now()), **fields)
    with node.database.write() as connection:
        insert_resource(connection, resource)
    node.shared_state.refresh()
    return resource


async def redeem(
    node: Running, app: App | None, code: str, key: str | None = None, dpop: str | None = None, **parameters: str
) -> httpx2.Response:
    """Send a token request with the code and a DPoP proof. A parameter with an empty value is left out."""
    form = {"redirect_uri": CALLBACK, "code_verifier": VERIFIER, **parameters}
    headers = {name: it for name, it in (("Idempotency-Key", key), ("DPoP", dpop)) if it is not None}
    return await node.token(
        app, headers, grant_type="authorization_code", code=code, **{name: it for name, it in form.items() if it}
    )
