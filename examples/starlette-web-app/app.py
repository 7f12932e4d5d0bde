"""A web app whose users log in at the server, by redirect (OpenID Connect), and out when they sign out there.

pip install ../../clients/python starlette uvicorn
jeton client add web-app --grant authorization_code --scope openid --redirect-uri http://127.0.0.1:8080/callback \
                         --backchannel-logout-uri http://127.0.0.1:8080/backchannel-logout
export ISSUER=http://127.0.0.1:8000 APP=http://127.0.0.1:8080 CLIENT_ID=web-app CLIENT_SECRET=...
uvicorn --factory app:create_app --port 8080
"""

import os
import secrets
from urllib.parse import parse_qs, quote, unquote

import httpx2
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from jeton_client import (
    AsyncIdTokenVerifier,
    AsyncTokenSession,
    AuthorizationRequest,
    Client,
    IdToken,
    InvalidCallbackError,
    InvalidTokenError,
    PendingAuthorization,
    RefusedError,
)

_LOGIN_SECONDS = 3600


def create_app(http: httpx2.AsyncClient | None = None) -> Starlette:
    issuer, address = os.environ["ISSUER"], os.environ["APP"]
    client = Client(os.environ["CLIENT_ID"], os.environ["CLIENT_SECRET"])
    http = http or httpx2.AsyncClient()
    verifier = AsyncIdTokenVerifier(issuer, client.client_id, http=http)
    users: dict[str, IdToken] = {}  # who is logged in, by cookie; a real app has a database, and ends its sessions
    # With this prefix, browsers accept a cookie from this host only, so that no other host can start a login here.
    prefix = "__Host-" if address.startswith("https:") else ""

    def keep(response: Response, name: str, value: str, seconds: int) -> Response:
        response.set_cookie(prefix + name, value, seconds, secure=bool(prefix), httponly=True, samesite="lax")
        return response

    async def home(request: Request) -> Response:
        user = users.get(request.cookies.get(f"{prefix}session", ""))
        return RedirectResponse("/log-in", 303) if user is None else PlainTextResponse(f"Hello {user.subject}")

    async def log_in(_: Request) -> Response:
        session = AsyncTokenSession(issuer, client, http=http)
        url, pending = await session.start_authorization(AuthorizationRequest(f"{address}/callback", scope="openid"))
        return keep(RedirectResponse(url, 303), "login", quote(pending.to_json()), _LOGIN_SECONDS)

    async def callback(request: Request) -> Response:
        session = AsyncTokenSession(issuer, client, http=http)
        try:
            pending = PendingAuthorization.from_json(unquote(request.cookies.get(f"{prefix}login", "")))
            tokens = await session.finish_authorization(pending, request.url.query)
            user = await verifier.verify(tokens, pending)
        except (ValueError, InvalidCallbackError, InvalidTokenError):
            return PlainTextResponse(f"This login was not begun here. Begin again: {address}/log-in", 400)
        except RefusedError as refused:
            return PlainTextResponse(f"You are not logged in: {refused}", 403)
        name = secrets.token_urlsafe(32)
        users[name] = user
        return keep(keep(RedirectResponse("/", 303), "session", name, 86400), "login", "", 0)

    async def backchannel_logout(request: Request) -> Response:
        form = parse_qs((await request.body()).decode("ascii", "replace"))
        try:
            ended = await verifier.verify_logout_token(form.get("logout_token", [""])[0])
        except InvalidTokenError:
            return PlainTextResponse("This is not a logout token for this app.", 400)
        for name, user in tuple(users.items()):
            if ended.sid == user.sid if ended.sid else ended.subject == user.subject:
                del users[name]
        return Response(headers={"Cache-Control": "no-store"})

    logout = Route("/backchannel-logout", backchannel_logout, methods=["POST"])
    return Starlette(routes=[Route("/", home), Route("/log-in", log_in), Route("/callback", callback), logout])
