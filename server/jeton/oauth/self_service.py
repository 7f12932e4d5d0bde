"""Self-service rules: how users change their password and profile, and end their sessions (ASVS 7.4.3, 7.5.2)."""

from collections.abc import Iterable, Mapping
from typing import Final

from jeton.frozen import Frozen, replace
from jeton.oauth.browser_sessions import BrowserSession
from jeton.oauth.decisions import Deny, End, EndSessions
from jeton.oauth.errors import ErrorCode
from jeton.oauth.sessions import Family
from jeton.oauth.users import User, may_still_log_in
from jeton.oauth.writes import DeleteBrowserSessionsOf, SaveProfile, Write

# The scope that the client and the access token need.
ACCOUNT_SCOPE: Final = "account"


class ChangeProfile(Frozen):
    """The user has other claims; None if they are the same as before."""

    reason: str
    user: User | None = None

    @property
    def writes(self) -> tuple[Write, ...]:
        """The claims."""
        return () if self.user is None else (SaveProfile(self.user),)


def change_profile(user: User | None, claims: Mapping[str, str], now: int) -> ChangeProfile | Deny:
    """Decide to set valid claims that a user may set; an empty value removes one, and all others stay.

    `user` is as read under the user's lock.
    """
    if user is None or user.disabled:
        return Deny(ErrorCode.LOGIN_REQUIRED, "user_disabled")
    profile = {name: value for name, value in {**user.profile, **claims}.items() if value != ""}
    if profile == user.profile:
        return ChangeProfile("profile_unchanged")
    return ChangeProfile("profile_changed", replace(user, profile=profile, updated_at=now))


def end_own_session(family: Family | None, sub: str, now: int) -> End:
    """Decide to end one session. A session of another user, or one that has ended, counts as unknown."""
    if family is None or family.sub != sub or family.revoked_at is not None:
        return End("session_unknown")
    return End("session_ended", family.revoked("ended_by_user", now))


def end_own_sessions(sessions: Iterable[Family], now: int, *, keep: str | None) -> EndSessions:
    """Decide to end all sessions of the user except `keep`."""
    return EndSessions("sessions_ended", _ended(sessions, "ended_by_user", now, keep))


def change_password(
    checked: User,
    user: User | None,
    sessions: Iterable[Family],
    password_hash: str,
    now: int,
    *,
    keep: str | None,
    keep_browser: BrowserSession | None = None,
    keep_all: bool = False,
) -> EndSessions | Deny:
    """Decide to change the password, and to end all sessions except `keep` and all browser sessions except one.

    `keep_browser` continues, with the new secret that it has here. Without it, the kept one is that which `keep` comes
    from. With `keep_all`, nothing ends but authorization codes that are not redeemed yet.

    `checked` is the user whose old password was verified; `user` and `sessions` are as read under the user's lock.
    """
    if not may_still_log_in(user, checked):
        return Deny(ErrorCode.INVALID_GRANT, "user_disabled_or_changed", sub=checked.sub)
    changed = replace(user, password_hash=password_hash, password_version=user.password_version + 1)
    sessions = tuple(sessions)
    if keep_all:
        unredeemed = [it for it in sessions if not it.is_redeemed]
        ended = _ended(unredeemed, "password_changed", now, None)
        return EndSessions("password_changed", ended, changed, renewed=keep_browser)
    of_kept = next((it.browser_session_id for it in sessions if keep is not None and it.sid == keep), None)
    kept_id = of_kept if keep_browser is None else keep_browser.browser_session_id
    browsers = DeleteBrowserSessionsOf(user.sub, now, kept_id)
    ended = _ended(sessions, "password_changed", now, keep)
    return EndSessions("password_changed", ended, changed, browsers, keep_browser)


def _ended(sessions: Iterable[Family], reason: str, now: int, keep: str | None) -> tuple[Family, ...]:
    return tuple(it.revoked(reason, now) for it in sessions if it.sid != keep and it.revoked_at is None)
