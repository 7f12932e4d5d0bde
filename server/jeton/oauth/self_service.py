"""The law of self-service: what users may change of their own account and sessions (ASVS 7.4.3, 7.5.2)."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from jeton.oauth.decisions import Deny, End, EndSessions
from jeton.oauth.errors import ErrorCode
from jeton.oauth.sessions import Family
from jeton.oauth.users import User

# What a client must have been given, and a token must hold, for any of this.
ACCOUNT_SCOPE: Final = "account"


def end_own_session(family: Family | None, sub: str, now: int) -> End:
    """One session. Another user's, or one that has ended, is as unknown as one that never was."""
    if family is None or family.sub != sub or family.revoked_at is not None:
        return End("session_unknown")
    return End("session_ended", family.revoked("ended_by_user", now))


def end_own_sessions(sessions: Iterable[Family], now: int, *, keep: str | None) -> EndSessions:
    """All of the user's sessions, but for the one to keep."""
    return EndSessions("sessions_ended", _ended(sessions, "ended_by_user", now, keep))


def change_password(
    checked: User, user: User | None, sessions: Iterable[Family], password_hash: str, now: int, *, keep: str | None
) -> EndSessions | Deny:
    """A new password, and the end of all sessions but for the one to keep.

    `checked` is the user whose old password was right; `user` and `sessions` are as read under the user's lock.
    """
    if user is None or user.disabled or user.password_version != checked.password_version:
        return Deny(ErrorCode.INVALID_GRANT, "user_disabled_or_changed", sub=checked.sub)
    changed = replace(user, password_hash=password_hash, password_version=user.password_version + 1)
    return EndSessions("password_changed", _ended(sessions, "password_changed", now, keep), changed)


def _ended(sessions: Iterable[Family], reason: str, now: int, keep: str | None) -> tuple[Family, ...]:
    return tuple(it.revoked(reason, now) for it in sessions if it.sid != keep and it.revoked_at is None)
