"""How browser sessions begin and end, and which sessions of apps end with them (OpenID Connect Core section 11)."""

from collections.abc import Iterable, Sequence
from typing import Final

from jeton.frozen import Frozen, replace
from jeton.oauth.browser_sessions import BrowserSession
from jeton.oauth.clients import Client
from jeton.oauth.scope import Scope
from jeton.oauth.sessions import Family, Source
from jeton.oauth.users import User
from jeton.oauth.writes import (
    DeleteBrowserSession,
    ExpireBrowserSession,
    SaveBrowserSession,
    SaveFamily,
    UpgradePasswordHash,
    Write,
)

_OFFLINE_ACCESS: Final = "offline_access"


class BrowserSessionLifetimes(Frozen):
    """Lifetimes of browser sessions, in seconds: since the last use, and since the user signed in."""

    idle_seconds: int
    absolute_seconds: int


class SignedIn(Frozen):
    """A user signs in: `session` begins or continues with a new secret.

    `ended`, if given, is replaced by it. `expired` are the user's browser sessions over the limit.
    """

    reason: str
    user: User
    session: BrowserSession
    rehashed_password: str | None = None
    ended: "EndBrowserSessions | None" = None
    expired: tuple[BrowserSession, ...] = ()

    @property
    def writes(self) -> tuple[Write, ...]:
        """The sessions that end, the new hash of the password that was verified, and the session."""
        saved: tuple[Write, ...] = (SaveBrowserSession(self.session),)
        if self.rehashed_password is not None:
            saved = (UpgradePasswordHash(self.user.sub, self.rehashed_password), *saved)
        expired = tuple(ExpireBrowserSession(it.browser_session_id) for it in self.expired)
        return (*expired, *saved) if self.ended is None else (*self.ended.writes, *expired, *saved)


class EndBrowserSessions(Frozen):
    """Browser sessions end, with the families that go with them."""

    reason: str
    ended_at: int
    sessions: tuple[BrowserSession, ...] = ()
    families: tuple[Family, ...] = ()

    @property
    def writes(self) -> tuple[Write, ...]:
        """The ended families, and the sessions to delete."""
        families = tuple(SaveFamily(it) for it in self.families)
        return (*families, *(DeleteBrowserSession(it.browser_session_id, self.ended_at) for it in self.sessions))


def sign_in(
    user: User,
    current: BrowserSession | None,
    browser_session_id: str,
    secret_digest: bytes,
    amr: tuple[str, ...],
    lifetimes: BrowserSessionLifetimes,
    source: Source,
    now: int,
) -> BrowserSession:
    """Return the session of a user who has just authenticated, with a new secret.

    `current` is the live session of this browser. If it is of the same user, it continues, and so do the sessions of
    apps that came from it; else a new one begins under `browser_session_id`.
    """
    absolute = now + lifetimes.absolute_seconds
    session = BrowserSession(
        browser_session_id,
        user.sub,
        secret_digest,
        auth_time=now,
        amr=amr,
        created_at=now,
        used_at=now,
        idle_expires_at=min(now + lifetimes.idle_seconds, absolute),
        absolute_expires_at=absolute,
        ip=source.ip,
        user_agent=source.user_agent,
    )
    if current is None or current.sub != user.sub:
        return session
    return replace(session, browser_session_id=current.browser_session_id, created_at=current.created_at)


def outlasts_browser_session(scope: Scope, client: Client | None) -> bool:
    """Return whether a session of the client with this scope continues after the user has signed out.

    It does if it is meant to last while the user is away: with `offline_access`, or if the client always has refresh
    tokens.
    """
    return _OFFLINE_ACCESS in scope or (client is not None and client.refresh_token == "always")


def browser_sessions_over_limit(
    session: BrowserSession, others: Iterable[BrowserSession], max_sessions: int, now: int
) -> tuple[BrowserSession, ...]:
    """Return which of a user's other browser sessions expire, so that with `session` at most `max_sessions` are live.

    The least recently used come first. 0 is no maximum.
    """
    live = [it for it in others if it.is_live(now) and it.browser_session_id != session.browser_session_id]
    excess = len(live) + 1 - max_sessions if max_sessions else 0
    return tuple(sorted(live, key=lambda it: (it.used_at, it.browser_session_id))[: max(0, excess)])


def end_browser_sessions(
    reason: str,
    sessions: Sequence[BrowserSession],
    families: Iterable[Family],
    clients: Iterable[Client],
    now: int,
) -> EndBrowserSessions:
    """Decide to end browser sessions, and the families that came from them.

    A family continues if it outlasts them. An authorization code that was not redeemed yet ends in any case.
    """
    ids = {it.browser_session_id for it in sessions}
    known = {it.client_id: it for it in clients}
    ended = tuple(
        it.revoked(reason, now)
        for it in families
        if it.browser_session_id in ids
        and it.revoked_at is None
        and not (it.is_redeemed and outlasts_browser_session(it.scope, known.get(it.client_id)))
    )
    return EndBrowserSessions(reason, now, tuple(sessions), ended)
