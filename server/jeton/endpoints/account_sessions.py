"""GET and DELETE /account/sessions, DELETE /account/sessions/{sid}: where users are logged in."""

from collections.abc import Mapping
from typing import Any, Final

import structlog

from jeton.crypto.refresh_token import is_sid
from jeton.endpoints.bearer_authentication import Bearer
from jeton.endpoints.messages import FormRequest
from jeton.grants.services import Services
from jeton.oauth.errors import NotFoundError
from jeton.oauth.parameters import flag
from jeton.oauth.self_service import end_own_session, end_own_sessions
from jeton.oauth.sessions import Family
from jeton.storage.ledger import Entry

_UNKNOWN: Final = "You have no such session, or it has ended."

log = structlog.get_logger("jeton.account")


async def list_sessions(_: FormRequest, bearer: Bearer, services: Services) -> Mapping[str, Any]:
    """The live sessions, the last used first."""
    sessions = await services.records.sessions(bearer.user.sub)
    return {"sessions": [_described(it, bearer.sid) for it in sessions]}


async def end_session(request: FormRequest, bearer: Bearer, services: Services) -> Mapping[str, Any]:
    """One session: at once, with all its tokens."""
    sub, sid = bearer.user.sub, request.parameters["sid"]
    if not is_sid(sid):
        raise NotFoundError(_UNKNOWN)
    decision = await services.ledger.enter(Entry(lambda facts: end_own_session(facts.family, sub, facts.now), sid=sid))
    if decision.family is None:
        raise NotFoundError(_UNKNOWN)
    _log(decision.reason, request, bearer, 1)
    return {"sessions_ended": 1}


async def end_sessions(request: FormRequest, bearer: Bearer, services: Services) -> Mapping[str, Any]:
    """All sessions; with `keep_current`, all but the one that asks."""
    sub, keep = bearer.user.sub, bearer.sid if flag(request.parameters, "keep_current") else None
    decision = await services.ledger.enter(
        Entry(lambda facts: end_own_sessions(facts.sessions, facts.now, keep=keep), sub=sub, all_sessions=True)
    )
    _log(decision.reason, request, bearer, len(decision.families))
    return {"sessions_ended": len(decision.families)}


def _described(it: Family, asking: str) -> dict[str, Any]:
    return {
        "sid": it.sid,
        "client_id": it.client_id,
        "current": it.sid == asking,
        "created_at": it.created_at,
        "last_used_at": it.rotated_at,
        "expires_at": min(it.idle_expires_at, it.absolute_expires_at),
        "address": it.last_ip,
        "user_agent": it.last_user_agent,
    }


def _log(event: str, request: FormRequest, bearer: Bearer, ended: int) -> None:
    log.info(
        event,
        sub=bearer.user.sub,
        sid=request.parameters.get("sid"),
        by_sid=bearer.sid,
        client_id=bearer.client.client_id,
        ip=request.source.ip,
        sessions_ended=ended,
    )
