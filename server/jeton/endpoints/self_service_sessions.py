"""Self-service of sessions: GET and DELETE /account/sessions, DELETE /account/sessions/{sid}."""

from collections.abc import Awaitable, Callable
from typing import Any, Final

import structlog

from jeton.crypto.refresh_token import is_sid
from jeton.endpoints.access_token_authentication import AuthenticatedUser
from jeton.endpoints.messages import FormRequest, Json
from jeton.frozen import Frozen
from jeton.oauth.errors import not_found
from jeton.oauth.parameters import flag
from jeton.oauth.self_service import end_own_session, end_own_sessions
from jeton.oauth.sessions import Family
from jeton.storage.ledger.ledger import Entry, Ledger
from jeton.storage.ledger.lock_requests import LockFamily, LockSessionsOf
from jeton.storage.lookups import Lookups

_NOT_FOUND: Final = "You have no such session, or it has ended."

log = structlog.get_logger("jeton.account")


class ListSessions(Frozen):
    """GET /account/sessions."""

    authenticate: Callable[[FormRequest], Awaitable[AuthenticatedUser]]
    lookups: Lookups

    async def handle(self, _: FormRequest, caller: AuthenticatedUser) -> Json:
        """Return the user's live sessions, the last used first."""
        sessions = await self.lookups.sessions(caller.user.sub)
        return Json({"sessions": [_described(it, current=it.sid == caller.sid) for it in sessions]})


class EndSession(Frozen):
    """DELETE /account/sessions/{sid}."""

    authenticate: Callable[[FormRequest], Awaitable[AuthenticatedUser]]
    ledger: Ledger

    async def handle(self, request: FormRequest, caller: AuthenticatedUser) -> Json:
        """End one session with all its tokens. Raise OAuthError (404) if the user has no such live session."""
        sub, sid = caller.user.sub, request.parameters["sid"]
        if not is_sid(sid):
            raise not_found(_NOT_FOUND)
        decision = await self.ledger.enter(
            Entry(lambda facts: end_own_session(facts.family, sub, facts.now), (LockFamily(sid),))
        )
        if decision.family is None:
            raise not_found(_NOT_FOUND)
        _log(decision.reason, request, caller, 1)
        return Json({"sessions_ended": 1})


class EndAllSessions(Frozen):
    """DELETE /account/sessions."""

    authenticate: Callable[[FormRequest], Awaitable[AuthenticatedUser]]
    ledger: Ledger

    async def handle(self, request: FormRequest, caller: AuthenticatedUser) -> Json:
        """End the user's sessions; with `keep_current`, all but the one of the request."""
        sub, keep = caller.user.sub, caller.sid if flag(request.parameters, "keep_current") else None
        decision = await self.ledger.enter(
            Entry(lambda facts: end_own_sessions(facts.sessions, facts.now, keep=keep), (LockSessionsOf(sub),))
        )
        ended = sum(it.is_redeemed for it in decision.families)
        _log(decision.reason, request, caller, ended)
        return Json({"sessions_ended": ended})


def _described(it: Family, *, current: bool) -> dict[str, Any]:
    return {
        "sid": it.sid,
        "client_id": it.client_id,
        "current": current,
        "created_at": it.created_at,
        "last_used_at": it.rotated_at,
        "expires_at": it.expires_at,
        "address": it.last_ip,
        "user_agent": it.last_user_agent,
    }


def _log(event: str, request: FormRequest, caller: AuthenticatedUser, ended: int) -> None:
    log.info(
        event,
        sub=caller.user.sub,
        sid=request.parameters.get("sid"),
        by_sid=caller.sid,
        client_id=caller.client.client_id,
        ip=request.source.ip,
        sessions_ended=ended,
    )
